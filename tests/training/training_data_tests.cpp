// SPDX-License-Identifier: GPL-3.0-or-later
// From files to a training set: latency, the validation part, and what is refused with which words.
#include "serpent/audio_file.h"
#include "serpent/capture.h"
#include "serpent/errors.h"
#include "serpent/training_data.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace serpent;
namespace fs = std::filesystem;

namespace {

struct Folder {
    fs::path path = fs::temp_directory_path() / ("serpent_training_data_" + std::to_string(std::random_device()()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    fs::path write(const char* name, std::vector<float> samples, int rate = 48000) const {
        write_audio(path / name, {rate, {std::move(samples)}}, Subtype::float32);
        return path / name;
    }
};

/// Bursts of noise between silences.
std::vector<float> bursts(std::size_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> noise(0.0f, 0.1f);
    std::vector<float> v(n);
    for (std::size_t i = 0; i < n; ++i) v[i] = i % 12000 < 6000 ? noise(rng) : 0.0f;
    return v;
}

std::vector<float> device(const std::vector<float>& dry, std::size_t delay) {
    std::vector<float> wet(dry.size());
    for (std::size_t i = delay; i < dry.size(); ++i) wet[i] = std::tanh(3 * dry[i - delay]);
    return wet;
}

std::string refusal(const fs::path& dry, const fs::path& wet) {
    try {
        load_pair(dry, wet, {});
    } catch (const Error& e) {
        return e.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("what a gear rings ahead stays in all of its takes, and in the pair that validates") {
    const Folder folder;
    const auto gear = [](const std::vector<float>& dry, std::size_t delay) {  // behind it, a filter of linear phase, 30 samples long
        const std::vector<float> bent = device(dry, delay);
        std::vector<float> wet(dry.size());
        for (std::size_t i = 60; i < wet.size(); ++i)
            for (int k = 0; k <= 60; ++k) {
                const double at = 0.7 * 3.14159265358979 * (k - 30), window = 0.54 + 0.46 * std::cos(3.14159265358979 * (k - 30) / 30);
                wet[i] += float(0.7 * window * (k == 30 ? 1 : std::sin(at) / at)) * bent[i - std::size_t(k)];
            }
        return wet;
    };
    const std::vector<float> dry = bursts(48000 * 6, 1);
    std::vector<float> noisy = bursts(48000 * 6, 2);  // nowhere silent: what rings ahead is not seen in it
    std::mt19937 rng(5);
    for (float& x : noisy) x += 1e-4f * std::normal_distribution<float>()(rng);
    TrainingDataOptions options;
    options.own_latency_samples = 128;
    const fs::path a = folder.write("a.wav", dry), b = folder.write("b.wav", noisy);
    const fs::path wet_a = folder.write("wa.wav", gear(dry, 200)), wet_b = folder.write("wb.wav", gear(noisy, 200));
    const TrainingData pair = load_pair(a, wet_a, std::pair(b, wet_b), options);
    CAPTURE(pair.notes);
    const int own = pair.set->delay_samples;
    CHECK(own >= 10);
    CHECK(own <= 32);
    // Nothing but the delay differs between the two: what was removed, all at once, is in the lengths.
    CHECK(pair.set->train.at(0).wet[0].size() == pair.set->valid.at(0).wet[0].size());
    CHECK(dry.size() - pair.set->train.at(0).wet[0].size() == static_cast<std::size_t>(pair.latency_samples));
    options.own_latency_samples = 0;  // a model without a filter at its output
    CHECK(load_pair(a, wet_a, {}, options).set->delay_samples == 0);
    TakesFile takes;
    takes.controls = {{"Drive", 0, 1, 0.5f, ""}};
    takes.takes = {{a, wet_a, {0.2f}}, {b, wet_b, {0.8f}}};
    options.own_latency_samples = 128;
    const TrainingData both = load_takes(takes, options);
    REQUIRE(both.set->train.size() == 2);
    CHECK(both.set->train[0].wet[0].size() == both.set->train[1].wet[0].size());
}

TEST_CASE("a pair is aligned and split") {
    const Folder folder;
    const std::vector<float> dry = bursts(48000 * 6, 1);
    for (const std::size_t delay : {0u, 1u, 480u}) {
        const TrainingData data = load_pair(folder.write("dry.wav", dry), folder.write("wet.wav", device(dry, delay)), {});
        CAPTURE(delay, data.notes);
        REQUIRE(data.latency_samples == static_cast<int>(delay));
        const TrainingTake& train = data.set->train.at(0);
        const TrainingTake& valid = data.set->valid.at(0);
        CHECK(train.dry[0].size() + valid.dry[0].size() == dry.size() - delay);
        CHECK(std::abs(double(valid.dry[0].size()) - 0.1 * double(dry.size())) < double(delay) + 2);
        for (const TrainingTake* take : {&train, &valid})
            for (std::size_t i = 0; i < take->dry[0].size(); ++i)
                REQUIRE(take->wet[0][i] == std::tanh(3 * take->dry[0][i]));
    }
}

TEST_CASE("the latency may be told") {
    const Folder folder;
    const std::vector<float> dry = bursts(48000 * 3, 1);
    const fs::path d = folder.write("dry.wav", dry), w = folder.write("wet.wav", device(dry, 7));
    CHECK(load_pair(d, w, {}, {.latency_samples = 5}).latency_samples == 5);
    CHECK(load_pair(d, w, {}, {.latency_samples = -5}).set->train[0].dry[0][0] == dry[5]);
    CHECK_THROWS_AS(load_pair(d, w, {}, {.latency_samples = 48000 * 9}), Error);
}

TEST_CASE("recordings that cannot be trained on are refused by name") {
    const Folder folder;
    const std::vector<float> dry = bursts(48000 * 4, 1);
    const std::vector<float> wet = device(dry, 0);
    const fs::path d = folder.write("dry.wav", dry), w = folder.write("wet.wav", wet);
    CHECK(refusal(d, w) == "accepted");
    const auto names = [](const std::string& text, const char* a, const char* b) {
        CAPTURE(text);
        CHECK(text.find(a) != std::string::npos);
        CHECK(text.find(b) != std::string::npos);
    };
    names(refusal(d, folder.write("slow.wav", device(dry, 0), 44100)), "slow.wav", "Hz");
    names(refusal(d, folder.write("short.wav", {wet.begin(), wet.begin() + 48000})), "short.wav", "less than half");
    names(refusal(d, folder.write("silent.wav", std::vector<float>(dry.size()))), "silent.wav", "silent");
    names(refusal(d, folder.write("noise.wav", bursts(dry.size(), 99))), "noise.wav", "answer");
    names(refusal(d, folder.path / "none.wav"), "none.wav", "");
    names(refusal(folder.write("tiny.wav", {0.5f, 0.2f}), w), "tiny.wav", "shorter");
}

TEST_CASE("clipping and a longer wet are told") {
    const Folder folder;
    const std::vector<float> dry = bursts(48000 * 4, 1);
    std::vector<float> wet = device(dry, 0);
    for (float& v : wet) v = std::clamp(8 * v, -1.0f, 1.0f);
    wet.resize(wet.size() + 100);
    std::string all;
    for (const std::string& note : load_pair(folder.write("dry.wav", dry), folder.write("wet.wav", wet), {}).notes) all += note + "\n";
    CHECK(all.find("clipped") != std::string::npos);
    CHECK(all.find("100 samples longer") != std::string::npos);
}

TEST_CASE("the capture signal's own part validates, and tells how far the gear agrees with itself") {
    const Folder folder;
    const std::vector<float> dry = capture_signal(8000, 24);
    const TrainingData data = load_pair(folder.write("dry.wav", dry, 8000), folder.write("wet.wav", device(dry, 3), 8000), {});
    CAPTURE(data.notes);
    CHECK(data.latency_samples == 3);
    const CaptureLayout layout = capture_layout(8000, dry.size());
    CHECK(data.set->valid.at(0).dry[0].size() == layout.validation.size());
    REQUIRE(data.self_esr.has_value());
    CHECK(*data.self_esr < 1e-6);  // the simulated device has no noise of its own
}
