// SPDX-License-Identifier: GPL-3.0-or-later
// A knob that is moved while recording, and a delay or reverb that was left on, are told; gear that changes with what is played
// is not.
#include "audio/temporary_folder.h"
#include "training/made_takes.h"
#include "training/take_changes.h"

#include "serpent/audio_file.h"
#include "serpent/training_data.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace serpent;

namespace {

constexpr int rate = made_rate;
using Signal = std::vector<float>;

/// As `before` until then, as `after` from then on.
Signal then(Signal before, const Signal& after, double at_s) {
    const auto at = std::ptrdiff_t(at_s * rate);
    std::copy(after.begin() + at, after.end(), before.begin() + at);
    return before;
}

Signal times(Signal x, double gain_db) {
    for (float& v : x) v *= float(std::pow(10.0, gain_db / 20));
    return x;
}

Signal darker(Signal x) {
    double low = 0;
    for (float& v : x) v = float(low += 0.15 * (v - low));
    return x;
}

/// A delay that feeds back a third of what it plays.
Signal echoing(Signal x, double delay_s, double level_db) {
    const auto delay = std::size_t(delay_s * rate);
    Signal repeated(x.size());
    for (std::size_t i = delay; i < x.size(); ++i) repeated[i] = x[i - delay] + 0.33f * repeated[i - delay];
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += float(std::pow(10.0, level_db / 20)) * repeated[i];
    return x;
}

/// Four combs and two all-passes (Schroeder); 0.8 s.
Signal reverberating(const Signal& x, double level) {
    Signal wet(x.size());
    for (const std::size_t n : {1427u, 1601u, 1867u, 2053u}) {
        Signal comb(x.size());
        const auto feedback = float(std::pow(10.0, -3.0 * double(n) / (0.8 * rate)));
        for (std::size_t i = n; i < x.size(); ++i) comb[i] = x[i - n] + feedback * comb[i - n], wet[i] += 0.25f * comb[i];
    }
    for (const std::size_t n : {241u, 83u}) {
        Signal out(x.size());
        for (std::size_t i = n; i < x.size(); ++i) out[i] = -0.7f * wet[i] + wet[i - n] + 0.7f * out[i - n];
        wet = std::move(out);
    }
    for (std::size_t i = 0; i < x.size(); ++i) wet[i] = x[i] + float(level) * wet[i];
    return wet;
}

Signal with_hum(Signal x) {
    std::mt19937 rng(3);
    std::normal_distribution<double> hiss(0, 1e-3);
    for (std::size_t i = 0; i < x.size(); ++i) {
        double hum = hiss(rng);
        for (int k = 1; k <= 20; ++k) hum += 1e-3 * std::sin(2 * M_PI * 50 * k * double(i) / rate + k * k);
        x[i] += float(hum);
    }
    return x;
}

std::string said(const TakeChanges& found) {
    std::string all;
    for (const std::string& note : describe(found, "wet.wav", 0, rate)) all += note + "\n";
    return all;
}

struct Played {
    Signal dry = playing(32, 11), driven = drive(dry), compressed = compress(dry);
};

/// Made once: it takes a second.
const Played& played() {
    static const Played p;
    return p;
}

} // namespace

TEST_CASE("Gear that only answers what is played is not suspected of anything", "[changes]") {
    const auto& [dry, driven, compressed] = played();
    Signal gated = compressed, trembling = driven, fuzz = drive(dry, 200);
    for (float& v : gated) v = std::abs(v) < 0.003f ? 0.0f : v;
    for (std::size_t i = 0; i < dry.size(); ++i) trembling[i] *= float(1 + 0.5 * std::sin(2 * M_PI * 5 * double(i) / rate));
    for (const Signal& wet : {dry, driven, compressed, fuzz, gated, trembling, with_hum(driven), darker(compressed)})
        CHECK(said(find_changes(dry, wet, rate)) == "");
}

TEST_CASE("A knob that is moved is told, with time and size", "[changes]") {
    const auto& [dry, driven, compressed] = played();
    const struct { Signal wet; double at_s, gain_db; } cases[] = {
        {then(driven, times(driven, 3), 14), 14, 3},
        {then(driven, times(driven, -6), 24), 24, -6},
        {then(compressed, times(compressed, 3), 21), 21, 3},
        {then(compressed, darker(compressed), 20), 20, 0},
        {then(driven, darker(driven), 20), 20, 0},
        {then(driven, drive(dry, 20), 17), 17, 0},
    };
    for (const auto& c : cases) {
        const TakeChanges found = find_changes(dry, c.wet, rate);
        CAPTURE(c.at_s, c.gain_db, said(found));
        REQUIRE(found.steps.size() == 1);
        CHECK(std::abs(double(found.steps[0].at_sample) / rate - c.at_s) <= 0.5);
        if (c.gain_db != 0) CHECK(std::abs(found.steps[0].gain_db - c.gain_db) <= 0.5);  // a sixth of the smaller; 0.2 measured
        CHECK_FALSE(found.echo);
        CHECK_FALSE(found.reverberation_db);
    }
    CHECK(find_changes(dry, cases[3].wet, rate).steps[0].low_hz >= 600);  // only the treble goes
}

TEST_CASE("A knob that is turned back is two steps", "[changes]") {
    const auto& [dry, driven, compressed] = played();
    const auto found = find_changes(dry, then(then(compressed, times(compressed, 6), 10), compressed, 20), rate);
    CAPTURE(said(found));
    REQUIRE(found.steps.size() == 2);
    for (const auto& [step, at_s, gain_db] : {std::tuple{found.steps[0], 10.0, 6.0}, {found.steps[1], 20.0, -6.0}}) {
        CHECK(std::abs(double(step.at_sample) / rate - at_s) <= 0.5);
        CHECK(std::abs(step.gain_db - gain_db) <= 0.5);
    }
}

TEST_CASE("A delay that was left on is told, before and after a drive", "[changes]") {
    const auto& [dry, driven, compressed] = played();
    const struct { Signal wet; double delay_s, level_db; } cases[] = {
        {echoing(driven, 0.35, -10), 0.35, -10},
        {echoing(compressed, 0.12, -16), 0.12, -16},
        {drive(echoing(dry, 0.35, -10)), 0.35, -10},
        {with_hum(echoing(driven, 0.06, -16)), 0.06, -16},  // three periods of the hum
    };
    for (const auto& c : cases) {
        const TakeChanges found = find_changes(dry, c.wet, rate);
        CAPTURE(c.delay_s, c.level_db, said(found));
        REQUIRE(found.echo);
        CHECK(std::abs(found.echo->delay_s - c.delay_s) <= 1e-3);
        CHECK(std::abs(found.echo->level_db - c.level_db) <= 4);  // a drive presses it down; to know it is there is what counts
        CHECK(found.steps.empty());
    }
}

TEST_CASE("A reverb that was left on is told", "[changes]") {
    const auto& [dry, driven, compressed] = played();
    for (const Signal& wet : {reverberating(driven, 0.3), reverberating(compressed, 0.3), drive(reverberating(dry, 0.5))}) {
        const TakeChanges found = find_changes(dry, wet, rate);
        CAPTURE(said(found));
        CHECK(found.reverberation_db);
        CHECK_FALSE(found.echo);
        CHECK(found.steps.empty());
    }
}

TEST_CASE("What is too short to tell, silent or has nothing to do with the dry is not suspected", "[changes]") {
    const auto& [dry, driven, compressed] = played();
    const Signal silence(dry.size()), other = playing(32, 12);
    CHECK(said(find_changes(dry, silence, rate)) == "");
    CHECK(said(find_changes(silence, dry, rate)) == "");
    CHECK(said(find_changes(dry, other, rate)) == "");
    for (const int low_rate : {1, 1000}) CHECK(said(find_changes(dry, times(driven, 6), low_rate)) == "");
    for (const double seconds : {0.0, 0.05, 3.0, 12.0}) {
        const auto n = std::size_t(seconds * rate);
        CHECK(said(find_changes(std::span(dry).first(n), std::span(driven).first(n), rate)) == "");
    }
}

TEST_CASE("train tells what was changed in mid-take before it begins, in seconds of the file", "[changes]") {
    const auto& [dry, driven, compressed] = played();
    const TemporaryFolder folder;
    write_audio(folder / "dry.wav", {rate, {dry}}, Subtype::float32);
    Signal wet = then(driven, times(driven, 6), 20);
    wet.erase(wet.begin(), wet.begin() + rate);  // started a second late
    write_audio(folder / "wet.wav", {rate, {wet}}, Subtype::float32);
    std::string all;
    for (const std::string& note : load_pair(folder / "dry.wav", folder / "wet.wav", {}).notes) all += note + "\n";
    CHECK_THAT(all, Catch::Contains("dB louder") && (Catch::Contains("from 20.0 s") || Catch::Contains("from 19.9 s") ||
                                                     Catch::Contains("from 20.1 s")));
    CHECK_THAT(all, Catch::Contains("wet.wav") && Catch::Contains("record again"));
}
