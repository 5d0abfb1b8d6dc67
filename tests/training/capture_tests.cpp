// SPDX-License-Identifier: GPL-3.0-or-later
#include "serpent/capture.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace serpent;

namespace {

std::vector<float> quantised(std::vector<float> x, int bits) {
    const double steps = std::ldexp(1.0, bits - 1);
    for (float& v : x) v = float(std::round(v * steps) / steps);
    return x;
}

float peak_of(const std::vector<float>& x, std::size_t begin, std::size_t end) {
    float peak = 0;
    for (std::size_t i = begin; i < end; ++i) peak = std::max(peak, std::abs(x[i]));
    return peak;
}

/// Repeats of the capture signal's sections by name, in order.
const CaptureSection& section(const CaptureLayout& layout, const std::string& name) {
    return *std::find_if(layout.sections.begin(), layout.sections.end(), [&](const auto& s) { return s.name == name; });
}

} // namespace

TEST_CASE("The capture signal is as long as asked, within full scale and the same at every call") {
    for (const auto& [rate, seconds] : {std::pair{48000, 40.0}, std::pair{44100, 20.0}, std::pair{96000, 20.5}}) {
        const auto signal = capture_signal(rate, seconds);
        CAPTURE(rate, seconds);
        CHECK(signal.size() == std::size_t(std::llround(seconds * rate)));
        const float peak = peak_of(signal, 0, signal.size());
        CHECK(peak > 0.7f);
        CHECK(peak <= 0.9f);
        CHECK(signal == capture_signal(rate, seconds));
    }
}

TEST_CASE("The layout covers the signal and says where silences and repeats are") {
    const auto signal = capture_signal(48000, 60);
    const CaptureLayout layout = capture_layout(48000, signal.size());
    std::size_t at = 0;
    for (const CaptureSection& s : layout.sections) {
        CHECK(s.begin == at);
        at = s.end;
        CAPTURE(s.name);
        CHECK(peak_of(signal, s.begin, s.end) > 0.1f); // nothing is left empty
    }
    CHECK(at == signal.size());
    REQUIRE(layout.markers.size() == 6);
    for (const std::size_t marker : layout.markers) {
        CHECK(signal[marker] == 0.7f);
        CHECK(peak_of(signal, marker - 4800, marker) == 0.0f); // 0.1 s of silence before each
    }
    REQUIRE(layout.repeat_first.size() == layout.repeat_second.size());
    CHECK(std::equal(signal.begin() + std::ptrdiff_t(layout.repeat_first.begin),
                     signal.begin() + std::ptrdiff_t(layout.repeat_first.end),
                     signal.begin() + std::ptrdiff_t(layout.repeat_second.begin)));
    for (const auto& r : {layout.repeat_first, layout.repeat_second})
        CHECK(peak_of(signal, r.begin - r.size() / 3, r.begin) == 0.0f);
    // The longest silence lets slow releases come to rest: nearly half of a tenth of the body.
    const CaptureSection& release = section(layout, "release");
    CHECK(peak_of(signal, release.end - release.size() * 2 / 5, release.end) == 0.0f);
    CHECK(layout.validation.size() > 4 * 48000);
}

TEST_CASE("A capture signal is recognised after quantisation, and nothing else is") {
    const auto signal = capture_signal(48000, 25);
    for (const auto& dry : {signal, quantised(signal, 16), quantised(signal, 24)}) {
        const auto layout = recognise(dry, 48000);
        REQUIRE(layout);
        CHECK(layout->length == signal.size());
        CHECK(layout->sample_rate == 48000);
    }
    CHECK_FALSE(recognise(signal, 44100));
    CHECK_FALSE(recognise(std::span(signal).first(signal.size() - 1), 48000));
    CHECK_FALSE(recognise(std::vector<float>(signal.size()), 48000));
    CHECK_FALSE(recognise({}, 48000));
    auto changed = signal;
    changed[signal.size() / 2] += 0.01f;
    CHECK_FALSE(recognise(changed, 48000));
    changed[signal.size() / 2] = std::numeric_limits<float>::quiet_NaN();
    CHECK_FALSE(recognise(changed, 48000));
}

TEST_CASE("Self-ESR tells how far a device agrees with itself") {
    const auto signal = capture_signal(48000, 20);
    const CaptureLayout layout = capture_layout(48000, signal.size());
    CHECK(self_esr(signal, layout) == 0.0);
    auto drifting = signal; // a device whose gain falls by a tenth before the second time
    for (std::size_t i = layout.repeat_second.begin; i < layout.repeat_second.end; ++i) drifting[i] *= 0.9f;
    CHECK(self_esr(drifting, layout) == Approx(0.01).epsilon(1e-4)); // (1 - 0.9)^2; the floor of 1e-8 is far below
    CHECK_THROWS_AS(self_esr(std::span(signal).first(100), layout), Error);
}

TEST_CASE("Impossible capture signals are refused") {
    CHECK_THROWS_AS(capture_signal(48000, 19.9), Error);
    CHECK_THROWS_AS(capture_signal(48000, -1), Error);
    CHECK_THROWS_AS(capture_signal(48000, 1e9), Error);
    CHECK_THROWS_AS(capture_signal(48000, std::numeric_limits<double>::quiet_NaN()), Error);
    CHECK_THROWS_AS(capture_signal(4000, 30), Error);
}
