// SPDX-License-Identifier: GPL-3.0-or-later
#include "equations/output_bound.h"

#include <catch2/catch.hpp>

#include <bit>
#include <cstdint>
#include <vector>

using serpent::equations::OutputBound;

namespace {

template <class T>
std::vector<T> levels(T peak) {
    std::vector<T> x;
    for (T v = T(0); v < T(1000); v += v < T(3) ? T(0.001) : v / 50) x.push_back(v * peak);
    return x;
}

} // namespace

TEST_CASE("the output bound is the identity, to the bit, up to 1.25 peaks") {
    for (const float peak : {1e-30f, 0.1f, 0.3564093f, 1.0f, 1e30f}) {
        const OutputBound<float> bound(peak);
        for (const float x : levels(peak))
            if (x <= 1.25f * peak)
                for (const float y : {x, -x})
                    REQUIRE(std::bit_cast<std::uint32_t>(bound(y)) == std::bit_cast<std::uint32_t>(y));
        CHECK(std::signbit(bound(-0.0f)));
    }
}

TEST_CASE("the output bound rises, is odd and smooth, and never leaves two peaks") {
    for (const double peak : {0.1, 0.3564093, 1.0}) {
        const OutputBound<double> bound(peak);
        double before = -1;
        for (const double x : levels(peak)) {
            const double y = bound(x);
            REQUIRE(y >= before);
            REQUIRE(y <= 2 * peak);
            REQUIRE(bound(-x) == -y);
            before = y;
        }
        CHECK(before > 1.99 * peak);
        const double knee = 1.25 * peak, step = 1e-6 * peak;
        CHECK((bound(knee + step) - knee) / step == Approx(1).epsilon(1e-5));
    }
    for (const float peak : {1e-30f, 0.1f, 0.3564093f, 0.7f, 1e30f}) {
        const OutputBound<float> bound(peak);
        for (const float x : levels(peak)) REQUIRE(bound(x) <= 2 * peak);
        CHECK(bound(std::numeric_limits<float>::max()) <= 2 * peak);
        CHECK(bound(std::numeric_limits<float>::max()) >= 1.99f * peak);
        CHECK(bound(-std::numeric_limits<float>::max()) == -bound(std::numeric_limits<float>::max()));
    }
}

TEST_CASE("float32 bounds as float64 does") {
    const OutputBound<float> narrow(0.3564093f);
    const OutputBound<double> wide(double(0.3564093f));
    for (const float x : levels(0.3564093f)) REQUIRE(std::fabs(narrow(x) - wide(x)) <= 1e-7);
}

TEST_CASE("without a peak nothing is bound, and what is not finite stays so") {
    const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (const float none : {0.0f, -1.0f, nan}) {
        const OutputBound<float> bound(none);
        CHECK_FALSE(bound.bounds());
        for (const float x : {0.0f, 1.0f, -1e30f, infinity, -infinity}) CHECK(bound(x) == x);
        CHECK(std::isnan(bound(nan)));
    }
    const OutputBound<float> bound(0.5f);
    CHECK(bound.bounds());
    for (const float x : {infinity, -infinity, nan}) CHECK_FALSE(std::isfinite(bound(x)));
}
