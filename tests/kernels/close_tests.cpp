// SPDX-License-Identifier: GPL-3.0-or-later
// The comparisons that all other tests rest on must be able to fail.
#include "close.h"

#include <catch2/catch.hpp>

using namespace serpent::test;

namespace {
const double not_a_number = std::numeric_limits<double>::quiet_NaN();
const double infinity = std::numeric_limits<double>::infinity();
} // namespace

TEST_CASE("close: values", "[close]") {
    CHECK(close(1.0, 1.0, 0.0));
    CHECK(close(1.0, 1.5, 0.5));
    CHECK_FALSE(close(1.0, 1.5, 0.49));
    CHECK_FALSE(close(not_a_number, 1.0, 1e30));
    CHECK_FALSE(close(1.0, not_a_number, 1e30));
    CHECK_FALSE(close(not_a_number, not_a_number, 1e30));
    CHECK_FALSE(close(infinity, infinity, 1e30));
    CHECK_FALSE(close(1.0, 1.0, not_a_number));
}

TEST_CASE("distance: relative to the rms of the expected signal", "[close]") {
    const std::vector<double> expected{3, -3, 3, -3};
    CHECK(distance(expected, std::vector<float>{3, -3, 3, -3}).within(0, 0));
    const Distance d = distance(expected, std::vector<double>{3, -3, 3, 0});
    CHECK(close(0.5, d.rms, 1e-15));
    CHECK(close(1.0, d.max, 1e-15));
    CHECK(d.within(0.51, 1.01));
    CHECK_FALSE(d.within(0.49, 1.01));
    CHECK_FALSE(d.within(0.51, 0.99));
}

TEST_CASE("distance: NaN, infinity, other lengths and a zero reference fail", "[close]") {
    const std::vector<double> expected{3, -3, 3, -3};
    for (std::size_t i = 0; i < expected.size(); ++i)
        for (double bad : {not_a_number, infinity, -infinity}) {
            std::vector<double> got = expected;
            got[i] = bad;
            CHECK_FALSE(distance(expected, got).within(1e30, 1e30));
            CHECK_FALSE(distance(got, expected).within(1e30, 1e30));
            CHECK_FALSE(distance(got, got).within(1e30, 1e30));
        }
    CHECK_FALSE(distance(expected, std::vector<double>{3, -3, 3}).within(1e30, 1e30));
    CHECK_FALSE(distance(std::vector<double>{0, 0}, std::vector<double>{0, 1e-9}).within(1e30, 1e30));
    CHECK(distance(std::vector<double>{0, 0}, std::vector<double>{0, 0}).within(0, 0));
    CHECK(distance(std::vector<double>{}, std::vector<double>{}).within(0, 0));
}
