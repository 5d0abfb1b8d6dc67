// SPDX-License-Identifier: GPL-3.0-or-later
// The limiter: exact below its ceiling, never above it, and soon itself again.
#include "serpent/limiter.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

using serpent::Limiter;

namespace {

constexpr float ceiling = 0.98f;

std::vector<float> sine(int n, double amplitude) {
    std::vector<float> x;
    for (int t = 0; t < n; ++t) x.push_back(static_cast<float>(amplitude * std::sin(0.0288 * t)));
    return x;
}

bool limit(Limiter& limiter, std::vector<float>& x) {
    float* channel = x.data();
    return limiter.process(&channel, static_cast<int>(x.size()));
}

} // namespace

TEST_CASE("below the ceiling the limiter changes nothing", "[limiter]") {
    Limiter limiter(ceiling);
    limiter.prepare(48000, 1);
    const std::vector<float> in = sine(4800, ceiling);
    std::vector<float> out = in;
    CHECK_FALSE(limit(limiter, out));
    CHECK(out == in);
}

TEST_CASE("whatever comes, the limiter holds the ceiling and is itself again within two seconds", "[limiter]") {
    for (const float accident : {2.0f, -500.0f, 1e30f, std::numeric_limits<float>::max(), std::numeric_limits<float>::infinity(), NAN}) {
        CAPTURE(accident);
        Limiter limiter(ceiling);
        limiter.prepare(48000, 1);
        std::vector<float> hit(64, accident);
        CHECK(limit(limiter, hit));
        for (const float x : hit) CHECK(std::abs(x) <= ceiling);
        std::vector<float> loud = sine(48000, 4.0);
        CHECK(limit(limiter, loud));
        for (const float x : loud) REQUIRE(std::abs(x) <= ceiling);
        std::vector<float> rest = sine(96000, 0.5);
        limit(limiter, rest);
        const std::vector<float> in = sine(4800, 0.5);
        std::vector<float> out = in;
        CHECK_FALSE(limit(limiter, out));
        CHECK(out == in);
    }
}

TEST_CASE("the channels of a limiter stay in balance", "[limiter]") {
    Limiter limiter(ceiling);
    limiter.prepare(48000, 2);
    std::vector<float> left = sine(4800, 4.0), right = sine(4800, 1.0);
    float* channels[] = {left.data(), right.data()};
    CHECK(limiter.process(channels, 4800));
    for (std::size_t t = 1; t < left.size(); ++t) CHECK(left[t] == Approx(4.0f * right[t]).margin(1e-5));
}
