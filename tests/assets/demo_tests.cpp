// SPDX-License-Identifier: GPL-3.0-or-later
// The demo recording is what the project's own tool makes, and the device to try captures with behaves like one.
#include "device.h"
#include "music.h"

#include "serpent/audio_file.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

namespace {

double rms(const std::vector<float>& x) {
    double sum = 0.0;
    for (const float v : x) sum += static_cast<double>(v) * v;
    return std::sqrt(sum / static_cast<double>(x.size()));
}

} // namespace

TEST_CASE("the shipped recording is what make_demo writes", "[assets]") {
    const serpent::AudioBuffer shipped = serpent::read_audio(SERPENT_ASSETS "/demo/dry_demo.flac");
    const std::vector<float> made = demo::phrase();
    REQUIRE(shipped.sample_rate == demo::sample_rate_hz);
    REQUIRE(shipped.channels.size() == 1);
    REQUIRE(shipped.frames() == made.size());
    double worst = 0.0;
    for (std::size_t n = 0; n < made.size(); ++n) {
        const double difference = std::abs(static_cast<double>(made[n]) - shipped.channels[0][n]);
        if (!(difference <= worst)) worst = difference;
    }
    // Half a step of 16 bits from rounding, and as much again for a C library whose sines differ in the last bit.
    CHECK(worst <= 1.0 / 32768.0);
    CHECK(rms(made) > 0.02);
}

TEST_CASE("practice is long enough, deterministic, and another one for every seed", "[assets]") {
    const std::vector<float> a = demo::practice(3.0, 1), again = demo::practice(3.0, 1), b = demo::practice(3.0, 2);
    REQUIRE(a.size() == 3 * demo::sample_rate_hz);
    CHECK(a == again);
    CHECK(a != b);
    CHECK(rms(a) > 0.005);
}

TEST_CASE("the overdrive is silent for silence, causal, and compresses", "[assets]") {
    const auto answer = [](float level, std::size_t from) {
        std::vector<float> dry(demo::sample_rate_hz / 4, 0.0f);
        for (std::size_t n = from; n < dry.size(); ++n) dry[n] = level * std::sin(0.04f * static_cast<float>(n - from));
        return demo::overdrive(dry);
    };
    const std::vector<float> silence = answer(0.0f, 0);
    CHECK(std::all_of(silence.begin(), silence.end(), [](float v) { return v == 0.0f; }));

    const std::vector<float> late = answer(0.5f, 1000);
    CHECK(std::all_of(late.begin(), late.begin() + 1000, [](float v) { return v == 0.0f; }));
    CHECK(std::any_of(late.begin() + 1000, late.begin() + 1010, [](float v) { return std::abs(v) > 1e-3f; }));

    const double quiet = rms(answer(0.001f, 0)), loud = rms(answer(0.5f, 0));
    CHECK(loud > 10.0 * quiet);
    CHECK(loud < 250.0 * quiet);  // a linear device: 500 times
}
