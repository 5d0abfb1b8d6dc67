// SPDX-License-Identifier: GPL-3.0-or-later
// Filters that ring ahead of the onset are told from a recording that is merely late.
#include "training/made_takes.h"
#include "training/ringing.h"

#include <catch2/catch.hpp>

using namespace serpent;

namespace {

std::vector<float> bursts(double noise) {
    std::mt19937 rng(4);
    std::vector<float> dry(5 * made_rate);
    for (std::size_t begin = 9000; begin + 9000 < dry.size(); begin += 24000)
        for (std::size_t i = begin; i < begin + 6000; ++i) dry[i] = 0.3f * float(std::normal_distribution<double>()(rng));
    for (float& x : dry) x += float(noise * std::normal_distribution<double>()(rng));
    return dry;
}

std::vector<float> late(const std::vector<float>& x, std::size_t by) {
    std::vector<float> y(by, 0.0f);
    y.insert(y.end(), x.begin(), x.end() - std::ptrdiff_t(by));
    return y;
}

/// A windowed sinc of linear phase, 20 samples late.
std::vector<float> linear_phase(const std::vector<float>& x) {
    std::vector<float> y(x.size());
    for (std::size_t t = 40; t < x.size(); ++t)
        for (int k = 0; k <= 40; ++k) {
            const double at = 0.4 * M_PI * (k - 20), window = 0.5 + 0.5 * std::cos(M_PI * (k - 20) / 21);
            y[t] += float((k == 20 ? 1 : std::sin(at) / at) * 0.4 * window) * x[t - std::size_t(k)];
        }
    return y;
}

} // namespace

TEST_CASE("ringing: a recording that is late, or gear that is slow, rings nothing ahead", "[training]") {
    const auto dry = bursts(0);
    CHECK_FALSE(rings_ahead_by(dry, late(dry, 37), 37, made_rate));
    CHECK_FALSE(rings_ahead_by(dry, late(drive(dry), 37), 37, made_rate));
    CHECK_FALSE(rings_ahead_by(dry, dry, 0, made_rate));
    const auto noisy = bursts(1e-3);  // no digital silence: nobody can tell
    CHECK_FALSE(rings_ahead_by(noisy, late(linear_phase(noisy), 30), 50, made_rate));
}

TEST_CASE("ringing: a filter of linear phase moves before its onset, and no sooner than it hears", "[training]") {
    const auto dry = bursts(0);
    for (const std::size_t delay : {0u, 100u}) {
        const auto ahead = rings_ahead_by(dry, late(linear_phase(dry), delay), std::ptrdiff_t(delay) + 20, made_rate);
        REQUIRE(ahead);
        CHECK(*ahead >= 10);
        CHECK(*ahead <= 20);
    }
}
