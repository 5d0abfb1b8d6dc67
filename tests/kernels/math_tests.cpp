// SPDX-License-Identifier: GPL-3.0-or-later
// The vector exponentials, on every ISA, swept against float64 through the operators that use them.
#include "serpent/kernels/lanes.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <new>
#include <vector>

using namespace serpent::kernels;

namespace {

constexpr double ulp = 0x1p-23;

/// Operators want 64-byte alignment.
struct AlignedFloats {
    explicit AlignedFloats(std::size_t n) : data(static_cast<float*>(::operator new(n * sizeof(float), align))) {}
    ~AlignedFloats() { ::operator delete(data, align); }
    AlignedFloats(const AlignedFloats&) = delete;
    AlignedFloats& operator=(const AlignedFloats&) = delete;
    static constexpr std::align_val_t align{64};
    float* data;
};

constexpr int rows = 20000;
constexpr int values = rows * lane_count;

/// Both signs and 0, magnitudes log-spaced over [1e-12, 86]: the range in which no float exponential saturates.
std::vector<float> sweep() {
    std::vector<float> x(values, 0.0f);
    for (int i = 2; i < values; ++i) {
        const double magnitude = 1e-12 * std::pow(86e12, i / (values - 1.0));
        x[static_cast<std::size_t>(i)] = static_cast<float>(i % 2 ? magnitude : -magnitude);
    }
    return x;
}

template <class Exact>
double worst_relative_error(const float* x, const float* y, Exact exact) {
    double worst = 0.0;
    for (int i = 0; i < values; ++i) {
        const double want = exact(static_cast<double>(x[i]));
        const double error = want == 0.0 ? std::abs(static_cast<double>(y[i])) : std::abs(y[i] - want) / std::abs(want);
        if (std::isnan(error)) return error;
        worst = std::max(worst, error);
    }
    return worst;
}

} // namespace

TEST_CASE("silu and softplus stay within 4 ulp", "[math]") {
    const auto x = sweep();
    AlignedFloats in(values), out(values);
    std::copy(x.begin(), x.end(), in.data);
    for (const Isa isa : available_isas()) {
        INFO(isa_name(isa));
        lane_ops(isa).silu(rows, in.data, out.data);
        CHECK(worst_relative_error(in.data, out.data, [](double v) { return v / (1.0 + std::exp(-v)); }) <= 4 * ulp);
        lane_ops(isa).softplus(rows, in.data, out.data);
        CHECK(worst_relative_error(in.data, out.data, [](double v) {
                  return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v)));
              }) <= 4 * ulp);
    }
}

TEST_CASE("expm1 of the scan keeps 4 ulp relative accuracy near 0, and -1 far out", "[math]") {
    // q = expm1(dt A) is what the scan records; A = -1 makes it expm1(-dt).
    auto dt = sweep();
    for (float& v : dt) v = std::abs(v);
    dt.back() = 1e6f;
    AlignedFloats dts(values), zeros(values), y(values), q(values), h_series(values), h(lane_count);
    std::copy(dt.begin(), dt.end(), dts.data);
    std::fill_n(zeros.data, values, 0.0f);
    std::fill_n(h.data, lane_count, 0.0f);
    const float A = -1.0f, D = 0.0f;
    const LaneScanShape shape{rows, 1, 1, true, false, 1};
    const LaneScanInputs in{&A, &D, dts.data, zeros.data, zeros.data, zeros.data};
    for (const Isa isa : available_isas()) {
        INFO(isa_name(isa));
        lane_ops(isa).scan(shape, in, h.data, nullptr, y.data, h_series.data, q.data);
        CHECK(worst_relative_error(dts.data, q.data, [](double v) { return std::expm1(-v); }) <= 4 * ulp);
    }
}
