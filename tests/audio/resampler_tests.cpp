// SPDX-License-Identifier: GPL-3.0-or-later
// Alignment and length of rate conversion: to the model's rate and back, every sample stays where it was.
#include "audio/resampler.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

using serpent::audio::Planar;
using serpent::audio::Resampler;

namespace {

/// Fed in blocks of an odd size, so that what crosses a block border shows.
Planar resample(const Planar& in, int in_rate_hz, int out_rate_hz, std::size_t block = 1009) {
    Resampler resampler(in_rate_hz, out_rate_hz, static_cast<int>(in.size()));
    Planar out(in.size());
    for (std::size_t done = 0; done < in.front().size(); done += block) {
        Planar part;
        for (const std::vector<float>& channel : in) {
            const std::size_t end = std::min(channel.size(), done + block);
            part.emplace_back(channel.begin() + static_cast<std::ptrdiff_t>(done),
                              channel.begin() + static_cast<std::ptrdiff_t>(end));
        }
        resampler.process(part, out);
    }
    resampler.finish(out);
    return out;
}

/// A tone under a Hann window: no energy at the borders, and nothing near half the lowest rate in play.
std::vector<float> tone_burst(int rate_hz, double frequency_hz, std::size_t n, double phase = 0.3) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double t = static_cast<double>(i) / rate_hz;
        const double place = static_cast<double>(i) / static_cast<double>(n);
        const double window = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * place);
        x[i] = static_cast<float>(window * std::sin(2 * std::numbers::pi * frequency_hz * t + phase));
    }
    return x;
}

double max_difference(const std::vector<float>& a, const std::vector<float>& b) {
    double worst = 0;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
        if (!(difference <= worst)) worst = difference;
    }
    return worst;
}

constexpr int rates_hz[] = {8000, 11025, 22050, 44100, 88200, 96000, 192000, 47999};
constexpr int model_rate_hz = 48000;

// VHQ keeps 28 bits; two conversions in float add about 1e-7 of rounding. One sample of shift at 1 kHz and 192 kHz, the
// smallest shift that could go unseen, changes the tone by 0.03.
constexpr double round_trip_tolerance = 2e-6;

} // namespace

TEST_CASE("a tone is at the same time after conversion", "[resampler]") {
    for (const int rate_hz : rates_hz) {
        CAPTURE(rate_hz);
        const std::size_t n = static_cast<std::size_t>(rate_hz) / 2 / 2 * 2;
        const std::vector<float> x = tone_burst(rate_hz, 1000.0, n);
        const Planar up = resample({x}, rate_hz, model_rate_hz);
        const double seconds = static_cast<double>(n) / rate_hz;
        double worst = 0;
        for (std::size_t i = 0; i < up[0].size(); ++i) {
            const double t = static_cast<double>(i) / model_rate_hz;
            const double window = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * t / seconds);
            const double expected = window * std::sin(2 * std::numbers::pi * 1000.0 * t + 0.3);
            worst = std::max(worst, std::abs(expected - static_cast<double>(up[0][i])));
        }
        CHECK(worst <= round_trip_tolerance);
    }
}

TEST_CASE("there and back gives every sample its place", "[resampler]") {
    for (const int rate_hz : rates_hz) {
        CAPTURE(rate_hz);
        const std::size_t n = static_cast<std::size_t>(rate_hz) / 2 + 1;
        const Planar x = {tone_burst(rate_hz, 1000.0, n), tone_burst(rate_hz, 400.0, n, 1.0)};
        const Planar y = resample(resample(x, rate_hz, model_rate_hz), model_rate_hz, rate_hz);
        for (std::size_t c = 0; c < x.size(); ++c) {
            REQUIRE(y[c].size() >= n);
            CHECK(max_difference(x[c], y[c]) <= round_trip_tolerance);
        }
    }
}

TEST_CASE("an impulse comes back at its own sample", "[resampler]") {
    for (const int rate_hz : rates_hz) {
        CAPTURE(rate_hz);
        const std::size_t ringing = 2048; // more than the filter's half length at every one of these rates
        for (const std::size_t place : {ringing, ringing + 1, ringing + 997}) {
            CAPTURE(place);
            std::vector<float> x(2 * ringing + 1000);
            x[place] = 1.0f;
            const Planar y = resample(resample({x}, rate_hz, model_rate_hz), model_rate_hz, rate_hz);
            const auto peak = std::max_element(y[0].begin(), y[0].end());
            CHECK(static_cast<std::size_t>(peak - y[0].begin()) == place);
            // What lies below 0.91 of the lower Nyquist frequency comes back whole, and adds up at the peak.
            CHECK(*peak >= 0.91f * static_cast<float>(std::min(1.0, 48000.0 / rate_hz)));
        }
    }
}

TEST_CASE("lengths are exact for any length and block", "[resampler]") {
    for (const int rate_hz : rates_hz) {
        for (const std::size_t n : {0, 1, 2, 3, 7, 147, 160, 1009, 44101}) {
            CAPTURE(rate_hz, n);
            const Planar x = {std::vector<float>(n, 0.25f)};
            const std::size_t rate = static_cast<std::size_t>(rate_hz);
            const std::size_t expected = (n * model_rate_hz + rate - 1) / rate;
            const Planar up = resample(x, rate_hz, model_rate_hz, 13);
            CHECK(up[0].size() == expected);
            CHECK(resample(up, model_rate_hz, rate_hz, 4096)[0].size() >= n);
        }
    }
}

TEST_CASE("the block size does not change a sample", "[resampler]") {
    const Planar x = {tone_burst(44100, 3000.0, 20011)};
    const Planar whole = resample(x, 44100, model_rate_hz, 20011);
    for (const std::size_t block : {1, 64, 4097}) {
        CAPTURE(block);
        CHECK((resample(x, 44100, model_rate_hz, block) == whole));
    }
}

TEST_CASE("a whole buffer at another rate", "[resampler]") {
    const serpent::AudioBuffer buffer{44100, {tone_burst(44100, 3000.0, 2001), tone_burst(44100, 500.0, 2001)}, serpent::Subtype::pcm24};
    const serpent::AudioBuffer out = serpent::resampled(buffer, model_rate_hz);
    CHECK(out.sample_rate == model_rate_hz);
    CHECK(out.subtype == buffer.subtype);
    CHECK((out.channels == resample(buffer.channels, 44100, model_rate_hz, 2001)));
    CHECK((serpent::resampled(buffer, 44100).channels == buffer.channels));
    CHECK_THROWS_AS(serpent::resampled(buffer, 0), serpent::Error);
}
