// SPDX-License-Identifier: GPL-3.0-or-later
// The approximations of exp, expm1, sigmoid and softplus behind the lane operators: dense sweeps against float64, on
// every ISA. lanes.h states 4 ulp for each; what is built from them gets as many more as it has further operations.
#include "equations/activations.h"
#include "kernels/lane_case.h"

#include <bit>
#include <cstdint>
#include <iostream>
#include <limits>

using namespace serpent::kernels;
using namespace serpent::test;

namespace {

/// Positive floats from low to high, every 997th of them (a prime, so that mantissa bits all vary): some 8,400 per
/// factor of two. Their number is rounded down to whole rows of lanes; high itself comes last.
LaneFloats sweep(float low, float high) {
    LaneFloats x;
    const auto last = std::bit_cast<std::uint32_t>(high);
    for (auto bits = std::bit_cast<std::uint32_t>(low); bits < last; bits += 997)
        x.push_back(std::bit_cast<float>(bits));
    x.resize(x.size() / lanes * lanes);
    x.back() = high;
    return x;
}

LaneFloats negative(LaneFloats x) {
    for (float& value : x)
        value = -value;
    return x;
}

int rows(const LaneFloats& x) { return static_cast<int>(x.size() / lanes); }

/// |got - expected| in units of the last place of a float near expected; NaN for NaN.
double error_ulp(double expected, float got) {
    const float magnitude = std::abs(static_cast<float>(expected));
    const float next = std::nextafter(magnitude, std::numeric_limits<float>::infinity());
    const double ulp = static_cast<double>(next) - static_cast<double>(magnitude);
    return std::abs(static_cast<double>(got) - expected) / ulp;
}

template <class Reference>
void check_ulp(const std::string& name, const LaneFloats& x, const LaneFloats& y, const Reference& reference,
               double bound) {
    double worst = 0;
    float worst_at = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = error_ulp(reference(static_cast<double>(x[i])), y[i]);
        if (!(error <= worst)) {
            worst = error, worst_at = x[i];
            if (std::isnan(worst))
                break;
        }
    }
    INFO(name << " of " << x.size() << " numbers from " << x.front() << " to " << x.back() << ": " << worst
              << " ulp at " << worst_at);
    CHECK(x.size() > 1000);
    CHECK(worst <= bound);
}

/// q of the scan is expm1(dt A): with A = -1, expm1(-dt).
LaneFloats decays(const LaneOps& ops, const LaneFloats& dt) {
    const std::size_t n = dt.size();
    const float A = -1, D = 0;
    LaneFloats zeros(n), h(lanes), y(n), q(n);
    ops.scan({rows(dt), 1, 1, false, false, 1}, {&A, &D, dt.data(), zeros.data(), zeros.data(), zeros.data()}, h.data(), nullptr,
             y.data(), nullptr, q.data());
    return q;
}

} // namespace

TEST_CASE("lane operators: each ISA's table was compiled for that ISA", "[lanes]") {
    std::string ran;
    for (Isa isa : available_isas()) {
        const std::string target = lane_ops(isa).target;
        ran += " " + target;
        CHECK(target == probe_isa(isa).target); // the probe executes and reports what it was compiled for
    }
    std::cout << "lane operators run on:" << ran << std::endl;
}

TEST_CASE("error_ulp can fail", "[lanes]") {
    CHECK(error_ulp(1.0, 1.0f) == 0);
    CHECK(error_ulp(1.0, 1.0f + 0x1p-22f) == 2);
    CHECK_FALSE(error_ulp(1.0, std::numeric_limits<float>::quiet_NaN()) <= 1e30);
}

TEST_CASE("lane expm1: relative accuracy from time constants of 1e30 samples to 1", "[lanes]") {
    for_each_isa([](const LaneOps& ops) {
        for (const LaneFloats& dt : {sweep(1e-30f, 1e-6f), sweep(1e-6f, 1.0f), sweep(1.0f, 86.0f)})
            check_ulp("expm1(-dt)", dt, decays(ops, dt), [](double x) { return std::expm1(-x); }, 4);
        const LaneFloats far(2 * lanes, 1e6f), zero(2 * lanes, 0.0f);
        for (float q : decays(ops, far))
            CHECK(q == -1.0f); // forgets everything, and never overshoots
        for (float q : decays(ops, zero))
            CHECK(q == 0.0f); // holds for ever
    });
}

TEST_CASE("lane expm1: never below -1", "[lanes]") {
    // q < -1 would turn the state's sign over.
    for_each_isa([](const LaneOps& ops) {
        for (float q : decays(ops, sweep(10.0f, 1000.0f)))
            if (!(q >= -1.0f))
                FAIL("q = " << q);
    });
}

TEST_CASE("lane softplus and its gradient", "[lanes]") {
    for_each_isa([](const LaneOps& ops) {
        for (const LaneFloats& x : {sweep(1e-6f, 1.0f), sweep(1.0f, 1e4f), negative(sweep(1e-6f, 1.0f)),
                                    negative(sweep(1.0f, 86.0f))}) {
            LaneFloats y(x.size());
            ops.softplus(rows(x), x.data(), y.data());
            check_ulp("softplus", x, y, [](double v) { return serpent::equations::softplus(v); }, 4);
            // From y as computed: sigmoid(x) = -expm1(-y), 4 ulp; the product with dy = 3 adds half of one.
            const LaneFloats dy(x.size(), 3.0f);
            LaneFloats dx(x.size());
            ops.softplus_backward(rows(x), y.data(), dy.data(), dx.data());
            check_ulp("softplus gradient", y, dx, [](double v) { return -3 * std::expm1(-v); }, 5);
            check_ulp("softplus gradient, by x", x, dx, [](double v) { return 3 * serpent::equations::sigmoid(v); }, 9);
        }
    });
}

TEST_CASE("lane silu and its gradient", "[lanes]") {
    for_each_isa([](const LaneOps& ops) {
        for (const LaneFloats& x : {sweep(1e-6f, 1.0f), sweep(1.0f, 1e4f), negative(sweep(1e-6f, 1.0f)),
                                    negative(sweep(1.0f, 80.0f))}) {
            LaneFloats y(x.size()), in_place = x;
            ops.silu(rows(x), x.data(), y.data());
            check_ulp("silu", x, y, [](double v) { return serpent::equations::silu(v); }, 5); // sigmoid and a product
            ops.silu(rows(x), in_place.data(), in_place.data());
            CHECK(in_place == y);
            // 1 - sigmoid loses digits against x up to 17, and the slope has a zero at -1.28: an absolute bound.
            const LaneFloats dy(x.size(), 1.0f);
            LaneFloats dx(x.size());
            ops.silu_backward(rows(x), x.data(), dy.data(), dx.data());
            double worst = 0;
            for (std::size_t i = 0; i < x.size(); ++i) {
                const double error = std::abs(dx[i] - serpent::equations::silu_derivative(static_cast<double>(x[i])));
                if (!(error <= worst))
                    worst = error;
            }
            INFO("silu gradient from " << x.front() << " to " << x.back() << ": " << worst);
            CHECK(worst <= 2e-6);
        }
    });
}

TEST_CASE("lane silu: far out", "[lanes]") {
    for_each_isa([](const LaneOps& ops) {
        const LaneFloats far(lanes, -1e30f);
        LaneFloats y(lanes);
        ops.silu(1, far.data(), y.data());
        for (float value : y)
            CHECK(std::isfinite(value));
    });
}

TEST_CASE("lane gate: values and gradients", "[lanes]") {
    Random random(61);
    for (std::size_t n : {0u, 1u, 3u, 64u}) {
        const Sequences y = random_sequences(random, n, -2, 2), z = random_sequences(random, n, -20, 20),
                        dg = random_sequences(random, n);
        Sequences g, dy, dz;
        for (std::size_t l = 0; l < lanes; ++l)
            for (std::size_t i = 0; i < n; ++i) {
                g[l].push_back(y[l][i] * serpent::equations::silu(z[l][i]));
                dy[l].push_back(dg[l][i] * serpent::equations::silu(z[l][i]));
                dz[l].push_back(dg[l][i] * y[l][i] * serpent::equations::silu_derivative(z[l][i]));
            }
        const Slice one(1);
        const LaneFloats y_in = pack(y, one), z_in = pack(z, one), dg_in = pack(dg, one);
        for_each_isa([&](const LaneOps& ops) {
            LaneFloats g_out(n * lanes), dy_out(n * lanes), dz_out(n * lanes);
            const int count = static_cast<int>(n);
            ops.gate(count, y_in.data(), z_in.data(), g_out.data());
            ops.gate_backward(count, y_in.data(), z_in.data(), dg_in.data(), dy_out.data(), dz_out.data());
            check_lanes("gate", g, unpack(g_out, one), 5e-7, 2e-6); // 7 ulp of the largest, twenty times the rms
            check_lanes("gate dy", dy, unpack(dy_out, one), 5e-7, 2e-6);
            check_lanes("gate dz", dz, unpack(dz_out, one), 2e-6, 1e-5); // the slope's absolute error, above
            for (const LaneFloats* shared : {&y_in, &z_in}) { // g may be y or z
                LaneFloats in_place = *shared;
                ops.gate(count, shared == &y_in ? in_place.data() : y_in.data(),
                         shared == &z_in ? in_place.data() : z_in.data(), in_place.data());
                CHECK(in_place == g_out);
            }
        });
    }
}
