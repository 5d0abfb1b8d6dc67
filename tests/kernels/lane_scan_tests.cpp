// SPDX-License-Identifier: GPL-3.0-or-later
// The lane-batched selective scan against its plain twin in double, on every ISA: forward, carry, backward, long
// memories, and the three-phase form with consecutive chunks of one sequence in the lanes.
#include "equations/selective_scan.h"
#include "kernels/lane_case.h"

using namespace serpent::kernels;
using namespace serpent::test;
namespace equations = serpent::equations;

namespace {

struct LaneScanCase {
    equations::ScanShape shape;
    std::vector<double> A, D;                // shared by the lanes
    Sequences x, dt, B, C, h, dy, dh;        // h: start state; dh: gradient of the end state
    Sequences dA, dD, dB, dC;                // what is there before

    LaneScanShape lane_shape(std::size_t stride) const {
        return {static_cast<int>(shape.length), static_cast<int>(shape.channels), static_cast<int>(shape.states),
                shape.tied, shape.rule == equations::InputRule::ema, static_cast<int>(stride)};
    }
    equations::ScanInputs<double> inputs(std::size_t l) const {
        return {x[l].data(), dt[l].data(), A.data(), B[l].data(), C[l].data(), D.data(), h[l].data()};
    }
};

std::vector<double> rounded(std::vector<double> values) {
    for (double& v : values)
        v = static_cast<double>(static_cast<float>(v));
    return values;
}

/// Lane l's time constants are tau_min .. tau_max log-spaced over the lanes, dt varying by a factor of two over time.
LaneScanCase make_case(const equations::ScanShape& shape, double tau_min, double tau_max, std::uint64_t seed) {
    Random random(seed);
    const std::size_t n = shape.length * shape.channels, m = shape.length * shape.states;
    // Not zero mean: or a long sum would be near zero by chance, and its error nothing to compare with.
    const auto signal = [&](std::size_t size) { return random_sequences(random, size, -0.5, 1.5); };
    LaneScanCase c{shape, rounded(random.vector(shape.decays(), -2, -1)), rounded(random.vector(shape.channels)),
                   signal(n), {}, signal(m), signal(m), signal(shape.state_size()), signal(n),
                   signal(shape.state_size()), signal(shape.decays()), signal(shape.channels), signal(m), signal(m)};
    for (std::size_t l = 0; l < lanes; ++l) {
        const double slowest = 1 / (tau_min * std::pow(tau_max / tau_min, static_cast<double>(l) / (lanes - 1)));
        c.dt[l] = rounded(random.vector(n, slowest, 2 * slowest));
    }
    return c;
}

std::vector<equations::ScanShape> all_kinds(std::size_t length, std::size_t channels, std::size_t states) {
    std::vector<equations::ScanShape> shapes;
    for (bool tied : {false, true})
        for (auto rule : {equations::InputRule::euler, equations::InputRule::ema})
            shapes.push_back({length, channels, states, tied, rule});
    return shapes;
}

/// The inputs in lanes, B and C as slices of wider rows.
struct Packed {
    Slice bc;
    std::vector<float> A, D;
    LaneFloats x, dt, B, C;

    Packed(const LaneScanCase& c, const Slice& bc_)
        : bc(bc_), A(floats(c.A)), D(floats(c.D)), x(pack(c.x, Slice(c.shape.channels))),
          dt(pack(c.dt, Slice(c.shape.channels))), B(pack(c.B, bc)), C(pack(c.C, bc)) {}
    LaneScanInputs inputs() const { return {A.data(), D.data(), dt.data(), x.data(), at(B, bc), at(C, bc)}; }
};

struct Expected {
    Sequences y, h_end;
};

Expected reference_forward(const LaneScanCase& c) {
    Expected e;
    for (std::size_t l = 0; l < lanes; ++l) {
        e.y[l].resize(c.x[l].size());
        e.h_end[l].resize(c.shape.state_size());
        equations::selective_scan(c.shape, c.inputs(l), e.y[l].data(), e.h_end[l].data());
    }
    return e;
}

struct ExpectedGradients {
    Sequences x, dt, A, B, C, D, h_start;
};

ExpectedGradients reference_gradients(const LaneScanCase& c) {
    ExpectedGradients g{{}, {}, c.dA, c.dB, c.dC, c.dD, {}};
    for (std::size_t l = 0; l < lanes; ++l) {
        g.x[l].resize(c.x[l].size()), g.dt[l].resize(c.x[l].size()), g.h_start[l].resize(c.shape.state_size());
        equations::selective_scan_backward<double>(c.shape, c.inputs(l), c.dy[l].data(), c.dh[l].data(),
                                                   {g.x[l].data(), g.dt[l].data(), g.A[l].data(), g.B[l].data(),
                                                    g.C[l].data(), g.D[l].data(), g.h_start[l].data()});
    }
    return g;
}

void check_forward(const LaneOps& ops, const LaneScanCase& c, const Slice& bc, double rms, double max) {
    const Packed in(c, bc);
    const Slice row(c.shape.channels), state(c.shape.state_size());
    LaneFloats h = pack(c.h, state), y(c.shape.length * c.shape.channels * lanes), carry = h;
    ops.scan(c.lane_shape(bc.stride), in.inputs(), h.data(), nullptr, y.data(), nullptr, nullptr);
    const Expected expected = reference_forward(c);
    check_lanes("y", expected.y, unpack(y, row), rms, max);
    check_lanes("h_end", expected.h_end, unpack(h, state), rms, max);

    LaneFloats q_sum(c.shape.decays() * lanes, NAN);
    ops.scan_carry(c.lane_shape(bc.stride), in.inputs(), carry.data(), nullptr, q_sum.data(), nullptr);
    CHECK(carry == h);
    for (std::size_t l = 0; l < lanes; ++l)
        for (std::size_t i = 0; i < c.shape.decays(); ++i) {
            double sum = 0;
            for (std::size_t t = 0; t < c.shape.length; ++t)
                sum += c.dt[l][t * c.shape.channels + (c.shape.tied ? i : i / c.shape.states)];
            // A compensated sum, a product and expm1's 4 ulp, however long the sum.
            const double decay = std::expm1(c.A[i] * sum);
            CHECK(close(decay, q_sum[i * lanes + l], 6e-7 * std::abs(decay)));
        }
}

void check_backward(const LaneOps& ops, const LaneScanCase& c, const Slice& bc, double rms, double max) {
    const Packed in(c, bc);
    const Slice row(c.shape.channels), state(c.shape.state_size()), decays(c.shape.decays());
    const std::size_t n = c.shape.length * c.shape.channels * lanes;
    const LaneFloats h_start = pack(c.h, state), dy = pack(c.dy, row);
    LaneFloats h = h_start, y(n), h_series(c.shape.length * c.shape.state_size() * lanes);
    LaneFloats q_series(c.shape.length * c.shape.decays() * lanes);
    ops.scan(c.lane_shape(bc.stride), in.inputs(), h.data(), nullptr, y.data(), h_series.data(), q_series.data());
    for (std::size_t i = 0; i < h.size() && c.shape.length > 0; ++i)
        if (h_series[h_series.size() - h.size() + i] != h[i])
            FAIL("the series does not end in the end state");

    LaneFloats dh = pack(c.dh, state), dA = pack(c.dA, decays), dD = pack(c.dD, row), ddt(n, untouched), dx = ddt;
    LaneFloats dB = pack(c.dB, bc), dC = pack(c.dC, bc);
    ops.scan_backward(c.lane_shape(bc.stride), in.inputs(), h_start.data(), h_series.data(), q_series.data(), dy.data(),
                      dh.data(), {dA.data(), dD.data(), ddt.data(), dx.data(), at(dB, bc), at(dC, bc)});
    const ExpectedGradients expected = reference_gradients(c);
    check_lanes("dx", expected.x, unpack(dx, row), rms, max);
    check_lanes("ddt", expected.dt, unpack(ddt, row), rms, max);
    check_together("dA", expected.A, unpack(dA, decays), rms, max);
    check_lanes("dB", expected.B, unpack(dB, bc), rms, max);
    check_lanes("dC", expected.C, unpack(dC, bc), rms, max);
    check_together("dD", expected.D, unpack(dD, row), rms, max);
    check_lanes("dh_start", expected.h_start, unpack(dh, state), rms, max);
    CHECK(surroundings_untouched(dB, bc));
    CHECK(surroundings_untouched(dC, bc));
}

} // namespace

TEST_CASE("lane scan: every remainder of the state tiles, ugly lengths, slices", "[lanes]") {
    for (std::size_t steps : {0u, 1u, 2u, 7u, 15u, 16u, 17u})
        for (std::size_t states : {1u, 2u, 3u, 4u, 5u, 7u, 8u, 9u})
            for (const equations::ScanShape& shape : all_kinds(steps, 3, states)) {
                CAPTURE(steps, states, shape.tied, shape.rule == equations::InputRule::ema);
                const LaneScanCase c = make_case(shape, 1, 1000, 81);
                for_each_isa([&](const LaneOps& ops) {
                    // Some ten roundings of float per value, and terms that partly cancel in a sequence of two samples.
                    check_forward(ops, c, Slice(states, 2 * states + 1, 1), 5e-6, 2e-5);
                    check_backward(ops, c, Slice(states, 2 * states + 1, 1), 5e-6, 2e-5);
                });
            }
}

TEST_CASE("lane scan: 255, 256 and 257 steps, one channel and many", "[lanes]") {
    for (std::size_t steps : {255u, 256u, 257u})
        for (std::size_t channels : {1u, 8u})
            for (const equations::ScanShape& shape : all_kinds(steps, channels, 4)) {
                CAPTURE(steps, channels, shape.tied, shape.rule == equations::InputRule::ema);
                const LaneScanCase c = make_case(shape, 1, 96000, 82);
                for_each_isa([&](const LaneOps& ops) {
                    check_forward(ops, c, Slice(4), 1e-5, 1e-4); // the bound of every implementation
                    check_backward(ops, c, Slice(4), 1e-5, 1e-4);
                });
            }
}

TEST_CASE("lane scan: time constants up to 96,000 samples over 200,000", "[lanes]") {
    for (auto rule : {equations::InputRule::euler, equations::InputRule::ema}) {
        CAPTURE(rule == equations::InputRule::ema);
        const LaneScanCase c = make_case({200000, 1, 1, false, rule}, 10, 96000, 83);
        for_each_isa([&](const LaneOps& ops) { check_forward(ops, c, Slice(1), 1e-5, 1e-4); });
    }
}

TEST_CASE("lane scan: gradients through 20,000 steps of slow channels", "[lanes]") {
    for (auto rule : {equations::InputRule::euler, equations::InputRule::ema}) {
        CAPTURE(rule == equations::InputRule::ema);
        const LaneScanCase c = make_case({20000, 1, 2, false, rule}, 10000, 96000, 84);
        for_each_isa([&](const LaneOps& ops) { check_backward(ops, c, Slice(2), 1e-5, 1e-4); });
    }
}

TEST_CASE("lane scan: a split call is one call, bit for bit", "[lanes]") {
    const LaneScanCase c = make_case({97, 2, 5}, 1, 1000, 85);
    const Packed in(c, Slice(5));
    for_each_isa([&](const LaneOps& ops) {
        LaneFloats h = pack(c.h, Slice(10)), low(h.size()), whole(97 * 2 * lanes), split = whole, h_split = h, low_split = low;
        ops.scan(c.lane_shape(5), in.inputs(), h.data(), low.data(), whole.data(), nullptr, nullptr);
        for (std::size_t t = 0, piece = 0; t < 97; t += piece) {
            piece = std::min<std::size_t>(1 + t % 20, 97 - t);
            LaneScanShape part = c.lane_shape(5);
            part.steps = static_cast<int>(piece);
            const std::size_t channel = t * 2 * lanes, state = t * 5 * lanes;
            ops.scan(part,
                     {in.A.data(), in.D.data(), &in.dt[channel], &in.x[channel], &in.B[state], &in.C[state]},
                     h_split.data(), low_split.data(), &split[channel], nullptr, nullptr);
        }
        CHECK(split == whole);
        CHECK(h_split == h);
        CHECK(low_split == low);
    });
}

TEST_CASE("lane scan: 16 chunks of one sequence side by side equal the sequence", "[lanes]") {
    for (const equations::ScanShape& whole : all_kinds(16 * 1000, 2, 3)) {
        CAPTURE(whole.tied, whole.rule == equations::InputRule::ema);
        // Lane 15's time constants everywhere: 48,000 samples, three times the whole length.
        LaneScanCase c = make_case({1000, 2, 3, whole.tied, whole.rule}, 48000, 48000, 86);
        const auto joined = [](const Sequences& s) {
            std::vector<double> all;
            for (const auto& part : s)
                all.insert(all.end(), part.begin(), part.end());
            return all;
        };
        const auto x = joined(c.x), dt = joined(c.dt), B = joined(c.B), C = joined(c.C);
        std::vector<double> y(x.size()), h_end(6);
        equations::selective_scan<double>(
            whole, {x.data(), dt.data(), c.A.data(), B.data(), C.data(), c.D.data(), c.h[0].data()}, y.data(),
            h_end.data());
        const Packed in(c, Slice(3));
        for_each_isa([&](const LaneOps& ops) {
            LaneFloats from_zero(6 * lanes), q_sum(whole.decays() * lanes), h(6 * lanes), out(1000 * 2 * lanes);
            ops.scan_carry(c.lane_shape(3), in.inputs(), from_zero.data(), nullptr, q_sum.data(), nullptr);
            std::vector<float> carry = floats(c.h[0]);
            for (std::size_t l = 0; l < lanes; ++l)
                for (std::size_t i = 0; i < 6; ++i) {
                    h[i * lanes + l] = carry[i];
                    const float q = q_sum[whole.decay_index(i / 3, i % 3) * lanes + l];
                    carry[i] = equations::join_chunks(carry[i], q, from_zero[i * lanes + l]);
                }
            ops.scan(c.lane_shape(3), in.inputs(), h.data(), nullptr, out.data(), nullptr, nullptr);
            CHECK(distance(y, joined(unpack(out, Slice(2)))).within(1e-5, 1e-4));
            CHECK(distance(h_end, carry).within(1e-5, 1e-4));
        });
    }
}

TEST_CASE("lane scan: slow states arrive where a signal that stands still leads them", "[lanes]") {
    // The same B, C, x and dt at every step, over four time constants of the slowest lane: a state that float32 rounds at each of them
    // stays 3e-3 away from its end.
    for (auto rule : {equations::InputRule::euler, equations::InputRule::ema}) {
        CAPTURE(rule == equations::InputRule::ema);
        LaneScanCase c = make_case({400000, 1, 1, false, rule}, 10, 96000, 87);
        for (auto* sequences : {&c.x, &c.dt, &c.B, &c.C})
            for (auto& values : *sequences) std::fill(values.begin(), values.end(), values.front());
        const Packed in(c, Slice(1));
        const Expected expected = reference_forward(c);
        for_each_isa([&](const LaneOps& ops) {
            const Slice one(1);
            LaneFloats h = pack(c.h, one), low(lanes), y(c.shape.length * lanes), carry = h, carry_low(lanes), q_sum(lanes);
            ops.scan(c.lane_shape(1), in.inputs(), h.data(), low.data(), y.data(), nullptr, nullptr);
            check_lanes("y", expected.y, unpack(y, one), 1e-6, 1e-5);  // some roundings of y, q and B x
            check_lanes("h_end", expected.h_end, unpack(h, one), 1e-6, 1e-6);
            ops.scan_carry(c.lane_shape(1), in.inputs(), carry.data(), carry_low.data(), q_sum.data(), nullptr);
            CHECK(carry == h);
            CHECK(carry_low == low);
        });
    }
}
