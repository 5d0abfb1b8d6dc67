// SPDX-License-Identifier: GPL-3.0-or-later
// The live engine's exp2m1, silu and softplus on every ISA against float64: a dense sweep over the floats of the whole
// range, and every float of the binades that matter most.
#include "cpu/live_math.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

using namespace serpent::kernels;

namespace {

constexpr double ulp = 0x1p-23;
constexpr double inf = std::numeric_limits<double>::infinity();

/// Every `stride`-th float whose magnitude lies in [from, to], of both signs or of one.
std::vector<float> floats(float from, float to, std::uint32_t stride, bool positive, bool negative) {
    std::vector<float> x;
    for (auto bits = std::bit_cast<std::uint32_t>(from); bits <= std::bit_cast<std::uint32_t>(to); bits += stride) {
        if (positive) x.push_back(std::bit_cast<float>(bits));
        if (negative) x.push_back(-std::bit_cast<float>(bits));
    }
    return x;
}

double exact_exp2m1(double x) { return std::expm1(x * std::numbers::ln2); }
double exact_silu(double x) { return x / (1.0 + std::exp(-x)); }
double exact_softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

/// The largest relative error in units of `bound(x)`; NaN when there is one.
template <class Exact, class Bound>
void check_sweep(void (*LiveMath::*function)(std::size_t, const float*, float*), const std::vector<float>& x, Exact exact,
                 Bound bound) {
    std::vector<double> expected;
    for (const float v : x) expected.push_back(exact(static_cast<double>(v)));
    for (const Isa isa : available_isas()) {
        const LiveMath& math = live_math_for(isa);
        REQUIRE(math.isa == isa);
        std::vector<float> y(x.size());
        (math.*function)(x.size(), x.data(), y.data());
        double worst = 0.0;
        float at = 0.0f;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double error = std::abs(y[i] - expected[i]) / (std::abs(expected[i]) * bound(static_cast<double>(x[i])));
            if (error <= worst) continue;
            worst = std::isnan(error) ? inf : error;
            at = x[i];
        }
        CAPTURE(isa_name(isa), worst, at);
        CHECK(worst <= 1.0);
    }
}

} // namespace

TEST_CASE("exp2m1 stays within 3 ulp of 2^x - 1", "[live-math]") {
    const auto bound = [](double) { return 3 * ulp; };
    check_sweep(&LiveMath::exp2m1, floats(1e-30f, 126.0f, 401, false, true), exact_exp2m1, bound);
    check_sweep(&LiveMath::exp2m1, floats(0.25f, 1.0f, 7, false, true), exact_exp2m1, bound);  // where n goes from 0 to -1
}

TEST_CASE("the live silu stays within (4 + |x|) ulp", "[live-math]") {
    const auto bound = [](double x) { return (4 + std::abs(x)) * ulp; };
    check_sweep(&LiveMath::silu, floats(1e-30f, 87.0f, 401, true, true), exact_silu, bound);
    check_sweep(&LiveMath::silu, floats(1.0f, 4.0f, 11, true, true), exact_silu, bound);
}

TEST_CASE("the live softplus stays within 5 ulp", "[live-math]") {
    const auto bound = [](double) { return 5 * ulp; };
    check_sweep(&LiveMath::softplus, floats(1e-30f, 86.0f, 401, true, true), exact_softplus, bound);
    check_sweep(&LiveMath::softplus, floats(4.0f, 16.0f, 11, false, true), exact_softplus, bound);  // dt of long memories
}

TEST_CASE("far out the live functions go to their limits", "[live-math]") {
    const float huge = std::numeric_limits<float>::max();
    const std::vector<float> x{-huge, -1e30f, -200.0f, 200.0f, 1e30f, huge, 0.0f, -0.0f};
    for (const Isa isa : available_isas()) {
        CAPTURE(isa_name(isa));
        std::vector<float> y(x.size());
        live_math_for(isa).silu(x.size(), x.data(), y.data());
        // exp stops at 2^126: what is left of -1e30 is 1e-8.
        for (std::size_t i = 0; i < 3; ++i) CHECK((y[i] <= 0.0f && y[i] >= 1.3e-38f * x[i]));
        for (std::size_t i = 3; i < x.size(); ++i) CHECK(y[i] == x[i]);
        live_math_for(isa).softplus(x.size(), x.data(), y.data());
        for (std::size_t i = 0; i < 3; ++i) CHECK((y[i] >= 0.0f && y[i] <= 2e-38f));
        for (std::size_t i = 3; i < 6; ++i) CHECK(y[i] == x[i]);
        const std::vector<float> low{-huge, -1e30f, -200.0f, -127.0f, 0.0f, -0.0f};
        live_math_for(isa).exp2m1(low.size(), low.data(), y.data());
        for (std::size_t i = 0; i < 4; ++i) CHECK(y[i] == -1.0f);
        CHECK((y[4] == 0.0f && y[5] == 0.0f));
    }
}
