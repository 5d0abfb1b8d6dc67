// SPDX-License-Identifier: GPL-3.0-or-later
// What `serpent train` and `train-generator` may replace, what they try before the first update, and what survives.
#include "audio/file_bytes.h"
#include "audio/temporary_folder.h"
#include "command/run_command.h"

#include "serpent/audio_file.h"
#include "serpent/generator_model.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

using namespace serpent;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

Words joined(Words a, const Words& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// Short recordings, a command that trains on them for a moment, and one that would take long.
struct Case : TemporaryFolder {
    Words command;
    std::string short_run, long_run;

    Words train(const Words& more = {}) const { return joined(joined(command, {"--schedule", short_run}), more); }
    Words train_long(const Words& more = {}) const { return joined(joined(command, {"--schedule", long_run}), more); }
    std::string name(const std::string& file) const { return (*this / file).string(); }

    /// The end of stderr is one error that names all of these, and nothing was written.
    void check_refused(const Words& words, const Words& named, const CommandLimits& limits = {}) const {
        const std::size_t before = count();
        const CommandResult result = run_command(words, limits);
        CAPTURE(words, result.err, result.out);
        CHECK(result.status == 1);
        for (const std::string& text : named) CHECK_THAT(result.err, Catch::Contains(text));
        CHECK(result.err.starts_with("serpent: "));  // before anything was read
        CHECK(count() == before);
    }
};

struct Effect : Case {
    Effect() {
        AudioBuffer dry{8000, {std::vector<float>(40000)}}, wet = dry;
        for (std::size_t i = 0; i < dry.frames(); ++i) {
            const float t = float(i);
            dry.channels[0][i] = 0.4f * std::sin(0.05f * t) * std::sin(0.0007f * t) + 0.2f * std::sin(0.31f * t + 1e-5f * t * t);
            wet.channels[0][i] = std::tanh(2.0f * dry.channels[0][i]);
        }
        write_audio(*this / "dry.wav", dry, Subtype::float32);
        write_audio(*this / "wet.wav", wet, Subtype::float32);
        command = {"train", name("dry.wav"), name("wet.wav"), "--preset", "nano", "--latency", "0"};
        short_run = R"({"steps": 200, "validate_every": 50, "segment": 64})";
        long_run = R"({"steps": 1000000, "starts": 1, "validate_every": 1000000, "rate": 1e-9, "patience": 1})";
    }
};

struct Sounds : Case {
    Sounds() {
        fs::create_directory(*this / "sounds");
        for (int i = 0; i < 4; ++i) {
            std::vector<float> audio(1200);
            for (std::size_t t = 0; t < audio.size(); ++t) audio[t] = 0.2f * std::sin(0.1f * float(t) * float(1 + i % 2));
            write_audio(*this / ("sounds/" + std::to_string(i) + ".wav"), {8000, {audio}, Subtype::pcm16}, Subtype::pcm16);
        }
        command = {"train-generator", name("sounds"), "--preset", "small"};
        short_run = R"({"steps": 8, "validate_every": 4, "lanes": 16, "segment": 64})";
        long_run = R"({"steps": 1000000, "validate_every": 1000000, "lanes": 16, "segment": 64, "rate": 1e-9})";
    }
};

} // namespace

TEMPLATE_TEST_CASE("training replaces nothing unasked", "[command][train]", Effect, Sounds) {
    const TestType test;
    const Words output{"-o", test.name("m.safetensors"), "--no-report"};
    const fs::path model = test / "m.safetensors", checkpoint = test / "m.safetensors.checkpoint",
                   unfinished = test / "m.unfinished.safetensors";
    REQUIRE(run_command(test.train(output)).status == 0);
    const std::string finished = read_bytes(model);
    test.check_refused(test.train(output), {"m.safetensors", "--force", "--resume"});
    test.check_refused(test.train(joined(output, {"--resume"})), {"m.safetensors.checkpoint", "--force"});
    CHECK(run_command(test.train(joined(output, {"--resume", "--force"}))).status == 1);
    CHECK(read_bytes(model) == finished);

    // A worse one that is stopped lies beside it, and can go on.
    const CommandResult stopped = run_command(test.train_long(joined(output, {"--force"})), {.interrupt_after_s = 1.5});
    CAPTURE(stopped.err);
    REQUIRE(stopped.status == 0);
    CHECK_THAT(stopped.err, Catch::Contains("m.unfinished.safetensors") && Catch::Contains("--resume"));
    CHECK(read_bytes(model) == finished);
    CHECK(fs::exists(unfinished));
    CHECK(fs::exists(checkpoint));
    test.check_refused(test.train(output), {"m.safetensors.checkpoint", "--force", "--resume"});
    REQUIRE(run_command(test.train(joined(output, {"--resume"})), {.interrupt_after_s = 1.0}).status == 0);
    CHECK(read_bytes(model) == finished);

    // Without the model the checkpoint alone is worth asking for; what was stopped takes a place that is free.
    fs::remove(model);
    test.check_refused(test.train(output), {"m.safetensors.checkpoint", "--force", "--resume"});
    REQUIRE(run_command(test.train(joined(output, {"--resume"})), {.interrupt_after_s = 1.0}).status == 0);
    CHECK(fs::exists(model));
    CHECK(read_bytes(model) != finished);

    // To its end it replaces what it was asked to, and leaves no checkpoint.
    REQUIRE(run_command(test.train(joined(output, {"--force"}))).status == 0);
    CHECK_FALSE(fs::exists(checkpoint));
    CHECK(std::ofstream(test / "m.safetensors", std::ios::trunc).good());  // as mktemp makes them: nothing to lose
    CHECK(run_command(test.train(output)).status == 0);
}

TEMPLATE_TEST_CASE("what would fail at the end of a training fails before it", "[command][train]", Effect, Sounds) {
    const TestType test;
    fs::create_directory(test / "folder");
    std::ofstream(test / "text") << "text";
    const std::string model = test.name("m.safetensors");
    const auto refused = [&](const Words& more, const std::string& named) { test.check_refused(test.train_long(more), {named}); };
    refused({"-o", test.name("folder")}, "folder");
    refused({"-o", test.name("folder/")}, "folder/");
    refused({"-o", ""}, "empty");
    refused({"-o", test.name("no/such/m.safetensors")}, "no/such/m.safetensors");
    refused({"-o", test.name("text/m.safetensors")}, "text/m.safetensors");
    refused({"-o", test.name(std::string(250, 'm'))}, ".checkpoint");  // whose name is longer yet
    refused({"-o", model, "--report", test.name("folder")}, "folder");
    refused({"-o", model, "--report", test.name("no/such.html")}, "no/such.html");
    refused({"-o", model, "--report", model}, "--report");
    refused({"-o", test.name("m.html")}, "--report");
    fs::create_directory(test / "m.html");
    refused({"-o", model}, "m.html");
    fs::create_directory(test / "m.safetensors.checkpoint");
    refused({"-o", model, "--no-report"}, "m.safetensors.checkpoint");
    fs::remove(test / "m.html");
    fs::remove(test / "m.safetensors.checkpoint");
    if (::geteuid() != 0) return;
    fs::permissions(test.path(), fs::perms(0755));
    test.check_refused(test.train_long({"-o", model}), {"m.safetensors"}, {.unprivileged = true});
    fs::permissions(test / "folder", fs::perms(0777));
    test.check_refused(test.train_long({"-o", test.name("folder/m.safetensors"), "--report", test.name("r.html")}), {"r.html"},
                       {.unprivileged = true});
}

TEST_CASE("a training overwrites none of its own recordings", "[command][train]") {
    const Effect effect;
    const std::string wet = read_bytes(effect / "wet.wav");
    effect.check_refused(effect.train_long({"-o", effect.name("wet.wav"), "--force"}), {"wet.wav"});
    effect.check_refused(effect.train_long({"-o", effect.name("m.safetensors"), "--report", effect.name("wet.wav")}), {"wet.wav"});
    std::ofstream(effect / "takes.json") << R"({"takes": [{"dry": "dry.wav", "wet": "wet.wav"}]})";
    effect.check_refused({"train", "--takes", effect.name("takes.json"), "-o", effect.name("m.safetensors"), "--report",
                          effect.name("./wet.wav")}, {"wet.wav"});
    CHECK(read_bytes(effect / "wet.wav") == wet);
    const Sounds sounds;
    const CommandResult result = run_command(sounds.train_long({"-o", sounds.name("sounds/2.wav"), "--force", "--no-report"}));
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Catch::Contains("2.wav"));
    CHECK(read_audio(sounds / "sounds/2.wav").frames() == 1200);
}

TEMPLATE_TEST_CASE("names and texts of any bytes come through a training", "[command][train]", Effect, Sounds) {
    const TestType test;
    const std::string model = test.name("amp_\xe9_\xff.safetensors");
    const CommandResult trained = run_command(test.train({"-o", model, "--author", "Jos\xe9", "--description", "\xf0\x28\x8c\x28"}));
    CAPTURE(trained.err);
    REQUIRE(trained.status == 0);
    CHECK(fs::file_size(test / "amp_\xe9_\xff.html") > 10000);
    const nlohmann::json card = nlohmann::json::parse(run_command({"info", model, "--json"}).out);
    CHECK(card.at("author") == "José");
    CHECK(card.at("name") == "amp_é_ÿ");
    CHECK_THAT(card.at("training").at("command").get<std::string>(), Catch::Contains("José"));
}

TEST_CASE("speakers named by file names that are not UTF-8 stay apart", "[command][train]") {
    const Sounds sounds;
    const fs::path folder = sounds / "sounds";
    fs::rename(folder / "0.wav", folder / "J\xf6rg_0.wav");
    fs::rename(folder / "1.wav", folder / "J\xe4rg_1.wav");
    fs::rename(folder / "2.wav", folder / "J\xf6rg_2.wav");
    fs::rename(folder / "3.wav", folder / "J\xe4rg_3.wav");
    const std::string model = sounds.name("m.safetensors");
    const CommandResult trained = run_command(sounds.train({"-o", model, "--names", "{speaker}_*"}));
    CAPTURE(trained.err);
    REQUIRE(trained.status == 0);
    CHECK(GeneratorModel::load(model).config.conditions == std::vector<Condition>{{"speaker", {"Järg", "Jörg"}}});
    for (const char* speaker : {"speaker=J\xf6rg", "speaker=Jörg"})
        CHECK(run_command({"generate", model, "-o", sounds.name("a.wav"), "--seconds", "0.1", "--condition", speaker}).status == 0);
}

TEST_CASE("evaluate --json and --report take recordings whose names are any bytes", "[command][evaluate]") {
    const Effect effect;
    REQUIRE(run_command(effect.train({"-o", effect.name("m.safetensors"), "--no-report"})).status == 0);
    fs::rename(effect / "wet.wav", effect / "w\xe9t.wav");
    const Words words{"evaluate", effect.name("m.safetensors"), effect.name("dry.wav"), effect.name("w\xe9t.wav"), "--json", "--report"};
    const CommandResult scored = run_command(joined(words, {effect.name("r.html")}));
    CAPTURE(scored.err);
    REQUIRE(scored.status == 0);
    CHECK(nlohmann::json::parse(scored.out).at("esr").is_number());
    CHECK_THAT(read_bytes(effect / "r.html"), Catch::Contains("wét.wav"));

    const CommandResult refused = run_command(joined(words, {effect.name("no/r.html")}));
    CHECK(refused.status == 1);
    CHECK_THAT(refused.err, Catch::StartsWith("serpent: cannot write") && Catch::Contains("no/r.html"));
    CHECK(run_command(joined(words, {effect.name("dry.wav")})).status == 1);
    CHECK(read_audio(effect / "dry.wav").frames() == 40000);
}

TEST_CASE("generate tries all its files before the first sample", "[command][generate]") {
    const TemporaryFolder folder;
    const std::string voice = SERPENT_ASSETS "/generators/voice.safetensors";
    fs::create_directory(folder / "a-3.wav");
    const CommandResult refused = run_command({"generate", voice, "-o", (folder / "a.wav").string(), "--count", "3"});
    CHECK(refused.status == 1);
    CHECK_THAT(refused.err, Catch::StartsWith("serpent: cannot write") && Catch::Contains("a-3.wav"));
    CHECK(folder.count() == 1);
}
