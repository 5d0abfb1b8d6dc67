// SPDX-License-Identifier: GPL-3.0-or-later
// Latency of synthesised devices whose first response is known to the sample.
#include "serpent/audio_file.h"
#include "serpent/take_check.h"
#include "training/alignment.h"
#include "training/alignment_response.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

using namespace serpent;

namespace {

constexpr int rate = 48000;
using Signal = std::vector<float>;

const Signal& capture() {
    static const Signal signal = capture_signal(rate, 24);
    return signal;
}

/// Played notes and phrases alone: no clicks, no sweeps, no noise.
Signal played() {
    const auto layout = capture_layout(rate, capture().size());
    const auto notes = std::find_if(layout.sections.begin(), layout.sections.end(),
                                    [](const CaptureSection& s) { return s.name == "notes"; });
    const auto begin = capture().begin();
    return {begin + std::ptrdiff_t(notes->begin), begin + std::ptrdiff_t(layout.validation.end)};
}

/// The wet take `latency` samples late (or early), as long as the dry one, with noise at noise_db rms.
Signal delayed(const Signal& wet, std::ptrdiff_t latency, double noise_db) {
    std::mt19937 random(7);
    std::normal_distribution<float> noise(0.0f, float(std::pow(10.0, noise_db / 20)));
    Signal result(wet.size());
    for (std::ptrdiff_t i = 0; i < std::ssize(wet); ++i) {
        const std::ptrdiff_t from = i - latency;
        result[std::size_t(i)] = noise(random) + (from >= 0 && from < std::ssize(wet) ? wet[std::size_t(from)] : 0.0f);
    }
    return result;
}

Signal map_samples(const Signal& dry, const std::function<double(double)>& step) {
    Signal wet;
    wet.reserve(dry.size());
    for (const float x : dry) wet.push_back(float(step(x)));
    return wet;
}

/// Coupling capacitor, hard drive, inversion, tone control.
Signal overdrive(const Signal& dry) {
    double slow = 0, tone = 0;
    return map_samples(dry, [&](double x) {
        slow += 0.01 * (x - slow);
        tone += 0.45 * (-0.4 * std::tanh(30 * (x - slow)) - tone);
        return tone;
    });
}

/// Six first-order allpasses: some 20 samples of group delay at low frequencies, none of it latency.
Signal phase_turner(const Signal& dry) {
    double in[6] = {}, out[6] = {};
    return map_samples(dry, [&](double x) {
        for (int k = 0; k < 6; ++k) {
            const double y = 0.5 * x + in[k] - 0.5 * out[k];
            in[k] = x, out[k] = y, x = y;
        }
        return x;
    });
}

/// 4:1 above -40 dBFS with 5 ms attack and 300 ms release, and an offset.
Signal compressor(const Signal& dry) {
    double level = 0;
    return map_samples(dry, [&](double x) {
        level += (std::abs(x) > level ? 0.004 : 7e-5) * (std::abs(x) - level);
        return 0.01 + x * std::pow(std::max(level, 0.01) / 0.01, -0.75);
    });
}

/// A rectifying fuzz: even harmonics, asymmetric, dull.
Signal fuzz(const Signal& dry) {
    double tone = 0;
    return map_samples(dry, [&](double x) {
        tone += 0.6 * (std::clamp(50 * x, -0.8, 0.2) + 0.3 * std::abs(x) - tone);
        return tone;
    });
}

const std::pair<const char*, Signal (*)(const Signal&)> devices[] = {
    {"overdrive", overdrive}, {"phase turner", phase_turner}, {"compressor", compressor}, {"fuzz", fuzz}};

} // namespace

TEST_CASE("Latency of the capture signal is exact") {
    const auto layout = recognise(capture(), rate);
    REQUIRE(layout);
    for (const auto& [name, device] : devices) {
        const Signal wet = device(capture());
        for (const std::ptrdiff_t latency : {0, 1, 2000, -64}) {
            const Alignment a = find_latency(capture(), delayed(wet, latency, -80), rate, layout);
            CAPTURE(name, latency, a.latency_samples, a.confidence);
            CHECK(a.found);
            CHECK(a.latency_samples == latency);
            CHECK_THAT(a.confidence, Catch::Contains("6 clicks"));
        }
    }
}

TEST_CASE("A recorder that started seconds early or late is the normal case") {
    const auto layout = recognise(capture(), rate);
    for (const auto& [name, device] : {devices[0]}) {
        const Signal wet = device(capture());
        for (const std::ptrdiff_t start : {15 * rate, -2 * rate}) {
            Signal recorded = delayed(wet, 37, -80);
            if (start > 0) recorded.insert(recorded.begin(), std::size_t(start), 0.0f);
            else recorded.erase(recorded.begin(), recorded.begin() - start);
            const Alignment a = find_latency(capture(), recorded, rate, layout);
            CAPTURE(name, start, a.latency_samples, a.confidence);
            CHECK(a.found);
            CHECK(a.latency_samples == start + 37);
        }
    }
}

TEST_CASE("Clicks that lie at different delays do not agree") {
    const auto layout = recognise(capture(), rate);
    for (const auto& [name, device] : {devices[0], devices[2]}) {
        const Signal whole = delayed(device(capture()), 100, -80);
        for (const std::ptrdiff_t lost : {8, -64}) {
            Signal wet = whole;
            const auto middle = wet.begin() + std::ssize(wet) / 2;
            if (lost > 0) wet.erase(middle, middle + lost);
            else wet.insert(middle, std::size_t(-lost), 0.0f);
            const Alignment a = find_latency(capture(), wet, rate, layout);
            CAPTURE(name, lost, a.confidence);
            CHECK(a.clicks_disagree);
            CHECK_THAT(a.confidence, !Catch::Contains("agree"));
        }
        CHECK_FALSE(find_latency(capture(), whole, rate, layout).clicks_disagree);
    }
}

TEST_CASE("Latency of any playing is right to the sample, or one early, never late") {
    const Signal dry = played();
    // The phase turner's first tap is 0.03 of its largest, which no playing shows: one late is as good as it gets.
    for (const auto& [name, device] : devices) {
        const Signal wet = device(dry);
        for (const std::ptrdiff_t latency : {0, 7, 480, -30}) {
            const Alignment a = find_latency(dry, delayed(wet, latency, -80), rate);
            CAPTURE(name, latency, a.latency_samples, a.confidence);
            CHECK(a.found);
            CHECK(a.latency_samples <= latency + (device == phase_turner ? 1 : 0));
            CHECK(a.latency_samples >= latency - 1);
        }
    }
}

TEST_CASE("Playing that leaves the upper octave empty is not taken to be early") {
    AudioBuffer at_48_khz;
    at_48_khz.sample_rate = rate;
    at_48_khz.channels = {played()};
    const Signal dry = resampled(at_48_khz, 2 * rate).channels.front();
    const Signal wet = overdrive(dry);
    for (const std::ptrdiff_t latency : {0, 7, -2, -6, -30}) {
        const Alignment a = find_latency(dry, delayed(wet, latency, -100), 2 * rate);
        CAPTURE(latency, a.latency_samples, a.confidence);
        CHECK(a.latency_samples <= latency);
        CHECK(a.latency_samples >= (latency == 0 ? 0 : latency - 1));
    }
}

TEST_CASE("Latency is found in much noise") {
    const Signal dry = played();
    const Alignment a = find_latency(dry, delayed(overdrive(dry), 64, -40), rate);
    CAPTURE(a.latency_samples, a.confidence);
    CHECK(a.found);
    CHECK(std::abs(a.latency_samples - 64) <= 1);
}

TEST_CASE("Polarity is reported") {
    const Signal dry = played();
    CHECK(find_latency(dry, overdrive(dry), rate).polarity_inverted);
    CHECK_FALSE(find_latency(dry, compressor(dry), rate).polarity_inverted);
}

TEST_CASE("Recordings that have nothing to do with each other have no latency") {
    const Signal dry = played();
    const Signal silence(dry.size(), 0.0f);
    for (const Signal& wet : {delayed(silence, 0, -20), silence}) {
        const Alignment a = find_latency(dry, wet, rate);
        CAPTURE(a.confidence);
        CHECK_FALSE(a.found);
        CHECK(a.latency_samples == 0);
    }
    CHECK_FALSE(find_latency(silence, dry, rate).found);
    CHECK_FALSE(find_latency({}, {}, rate).found);
    CHECK_NOTHROW(find_latency(std::span(dry).first(1), std::span(dry).first(1), rate));
}

TEST_CASE("Other playing is no wet take of this one") {
    // The same kind of signal, so that only the sample by sample relation tells.
    const Signal dry = played(), other(dry.rbegin(), dry.rend());
    CHECK_FALSE(find_latency(dry, other, rate).found);
}

TEST_CASE("The overlap of two recordings") {
    const auto check = [](Overlap o, std::size_t dry_begin, std::size_t wet_begin, std::size_t length) {
        CHECK(o.dry_begin == dry_begin);
        CHECK(o.wet_begin == wet_begin);
        CHECK(o.length == length);
    };
    check(overlap(100, 100, 0), 0, 0, 100);
    check(overlap(100, 100, 7), 0, 7, 93);
    check(overlap(100, 120, 7), 0, 7, 100);
    check(overlap(100, 100, -7), 7, 0, 93);
    check(overlap(100, 100, 100), 0, 0, 0);
    check(overlap(5, 100, -6), 0, 0, 0);
}

TEST_CASE("Toeplitz systems are solved") {
    const std::vector<double> r{4, 2, -1, 0.5, 0.25}, x{1, -2, 3, 0.5, -1};
    std::vector<double> b(5, 0.0);
    for (int i = 0; i < 5; ++i)
        for (int j = 0; j < 5; ++j) b[std::size_t(i)] += r[std::size_t(std::abs(i - j))] * x[std::size_t(j)];
    const auto solved = solve_toeplitz(r, b);
    for (std::size_t i = 0; i < 5; ++i) CHECK(solved[i] == Approx(x[i]).epsilon(1e-12));
}
