// SPDX-License-Identifier: GPL-3.0-or-later
// The engine by itself: its functions against float64, and what it refuses.
#include "random.h"
#include "serpent/kernels/network.h"

#include "nam/plain.h"

#include <catch2/catch.hpp>

#include <array>

using namespace serpent;
using namespace serpent::test;
using kernels::NetFunction;
using kernels::NetFunctionKind;
using kernels::NetOp;
using kernels::NetOpKind;

namespace {

/// in -> f -> out, channel by channel.
kernels::Network only(const NetFunction& f, int channels) {
    kernels::Network network;
    network.signals = {{channels}, {channels}};
    network.ops = {NetOp{.kind = NetOpKind::activate, .in = 0, .out = 1, .f = f}};
    network.output = 1;
    return network;
}

/// What an error is relative to: the answer; where a sum inside cancels, what is summed.
double scale_of(NetFunctionKind kind, double x, double exact) {
    using K = NetFunctionKind;
    if (kind == K::sigmoid || kind == K::softsigmoid) return 1.0;
    if (kind == K::silu || kind == K::hard_swish || kind == K::leaky_hard_tanh) return std::abs(exact) + std::abs(x);
    return std::abs(exact);
}

NetOp convolution(int in, int out, std::size_t weights) {
    return {.kind = NetOpKind::convolve, .in = in, .out = out, .kernel = 2, .weight = std::vector<float>(weights, 0.5f)};
}

} // namespace

TEST_CASE("every function is close to float64 over all that floats hold") {
    for (const kernels::Isa isa : kernels::available_isas())
        for (int kind = 0; kind <= static_cast<int>(NetFunctionKind::softsigmoid); ++kind) {
            const NetFunction f{.kind = static_cast<NetFunctionKind>(kind), .low = -0.7f, .high = 0.9f, .low_slope = 0.2f,
                                .high_slope = -0.1f, .slope = 0.3f};
            kernels::NetEngine engine(only(f, 1), {.isa = isa});
            CAPTURE(kernels::isa_name(isa), kind);
            Random random(3);
            double worst = 0;
            for (int round = 0; round < 400; ++round) {
                std::array<float, 64> x{}, y{};
                for (float& v : x) {
                    v = static_cast<float>(random.log_uniform(1e-6, round % 10 == 0 ? 1e30 : 20.0));
                    if (random.uniform(-1, 1) < 0) v = -v;
                }
                const float* in = x.data();
                float* out = y.data();
                REQUIRE(engine.process(&in, &out, 0, 64));
                for (std::size_t i = 0; i < x.size(); ++i) {
                    const double exact = nam::plain_function<double>(f, x[i], 0);
                    if (!std::isfinite(static_cast<float>(exact)) || std::abs(exact) > 1e35) continue;
                    worst = std::max(worst, std::abs(y[i] - exact) / scale_of(f.kind, x[i], exact));
                }
            }
            CHECK(worst < 1.5e-6);
        }
}

TEST_CASE("networks that cannot run are refused") {
    const auto refused = [](const kernels::Network& network) { CHECK_THROWS_AS(kernels::NetEngine(network), std::invalid_argument); };
    const auto base = [] {
        kernels::Network network;
        network.signals = {{2}, {3}, {6, true}};
        network.ops = {convolution(0, 1, 12)};
        network.output = 1;
        return network;
    };
    CHECK_NOTHROW(kernels::NetEngine(base()));
    kernels::Network n = base();
    n.ops[0].weight.pop_back(), refused(n);
    n = base(), n.ops[0].bias = {1, 2}, refused(n);
    n = base(), n.ops[0].in = 7, refused(n);
    n = base(), n.ops[0].out = -1, refused(n);
    n = base(), n.ops[0].out = 0, refused(n);
    n = base(), n.ops[0].kernel = 0, refused(n);
    n = base(), n.ops[0].dilation = 0, refused(n);
    n = base(), n.ops[0].side = 0, refused(n);
    n = base(), n.ops[0].sum = 2, refused(n);
    n = base(), n.ops[0].f = {.kind = NetFunctionKind::leaky_relu, .slopes = {1, 2}}, refused(n);
    n = base(), n.signals[0].channels = 0, refused(n);
    n = base(), n.signals[2].channels = 5, refused(n);
    n = base(), n.output = 3, refused(n);
    n = base(), n.ops[0] = {.kind = NetOpKind::gate, .in = 2, .out = 0}, refused(n);
    n = base(), n.ops[0] = {.kind = NetOpKind::modulate, .in = 0, .out = 0}, refused(n);
    n = base(), n.ops[0] = {.kind = NetOpKind::lstm, .in = 0, .out = 1}, refused(n);
    n = base(), n.ops[0] = {.kind = NetOpKind::fir, .in = 0, .out = 1, .weight = {1}, .bias = {0}}, refused(n);
    n = base(), n.ops[0].in = 1, n.ops[0].out = 0, n.ops[0].weight.resize(12), refused(n);  // reads what nobody makes
}
