// SPDX-License-Identifier: GPL-3.0-or-later
// Which gear rides its gain, and how long it remembers.
#include "training/gain_memory.h"
#include "training/made_takes.h"

#include <catch2/catch.hpp>

using namespace serpent;

namespace {

GainMemory memory_of(const std::vector<float>& dry, std::vector<float> wet, int delay_samples = 0) {
    TrainingSet set;
    set.delay_samples = delay_samples;
    set.train.push_back({{dry}, {std::move(wet)}, {}});
    return gain_memory(set);
}

/// Threshold -30 dB, ratio 4, 5 ms attack.
std::vector<float> release_over(const std::vector<float>& dry, double release_s) {
    std::vector<float> wet(dry.size());
    double level_db = -90;
    for (std::size_t i = 0; i < dry.size(); ++i) {
        const double now = 20 * std::log10(std::abs(double(dry[i])) + 1e-5);
        level_db += (now - level_db) / (made_rate * (now > level_db ? 0.005 : release_s));
        wet[i] = dry[i] * float(std::pow(10.0, -0.75 * std::max(0.0, level_db + 30) / 20));
    }
    return wet;
}

} // namespace

TEST_CASE("gain memory: a distortion rides nothing, however it compresses", "[training]") {
    const auto dry = playing(40, 3);
    for (const double gain : {0.5, 8.0, 60.0}) CHECK(memory_of(dry, drive(dry, gain)).seconds == 0);
    CHECK(memory_of(dry, dry).seconds == 0);
}

TEST_CASE("gain memory: a compressor's release is found, whatever the delay", "[training]") {
    const auto dry = playing(60, 4);
    const GainMemory slow = memory_of(dry, release_over(dry, 1.5));
    CAPTURE(slow.static_error_db, slow.with_past_db, slow.seconds);
    CHECK(slow.seconds >= 0.5);
    CHECK(slow.with_past_db < 0.5 * slow.static_error_db);
    auto late = release_over(dry, 1.5);
    late.insert(late.begin(), 90, 0.0f);
    late.resize(dry.size());
    CHECK(memory_of(dry, late, 90).seconds == slow.seconds);
}

TEST_CASE("gain memory: too little to tell is told as nothing", "[training]") {
    const auto dry = playing(2, 5);
    CHECK(memory_of(dry, compress(dry)).seconds == 0);
    CHECK(memory_of(std::vector<float>(480000), std::vector<float>(480000)).seconds == 0);
}
