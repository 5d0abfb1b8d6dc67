// SPDX-License-Identifier: GPL-3.0-or-later
// `serpent signal`, `train` and `evaluate`, the binary itself: from a signal for the gear to a model and its figures.
#include "audio/temporary_folder.h"
#include "command/run_command.h"
#include "render/gain_model.h"

#include "serpent/audio_file.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <random>

using namespace serpent;
namespace fs = std::filesystem;

namespace {

constexpr int rate_hz = 8000;
constexpr int delay_samples = 37;

/// A soft clipper behind a converter that delays.
std::vector<float> device(const std::vector<float>& dry) {
    std::vector<float> wet(dry.size(), 0.0f);
    for (std::size_t i = delay_samples; i < dry.size(); ++i) wet[i] = 0.5f * std::tanh(3.0f * dry[i - delay_samples]);
    return wet;
}

void write_mono(const fs::path& path, const std::vector<float>& samples, int sample_rate_hz = rate_hz) {
    AudioBuffer buffer;
    buffer.sample_rate = sample_rate_hz;
    buffer.channels = {samples};
    write_audio(path, buffer, Subtype::float32);
}

/// A folder with dry.wav, the capture signal, and wet.wav, what the device made of it.
struct Studio : TemporaryFolder {
    std::vector<float> dry;

    Studio() {
        const CommandResult signal =
            run_command({"signal", "-o", name("dry.wav"), "--seconds", "20", "--rate", std::to_string(rate_hz)});
        REQUIRE(signal.status == 0);
        CHECK_THAT(signal.err, Catch::Contains("serpent train"));
        dry = read_audio(*this / "dry.wav").channels[0];
        write_mono(*this / "wet.wav", device(dry));
    }

    std::string name(const std::string& file) const { return (*this / file).string(); }

    CommandResult train(std::vector<std::string> arguments, const CommandLimits& limits = {}) const {
        arguments.insert(arguments.begin(), {"train", name("dry.wav"), name("wet.wav"), "--preset", "nano"});
        return run_command(arguments, limits);
    }
};

const std::vector<std::string> some_steps = {"--schedule", R"({"steps": 300, "validate_every": 100, "segment": 128})"};

std::vector<std::string> with(std::vector<std::string> a, const std::vector<std::string>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

bool same_weights(const Model& a, const Model& b) { return a.weights.values == b.weights.values; }

/// The last line is the one error, it names what is at fault, and neither model nor checkpoint came to be.
void check_refused(const CommandResult& result, const std::string& named, const Studio& studio) {
    CAPTURE(result.err, named);
    CHECK(result.status == 1);
    const std::size_t last = result.err.rfind("serpent: ");
    REQUIRE(last != std::string::npos);
    CHECK_THAT(result.err.substr(last), Catch::Contains(named));
    CHECK(std::count(result.err.begin() + std::ptrdiff_t(last), result.err.end(), '\n') == 1);
    for (const char* file : {"m.safetensors", "m.safetensors.checkpoint", "m.html"}) CHECK_FALSE(fs::exists(studio / file));
}

} // namespace

TEST_CASE("signal, train, render, evaluate: the whole path", "[command][train]") {
    const Studio studio;
    const std::string model = studio.name("m.safetensors");
    const CommandResult trained = studio.train(with({"-o", model, "--name", "Clipper"}, some_steps));
    CAPTURE(trained.err);
    REQUIRE(trained.status == 0);
    CHECK_THAT(trained.err, Catch::Contains("37 samples") && Catch::Contains("capture signal") && Catch::Contains("m.html"));
    CHECK_THAT(trained.out, Catch::Contains("ESR on the validation part") && Catch::Contains("a static gain"));
    CHECK(fs::file_size(studio / "m.html") > 50000);
    CHECK_FALSE(fs::exists(studio / "m.safetensors.checkpoint"));
    CHECK(Model::load(model).metadata.name == "Clipper");
    CHECK(Model::load(model).metadata.loudness_db.has_value());

    // Aligned, it comes far closer than a plain gain does.
    std::vector<float> aligned = device(studio.dry);
    aligned.erase(aligned.begin(), aligned.begin() + delay_samples);
    write_mono(studio / "aligned.wav", aligned);
    write_mono(studio / "cut.wav", {studio.dry.begin(), studio.dry.end() - delay_samples});
    const CommandResult scored = run_command({"evaluate", model, studio.name("cut.wav"), studio.name("aligned.wav"), "--json"});
    REQUIRE(scored.status == 0);
    const nlohmann::json figures = nlohmann::json::parse(scored.out);
    for (const char* key : {"esr", "esr_pre", "mrstft", "envelope_rms_db", "envelope_max_db", "static_gain_esr"})
        CHECK(figures.at(key).is_number());
    CHECK(figures["esr"].get<double>() < 0.1 * figures["static_gain_esr"].get<double>());

    // Rendering and scoring by hand give the same figure: evaluate neither shifts nor scales.
    REQUIRE(run_command({"render", model, studio.name("cut.wav"), "-o", studio.name("out.wav")}).status == 0);
    const std::vector<float> out = read_audio(studio / "out.wav").channels[0];
    double error = 0, power = 1e-8;
    for (std::size_t i = 0; i < out.size(); ++i) {
        error += std::pow(double(out[i]) - double(aligned[i]), 2);
        power += std::pow(double(aligned[i]), 2);
    }
    // Both answers hold 1e-5 rms; an error signal of sqrt(esr) amplifies that to some 1e-3 of the figure.
    CHECK(figures["esr"].get<double>() == Approx(error / power).epsilon(1e-3));

    // As recorded, late: evaluate sees that it is as late as what the model learned from, says so, and gives the figures of the aligned
    // pair. Asked to, it scores what is there.
    write_mono(studio / "late.wav", device(studio.dry));
    write_mono(studio / "as_played.wav", studio.dry);
    const std::vector<std::string> late = {"evaluate", model, studio.name("as_played.wav"), studio.name("late.wav"), "--json"};
    const CommandResult found = run_command(late), shifted = run_command(with(late, {"--latency", "37"}));
    CHECK_THAT(found.err, Catch::Contains("scored 37 samples later"));
    CHECK(nlohmann::json::parse(found.out)["esr"] == figures["esr"]);
    CHECK(shifted.err.empty());
    CHECK(nlohmann::json::parse(shifted.out)["esr"] == figures["esr"]);
    // Recordings may differ in length, either way.
    std::vector<float> shorter = device(studio.dry), longer = shorter;
    shorter.resize(shorter.size() - 100), longer.resize(longer.size() + 100);
    for (const auto& [name, wet] : {std::pair{"shorter.wav", shorter}, {"longer.wav", longer}}) {
        write_mono(studio / name, wet);
        const CommandResult other = run_command({"evaluate", model, studio.name("as_played.wav"), studio.name(name), "--json"});
        CHECK_THAT(other.err, Catch::Contains("scored 37 samples later"));
        CHECK(nlohmann::json::parse(other.out)["esr"].get<double>() < 2 * figures["esr"].get<double>());
    }
    const CommandResult as_it_is = run_command(with(late, {"--latency", "0"}));
    CHECK_THAT(as_it_is.err, Catch::Contains("37 samples behind"));
    CHECK(nlohmann::json::parse(as_it_is.out)["esr"].get<double>() > 4 * figures["esr"].get<double>());
    CHECK(run_command(with(late, {"--latency", "99999999"})).status == 1);
}

TEST_CASE("an interrupted training leaves a model, and resumes to the bits of one never stopped", "[command][train]") {
    const Studio studio;
    const std::string whole = studio.name("whole.safetensors"), halved = studio.name("halved.safetensors");
    const std::vector<std::string> steps = {"--no-report", "--schedule",
                                            R"({"steps": 1500, "validate_every": 100, "segment": 128, "late_segment": 256})"};
    REQUIRE(studio.train(with({"-o", whole, "--threads", "2"}, steps)).status == 0);
    const CommandResult stopped =
        studio.train(with({"-o", halved, "--threads", "1"}, steps), {.interrupt_after_s = 1.0});
    CAPTURE(stopped.err);
    REQUIRE(stopped.status == 0);
    CHECK(Model::load(halved).config.d_model == 8);  // usable as it is
    if (!fs::exists(halved + ".checkpoint")) {
        WARN("the training ended before the interrupt came; nothing to resume");
        return;
    }
    CHECK_THAT(stopped.err, Catch::Contains("--resume"));
    REQUIRE(studio.train(with({"-o", halved, "--threads", "2", "--resume"}, steps)).status == 0);
    CHECK(same_weights(Model::load(whole), Model::load(halved)));
    CHECK_FALSE(fs::exists(halved + ".checkpoint"));
}

TEST_CASE("a training stopped while it chooses its start begins with the choice again", "[command][train]") {
    const Studio studio;
    const std::string whole = studio.name("whole.safetensors"), stopped = studio.name("stopped.safetensors");
    const std::vector<std::string> steps = {"--no-report", "--schedule",
                                            R"({"steps": 2400, "lanes": 16, "segment": 48, "late_segment": 48, "starts": 12})"};
    const CommandResult all = studio.train(with({"-o", whole}, steps));
    REQUIRE(all.status == 0);
    CHECK_THAT(all.err, Catch::Contains("the closest of 12 after 120 updates"));
    const CommandResult first = studio.train(with({"-o", stopped}, steps), {.interrupt_after_s = 0.5});
    REQUIRE(first.status == 0);
    if (first.err.find("the closest of") != std::string::npos) WARN("the choice was made before the interrupt came");
    else CHECK_FALSE(fs::exists(stopped));  // what nothing was learned in is no model
    REQUIRE(fs::exists(stopped + ".checkpoint"));
    REQUIRE(studio.train(with({"-o", stopped, "--resume"}, steps)).status == 0);
    CHECK(same_weights(Model::load(whole), Model::load(stopped)));
}

TEST_CASE("train refuses recordings by name and leaves nothing behind", "[command][train]") {
    const Studio studio;
    const std::string model = studio.name("m.safetensors");
    const auto refused = [&](const std::string& dry, const std::string& wet, const std::string& named,
                             const std::vector<std::string>& more = {}) {
        check_refused(run_command(with({"train", studio.name(dry), studio.name(wet), "-o", model}, more)), named, studio);
    };
    std::vector<float> samples = device(studio.dry);
    write_mono(studio / "short.wav", {samples.begin(), samples.begin() + rate_hz});
    write_mono(studio / "other_rate.wav", samples, 44100);
    write_mono(studio / "silent.wav", std::vector<float>(samples.size(), 0.0f));
    std::vector<float> damaged = samples;
    damaged[1000] = std::numeric_limits<float>::quiet_NaN();
    write_mono(studio / "nan.wav", damaged);
    std::ofstream(studio / "empty.wav");
    std::ofstream(studio / "text.wav") << "this is no sound";
    AudioBuffer stereo;
    stereo.sample_rate = rate_hz;
    stereo.channels = {samples, studio.dry};  // two signals: no one answer to a mono dry
    write_audio(studio / "stereo.wav", stereo, Subtype::float32);
    for (const char* wet : {"short.wav", "other_rate.wav", "silent.wav", "nan.wav", "empty.wav", "text.wav", "stereo.wav",
                            "missing.wav"})
        refused("dry.wav", wet, wet);
    refused("dry.wav", ".", studio.path().string());
    refused("missing.wav", "wet.wav", "missing.wav");
    refused("dry.wav", "wet.wav", "m.safetensors.checkpoint", {"--resume"});
    refused("dry.wav", "wet.wav", "0.01 to 60", {"--memory", "1000"});
    refused("dry.wav", "wet.wav", "no_such_setting", {"--schedule", R"({"no_such_setting": 1})"});
    refused("dry.wav", "wet.wav", "--takes", {"--takes", studio.name("takes.json")});
    std::ofstream(studio / "bad.json") << "{\"takes\": 7}";
    check_refused(run_command({"train", "--takes", studio.name("bad.json"), "-o", model}), "bad.json", studio);
    check_refused(studio.train({"-o", studio.name("no/such/folder/m.safetensors")}), "no/such/folder", studio);
}

TEST_CASE("evaluate tells a knob that was moved and a delay that was left on", "[command][evaluate]") {
    const TemporaryFolder folder;
    std::mt19937 random(5);
    std::uniform_real_distribution<float> noise(-1.0f, 1.0f);
    std::vector<float> dry(std::size_t(32 * rate_hz));
    float level = 0, tone = 0;
    for (std::size_t i = 0; i < dry.size(); ++i) {
        if (i % std::size_t(rate_hz / 5) == 0) level = 0.3f * std::pow(10.0f, noise(random) - 1);
        dry[i] = tone += 0.5f * (level * noise(random) - tone);
    }
    write_mono(folder / "dry.wav", dry);
    gain_model({1.0f}, rate_hz).save(folder / "identity.safetensors");
    const auto said = [&](const std::vector<float>& wet) {
        write_mono(folder / "wet.wav", wet);
        return run_command({"evaluate", (folder / "identity.safetensors").string(), (folder / "dry.wav").string(),
                            (folder / "wet.wav").string()}).err;
    };
    CHECK_THAT(said(dry), !Catch::Contains("than before") && !Catch::Contains("repeats") && !Catch::Contains("reverberates"));
    std::vector<float> moved = dry, repeated = dry;
    for (std::size_t i = std::size_t(15 * rate_hz); i < moved.size(); ++i) moved[i] *= 0.5f;
    CHECK_THAT(said(moved), Catch::Contains("warning: from 15.0 s on") && Catch::Contains("wet.wav is 6.0 dB softer than before"));
    for (std::size_t i = std::size_t(rate_hz / 4); i < repeated.size(); ++i) repeated[i] += 0.3f * dry[i - std::size_t(rate_hz / 4)];
    CHECK_THAT(said(repeated), Catch::Contains("wet.wav repeats itself after 0.250 s"));
}

TEST_CASE("evaluate scores every sample, and refuses what does not match", "[command][evaluate]") {
    const TemporaryFolder folder;
    const auto name = [&](const char* file) { return (folder / file).string(); };
    std::vector<float> dry(rate_hz);
    for (std::size_t i = 0; i < dry.size(); ++i) dry[i] = 0.5f * std::sin(0.3f * float(i));
    std::vector<float> wet = dry;
    wet[0] += 0.25f;  // the first sample counts as any other
    write_mono(folder / "dry.wav", dry);
    write_mono(folder / "wet.wav", wet);
    write_mono(folder / "short.wav", {dry.begin(), dry.end() - 1});
    gain_model({1.0f}, rate_hz).save(folder / "identity.safetensors");
    const CommandResult scored = run_command({"evaluate", name("identity.safetensors"), name("dry.wav"), name("wet.wav"), "--json"});
    REQUIRE(scored.status == 0);
    double power = 1e-8;
    for (const float y : wet) power += double(y) * double(y);
    CHECK(nlohmann::json::parse(scored.out)["esr"].get<double>() == Approx(0.0625 / power).epsilon(1e-4));

    // A take some samples shorter or longer counts as far as both go, and is told; half of one is an error.
    const CommandResult shorter = run_command({"evaluate", name("identity.safetensors"), name("dry.wav"), name("short.wav"), "--json"});
    CHECK(shorter.status == 0);
    CHECK_THAT(shorter.err, Catch::Contains("short.wav") && Catch::Contains("1 samples"));
    const CommandResult longer = run_command({"evaluate", name("identity.safetensors"), name("short.wav"), name("wet.wav"), "--json"});
    CHECK(longer.status == 0);
    CHECK_THAT(longer.err, Catch::Contains("wet.wav") && Catch::Contains("longer"));
    write_mono(folder / "half.wav", {dry.begin(), dry.begin() + 3999});
    const CommandResult half = run_command({"evaluate", name("identity.safetensors"), name("dry.wav"), name("half.wav")});
    CHECK(half.status == 1);
    CHECK_THAT(half.err, Catch::StartsWith("serpent: ") && Catch::Contains("half.wav") && Catch::Contains("3999"));
    for (float& v : wet) v = -v;
    write_mono(folder / "inverted.wav", wet);
    CHECK_THAT(run_command({"evaluate", name("identity.safetensors"), name("dry.wav"), name("inverted.wav")}).err,
               Catch::Contains("inverted.wav is inverted in polarity"));
    const CommandResult unknown = run_command({"evaluate", name("identity.safetensors"), name("dry.wav"), name("wet.wav"),
                                               "--control", "Drive=1"});
    CHECK(unknown.status == 1);
    CHECK_THAT(unknown.err, Catch::Contains("Drive"));
}

TEST_CASE("bench answers programs with the figures of a block of 64 at the top", "[command][bench]") {
    const TemporaryFolder folder;
    gain_model({1.0f}).save(folder / "m.safetensors");
    const CommandResult result = run_command({"bench", (folder / "m.safetensors").string(), "--json", "--seconds", "0.2"});
    REQUIRE(result.status == 0);
    const nlohmann::json json = nlohmann::json::parse(result.out);
    CHECK(json.at("block") == 64);
    CHECK(json.at("ns_per_sample").get<double>() > 0);
    CHECK_FALSE(json.at("isa").get<std::string>().empty());
    CHECK(json.contains("results"));
}
