// SPDX-License-Identifier: GPL-3.0-or-later
// What no host should send and some do: the output stays finite, and the model forgets it within its memory.
#include "stream_helpers.h"

#include <catch2/catch.hpp>

#include <array>
#include <functional>
#include <limits>

using namespace serpent;
using namespace serpent::test;

namespace {

constexpr double rate_hz = 48000.0;
const char* const shipped[] = {"scream", "fuzzface", "zamtube", "zamcomp", "opto", "zamcomp_knobs"};

bool all_finite(const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

struct Hostile {
    const char* name;
    std::function<float(std::size_t)> sample;
};

std::vector<Hostile> hostile_signals() {
    const float most = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
    const auto sign = [](std::size_t t) { return t % 2 ? -1.0f : 1.0f; };
    return {{"NaN", [](std::size_t) { return NAN; }},
            {"infinity", [=](std::size_t t) { return sign(t) * INFINITY; }},
            {"1e30", [=](std::size_t t) { return sign(t / 7) * 1e30f; }},
            {"the largest float, constant", [=](std::size_t) { return most; }},
            {"denormals", [=](std::size_t t) { return sign(t) * least * static_cast<float>(1 + t % 1000); }},
            {"full scale square", [=](std::size_t t) { return sign(t / 50); }},
            {"everything in turn", [=](std::size_t t) { return std::array{NAN, INFINITY, -most, least, 1e30f, 0.0f}[t % 6]; }}};
}

/// `seconds` of one channel in blocks of 480; returns the last second.
template <class Sample>
std::vector<float> play_long(Stream& stream, double seconds, Sample sample, bool* finite) {
    std::vector<float> last;
    const auto n = static_cast<std::size_t>(seconds * rate_hz);
    Planar block(1, std::vector<float>(480));
    for (std::size_t at = 0; at < n; at += 480) {
        for (std::size_t t = 0; t < 480; ++t) block[0][t] = sample(at + t);
        process(stream, block, block, 0, 480);
        *finite = *finite && all_finite(block[0]);
        if (at + 48000 >= n) last.insert(last.end(), block[0].begin(), block[0].end());
    }
    return last;
}

float guitar(std::size_t t) {
    const double s = static_cast<double>(t) / rate_hz;
    return static_cast<float>(0.2 * std::exp(-4 * std::fmod(s, 0.5)) * (std::sin(900 * s) + 0.3 * std::sin(3100 * s)));
}

} // namespace

TEST_CASE("hostile signals are survived and forgotten", "[hostile]") {
    for (const char* name : shipped) {
        const auto model = shipped_model(name);
        // 12 time constants leave 6e-6 of a state, but the steps change with the signal, so the memory is an estimate; and
        // what the layers behind the first forget starts when the first has.
        const double longest_s = time_constants(*model).longest_samples / rate_hz;
        const double memory_s = std::clamp(2 * 12 * longest_s, 2.0, 15.0);
        // Some remember for longer than a test may take; a tenth of a second moves their slowest state by little.
        const double remembered = 0.01 * std::exp(-memory_s / longest_s);
        const auto answer_after = [&](const auto& interruption) {
            Stream stream(model);
            bool finite = true;
            play_long(stream, 0.2, guitar, &finite);
            play_long(stream, 0.1, interruption, &finite);
            const auto last = play_long(stream, memory_s, guitar, &finite);
            CHECK(finite);
            return last;
        };
        const auto expected = answer_after([](std::size_t) { return 0.0f; });
        for (const Hostile& hostile : hostile_signals()) {
            CAPTURE(name, hostile.name, memory_s);
            const auto got = answer_after(hostile.sample);
            const Distance d = distance(expected, got);
            CAPTURE(d.rms, d.max);
            CHECK(d.within(1e-3 + remembered, 1e-2 + 10 * remembered));
        }
    }
}

TEST_CASE("a minute of DC is survived and forgotten", "[hostile]") {
    for (const char* name : {"zamcomp", "opto"}) {
        const auto model = shipped_model(name);
        Stream stream(model), fresh(model);
        bool finite = true;
        play_long(stream, 60, [](std::size_t) { return 0.9f; }, &finite);
        const double memory_s = std::clamp(8 * time_constants(*model).longest_samples / rate_hz, 20.0, 250.0);
        const auto got = play_long(stream, memory_s, guitar, &finite), expected = play_long(fresh, memory_s, guitar, &finite);
        CAPTURE(name, memory_s, distance(expected, got).rms);
        CHECK(finite);
        // e^-8 of what the slowest states held is left, or more where they remember longer than the 250 s played.
        CHECK(distance(expected, got).within(5e-3, 5e-2));
    }
}

TEST_CASE("in silence a model rests where it began, and comes back there after music", "[hostile]") {
    for (const char* name : shipped)
        for (const bool from_music : {false, true}) {
            Stream stream(shipped_model(name));
            bool finite = true;
            const auto quiet = [](std::size_t) { return 0.0f; };
            const float rest = play_long(stream, 0.01, quiet, &finite).back();
            if (from_music) play_long(stream, 1, guitar, &finite);
            const float last = play_long(stream, 30, quiet, &finite).back();
            CAPTURE(name, from_music, rest, last);
            CHECK(finite);
            // -80 dBFS after music: what remembers longer than half a minute is still on its way. From rest only roundings.
            CHECK(close(rest, last, from_music ? 1e-4 : 1e-6));
        }
}

TEST_CASE("sample rates that change all the time leave nothing behind", "[hostile]") {
    for (const RateMode mode : {RateMode::scale_dt, RateMode::resample}) {
        const auto model = shipped_model("fuzzface");
        Stream stream(model, {.rate_mode = mode}), fresh(model, {.rate_mode = mode});
        const Planar in = noise(1, 500);
        for (const double host_rate_hz : {44100.0, 8000.0, 192000.0, 48000.0, 11025.0, 384000.0, 96000.0, 47999.9}) {
            stream.prepare(host_rate_hz, 37);
            const Planar out = play(stream, in, {1, 64, 0, 37, 499});
            CAPTURE(mode == RateMode::scale_dt, host_rate_hz);
            CHECK(all_finite(out[0]));
            fresh = Stream(model, {.rate_mode = mode});
            fresh.prepare(host_rate_hz, 512);
            CHECK((play(fresh, in, {500}) == out));
        }
    }
}

TEST_CASE("a resampled stream forgets NaN and 1e30 too", "[hostile]") {
    const auto model = golden_model("film_8_16_4_2");  // forgets within two seconds
    for (const int oversampling : {1, 2}) {
        const StreamOptions options{.rate_mode = RateMode::resample, .oversampling = oversampling};
        Stream stream(model, options), spared(model, options);
        stream.prepare(44100, 64);
        spared.prepare(44100, 64);
        for (const Hostile& hostile : hostile_signals()) {
            CAPTURE(oversampling, hostile.name);
            bool finite = true;
            play_long(stream, 0.1, hostile.sample, &finite);
            play_long(spared, 0.1, [](std::size_t) { return 0.0f; }, &finite);
            const auto got = play_long(stream, 2, guitar, &finite), expected = play_long(spared, 2, guitar, &finite);
            CHECK(finite);
            CHECK(distance(expected, got).within(1e-3, 1e-2));
        }
    }
}
