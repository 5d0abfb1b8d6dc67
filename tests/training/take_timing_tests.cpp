// SPDX-License-Identifier: GPL-3.0-or-later
// Recordings whose clocks drift or that lack samples are told, with what, where and how much, and repaired.
#include "audio/temporary_folder.h"
#include "training/made_takes.h"

#include "serpent/errors.h"
#include "serpent/metrics.h"
#include "serpent/take_timing.h"
#include "serpent/training_data.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>

using namespace serpent;

namespace {

constexpr int rate = made_rate;
using Signal = std::vector<float>;

Signal drifting(const Signal& wet, double ppm) {
    AudioBuffer buffer{rate, {wet}};
    remove_drift(buffer, -1e6 * (ppm * 1e-6) / (1 + ppm * 1e-6));
    return buffer.channels[0];
}

Signal without(Signal wet, double at_s, std::size_t n) {
    const auto at = wet.begin() + std::ptrdiff_t(at_s * rate);
    wet.erase(at, at + std::ptrdiff_t(n));
    return wet;
}

Signal with(Signal wet, double at_s, std::size_t n) {
    const auto at = wet.begin() + std::ptrdiff_t(at_s * rate);
    wet.insert(at, n, *at);
    return wet;
}

} // namespace

TEST_CASE("Recordings that keep time are not suspected", "[timing]") {
    const Signal dry = playing(10, 1);
    Signal noisy = drive(dry), gated = compress(dry);
    std::mt19937 rng(2);
    std::normal_distribution<float> hiss(0.0f, 1e-3f);
    for (float& v : noisy) v += hiss(rng);
    for (float& v : gated) v = std::abs(v) < 0.003f ? 0.0f : v;  // digital silence in every pause
    noisy.insert(noisy.begin(), 300, 0.0f);
    for (const auto& [wet, latency] : {std::pair{drive(dry), 0}, {compress(dry), 0}, {noisy, 300}, {noisy, 280}, {gated, 0}}) {
        const TakeTiming t = track_timing(dry, wet, latency, rate);
        CAPTURE(t.drift_ppm, t.wander_samples, t.slips.size(), t.holes.size());
        CHECK(t.measured);
        CHECK(t.keeps_time());
        CHECK_FALSE(!(t.wander_samples < 3));
    }
}

TEST_CASE("Drift is measured in ppm and evened out", "[timing]") {
    const Signal dry = playing(14, 3);
    for (const auto& [wet, list] : {std::pair{drive(dry), std::vector{3.0, 50.0}}, {compress(dry), {-10.0}}})
        for (const double ppm : list) {
            AudioBuffer late{rate, {drifting(wet, ppm)}};
            const TakeTiming t = track_timing(dry, late.channels[0], 0, rate);
            CAPTURE(ppm, t.drift_ppm, t.wander_samples);
            CHECK(t.slips.empty());
            CHECK_FALSE(!(std::abs(t.drift_ppm - ppm) < 0.5));
            remove_drift(late, t.drift_ppm);
            const std::size_t n = std::min(wet.size(), late.frames()) - 100;
            CHECK_FALSE(!(esr(std::span(wet).first(n), std::span(late.channels[0]).first(n)) < 1e-3));
        }
}

TEST_CASE("Dropouts are found with their place and size, and cut out", "[timing]") {
    const Signal dry = playing(16, 5);
    for (const Signal& whole : {drive(dry), compress(dry)}) {
        const Signal wet = with(without(without(whole, 4, 64), 8, 8), 12, 5);
        const TakeTiming t = track_timing(dry, wet, 0, rate);
        REQUIRE(t.slips.size() == 3);
        CHECK(t.drift_ppm == 0);
        const struct { double at_s; std::ptrdiff_t samples; } expected[] =
            {{4, -64}, {8 + 64.0 / rate, -8}, {12 + 72.0 / rate, 5}};
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(t.slips[i].samples == expected[i].samples);
            CHECK(std::abs(double(t.slips[i].at_sample) / rate - expected[i].at_s) < 0.2);
        }
        // Every stretch is shifted by what was lost before it, from where the longest one lies.
        const auto stretches = sound_stretches(t, dry.size(), rate);
        REQUIRE(stretches.size() == 4);
        const std::ptrdiff_t lost[] = {0, -64, -72, -67}, reference = lost[&longest(stretches) - stretches.data()];
        for (std::size_t i = 0; i < 4; ++i) CHECK(stretches[i].shift_samples == lost[i] - reference);
    }
}

TEST_CASE("A sample that comes back within seconds is the gear's, others are dropouts", "[timing]") {
    const Signal dry = playing(20, 9), wet = drive(dry);
    CHECK(track_timing(dry, without(with(wet, 8, 2), 10.5, 2), 0, rate).keeps_time());  // a pedal at 44.1 kHz did so in a sweep
    CHECK(track_timing(dry, without(with(wet, 5, 1), 14, 1), 0, rate).slips.size() == 2);
    CHECK(track_timing(dry, without(with(wet, 8, 8), 10, 8), 0, rate).slips.size() == 2);
    CHECK(track_timing(dry, with(with(wet, 8, 1), 10, 1), 0, rate).slips.size() == 2);
}

TEST_CASE("A hole in the sound is told, a pause is none", "[timing]") {
    const Signal dry = playing(8, 7);
    Signal wet = drive(dry);
    const auto loud = std::max_element(wet.begin() + 5 * rate, wet.begin() + 6 * rate) - wet.begin();
    std::fill_n(wet.begin() + loud, 64, 0.0f);
    const TakeTiming t = track_timing(dry, wet, 0, rate);
    REQUIRE(t.holes.size() == 1);
    CHECK(t.holes[0].samples == 64);
    CHECK(t.holes[0].at_sample == std::size_t(loud));
}

TEST_CASE("train tells what does not keep time before it begins, and repairs it when asked", "[timing]") {
    const TemporaryFolder folder;
    const Signal dry = playing(12, 9), wet = drive(dry);
    write_audio(folder / "dry.wav", {rate, {dry}}, Subtype::float32);
    const auto load = [&](const Signal& recorded, bool repair) {
        write_audio(folder / "wet.wav", {rate, {recorded}}, Subtype::float32);
        return load_pair(folder / "dry.wav", folder / "wet.wav", {}, {.repair = repair});
    };
    const auto said = [](const TrainingData& data) {
        std::string all;
        for (const std::string& note : data.notes) all += note + "\n";
        return all;
    };
    CHECK_THAT(said(load(wet, false)), Catch::Contains("keeps its latency"));
    const Signal cut = without(wet, 6, 64);
    CHECK_THAT(said(load(cut, false)), Catch::Contains("64 samples were lost") && Catch::Contains("--repair"));
    const TrainingData repaired = load(cut, true);
    CHECK_THAT(said(repaired), Catch::Contains("1 dropout"));
    REQUIRE(repaired.set->train.size() == 2);
    REQUIRE(repaired.set->valid.size() == 1);
    for (const auto* list : {&repaired.set->train, &repaired.set->valid})
        for (const TrainingTake& take : *list) {
            REQUIRE(take.dry[0].size() == take.wet[0].size());
            const auto begin = std::search(dry.begin(), dry.end(), take.dry[0].begin(), take.dry[0].end()) - dry.begin();
            REQUIRE(std::size_t(begin) + take.dry[0].size() <= dry.size());
            CHECK(std::equal(take.wet[0].begin(), take.wet[0].end(), wet.begin() + begin));
        }
    const Signal late = drifting(wet, 20);
    try {
        CHECK_THAT(said(load(late, false)), Catch::Contains("20 ppm faster"));
    } catch (const Error& error) {
        CHECK_THAT(error.what(), Catch::Contains("20 ppm faster") && Catch::Contains("--repair"));
    }
    CHECK_THAT(said(load(late, true)), Catch::Contains("evened out"));
}

TEST_CASE("A modulated delay is told as what it is, not as dropouts or drift", "[timing]") {
    const Signal dry = playing(12, 13), driven = drive(dry);
    const struct { double direct, hz; } cases[] = {{0, 0.7}, {0.4, 0.7}, {0, 0.1}, {0.4, 0.1}};  // vibrato and chorus
    for (const auto& [direct, hz] : cases) {
        Signal wet(dry.size());
        for (std::size_t i = 1000; i < dry.size(); ++i) {
            const double delay = 400 + 90 * std::sin(2 * M_PI * hz * double(i) / rate), at = double(i) - delay;
            const auto before = std::size_t(at);
            const double part = at - double(before);
            wet[i] = float(direct * driven[i] + (1 - part) * driven[before] + part * driven[before + 1]);
        }
        const TakeTiming t = track_timing(dry, wet, 400, rate);
        std::string said;
        for (const std::string& note : describe(t, "wet.wav", rate)) said += note + "\n";
        CAPTURE(direct, hz, t.measured, t.wander_samples, said);
        CHECK(t.slips.empty());
        CHECK(t.holes.empty());
        CHECK(t.drift_ppm == 0);
        CHECK_THAT(said, Catch::Contains("wanders") && Catch::Contains("chorus"));
    }
}
