// SPDX-License-Identifier: GPL-3.0-or-later
// The lane-batched operators of rotating blocks and of the filters at a model's ends against their plain twins in double, on every
// instruction set.
#include "equations/fir.h"
#include "equations/rotating_scan.h"
#include "kernels/lane_case.h"

using namespace serpent;
using namespace serpent::test;

namespace {

/// Inputs hold float values; turns are those that the engines use.
struct Rotation {
    std::size_t length, channels, pairs, stride;
    bool tied;
    std::vector<double> A, w, D;
    std::vector<float> a, t, s, d;
    Sequences x, dt, B, C, h, dy, dh;

    Rotation(Random& random, std::size_t length_, std::size_t channels_, std::size_t pairs_, bool tied_, double slowest)
        : length(length_), channels(channels_), pairs(pairs_), stride(2 * pairs_ + 3), tied(tied_) {
        for (std::size_t i = 0; i < plain().decays(); ++i) A.push_back(-float(random.log_uniform(1 / slowest, 1)));
        for (std::size_t i = 0; i < channels * pairs; ++i) w.push_back(float(random.uniform(-3.1, 3.1)));
        for (const float v : random.vector<float>(channels)) D.push_back(v);
        a = floats(A), d = floats(D);
        for (const double angle : w) {
            const auto turn = equations::Turn<float>::of(angle);
            t.push_back(turn.t), s.push_back(turn.s);
        }
        x = random_sequences(random, length * channels), dt = random_sequences(random, length * channels, 0.1, 1.5);
        B = random_sequences(random, length * 2 * pairs), C = random_sequences(random, length * 2 * pairs);
        h = random_sequences(random, channels * 2 * pairs), dy = random_sequences(random, length * channels);
        dh = random_sequences(random, channels * 2 * pairs);
    }
    equations::RotatingShape plain() const { return {length, channels, pairs, tied}; }
    equations::RotatingInputs<double> inputs(std::size_t lane) const {
        return {x[lane].data(), dt[lane].data(), A.data(), w.data(), B[lane].data(), C[lane].data(), D.data(), h[lane].data()};
    }
    kernels::LaneRotationShape shape() const { return {int(length), int(channels), int(pairs), tied, int(stride)}; }
    Slice of_B() const { return {2 * pairs, stride, 1}; }
};

/// The series that are kept between forward and backward.
struct Run {
    LaneFloats x, dt, B, C, h_start, h, y, h_series, q_series;

    explicit Run(const Rotation& r)
        : x(pack(r.x, Slice(r.channels))), dt(pack(r.dt, Slice(r.channels))), B(pack(r.B, r.of_B())), C(pack(r.C, r.of_B())),
          h_start(pack(r.h, Slice(r.channels * 2 * r.pairs))), h(h_start), y(x.size()), h_series(r.length * h.size()),
          q_series(r.length * r.plain().decays() * lanes) {}
    kernels::LaneRotationInputs inputs(const Rotation& r) const {
        return {r.a.data(), r.t.data(), r.s.data(), r.d.data(), dt.data(), x.data(), at(B, r.of_B()), at(C, r.of_B())};
    }
};

void check_backward(const kernels::LaneOps& ops, const Rotation& r, const Run& run) {
    const std::size_t states = r.channels * 2 * r.pairs, decays = r.plain().decays();
    const LaneFloats dy = pack(r.dy, Slice(r.channels));
    LaneFloats dh = pack(r.dh, Slice(states)), ddt(run.x.size()), dx(run.x.size()), dA(decays * lanes), dw(r.w.size() * lanes), dD(r.channels * lanes);
    Sequences none;
    for (auto& sequence : none) sequence.assign(r.length * 2 * r.pairs, 0.0);
    LaneFloats dB = pack(none, r.of_B()), dC = dB;
    ops.rotation_backward(r.shape(), run.inputs(r), run.h_start.data(), run.h_series.data(), run.q_series.data(), dy.data(), dh.data(),
                          {dA.data(), dw.data(), dD.data(), ddt.data(), dx.data(), at(dB, r.of_B()), at(dC, r.of_B())});
    Sequences x, dt, B, C, h, A, w, D;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        x[lane].resize(r.length * r.channels), dt[lane].resize(r.length * r.channels), B[lane].resize(r.length * 2 * r.pairs);
        C[lane] = B[lane], h[lane].resize(states), A[lane].resize(decays), w[lane].resize(r.w.size()), D[lane].resize(r.channels);
        equations::rotating_scan_backward<double>(
            r.plain(), r.inputs(lane), r.dy[lane].data(), r.dh[lane].data(),
            {x[lane].data(), dt[lane].data(), A[lane].data(), w[lane].data(), B[lane].data(), C[lane].data(), D[lane].data(), h[lane].data()});
    }
    // The project's bound for what is of one sample; sums over time of products of states round to some 1e-5 of their size.
    check_together("dx", x, unpack(dx, Slice(r.channels)), 1e-5, 1e-4);
    check_together("ddt", dt, unpack(ddt, Slice(r.channels)), 1e-5, 1e-4);
    check_together("dB", B, unpack(dB, r.of_B()), 1e-5, 1e-4);
    check_together("dC", C, unpack(dC, r.of_B()), 1e-5, 1e-4);
    check_together("dh", h, unpack(dh, Slice(states)), 1e-5, 1e-4);
    check_together("dA", A, unpack(dA, Slice(decays)), 1e-4, 1e-3);
    check_together("dw", w, unpack(dw, Slice(r.w.size())), 1e-4, 1e-3);
    check_together("dD", D, unpack(dD, Slice(r.channels)), 1e-5, 1e-4);
    CHECK(surroundings_untouched(dB, r.of_B()));
    CHECK(surroundings_untouched(dC, r.of_B()));
}

} // namespace

TEST_CASE("lane rotation equals the plain scan, forward and backward", "[lanes]") {
    for_each_isa([](const kernels::LaneOps& ops) {
        for (const std::size_t pairs : {1u, 2u, 3u, 4u, 7u})
            for (const bool tied : {false, true})
                for (const std::size_t length : {0u, 1u, 2u, 33u, 301u}) {
                    CAPTURE(pairs, tied, length);
                    Random random(31 + pairs);
                    const Rotation r(random, length, 3, pairs, tied, 100);
                    Run run(r);
                    ops.rotation(r.shape(), run.inputs(r), run.h.data(), nullptr, run.y.data(), run.h_series.data(), run.q_series.data());
                    Sequences y, h;
                    for (std::size_t lane = 0; lane < lanes; ++lane) {
                        y[lane].resize(length * r.channels), h[lane].resize(r.h[lane].size());
                        equations::rotating_scan<double>(r.plain(), r.inputs(lane), y[lane].data(), h[lane].data());
                    }
                    check_together("y", y, unpack(run.y, Slice(r.channels)), 1e-5, 1e-4);
                    check_together("h", h, unpack(run.h, Slice(r.channels * 2 * pairs)), 1e-5, 1e-4);
                    check_backward(ops, r, run);
                }
    });
}

TEST_CASE("lane rotation: what is carried is what the scan ends with, and q is the decay of the whole", "[lanes]") {
    for_each_isa([](const kernels::LaneOps& ops) {
        for (const std::size_t pairs : {1u, 2u, 5u})
            for (const bool tied : {false, true}) {
                CAPTURE(pairs, tied);
                Random random(91);
                const Rotation r(random, 40, 4, pairs, tied, 1000);
                Run run(r);
                LaneFloats low(run.h.size()), h = run.h_start, low_carried(h.size()), q_sum(r.plain().decays() * lanes), y = run.y;
                ops.rotation(r.shape(), run.inputs(r), run.h.data(), low.data(), run.y.data(), nullptr, nullptr);
                ops.rotation_carry(r.shape(), run.inputs(r), h.data(), low_carried.data(), q_sum.data(), run.q_series.data());
                CHECK(h == run.h);
                CHECK(low_carried == low);
                // From the decays that the first pass kept: the same bits.
                kernels::LaneRotationInputs known = run.inputs(r);
                known.q = run.q_series.data();
                LaneFloats again = run.h_start, low_again(h.size());
                ops.rotation(r.shape(), known, again.data(), low_again.data(), y.data(), nullptr, nullptr);
                CHECK(again == run.h);
                CHECK(y == run.y);
                Sequences q;
                for (std::size_t lane = 0; lane < lanes; ++lane)
                    for (std::size_t i = 0; i < r.plain().decays(); ++i) {
                        double sum = 0;
                        for (std::size_t t = 0; t < r.length; ++t) sum += r.dt[lane][t * r.channels + (tied ? i : i / pairs)];
                        q[lane].push_back(std::expm1(sum * r.A[i]));
                    }
                check_together("q", q, unpack(q_sum, Slice(r.plain().decays())), 1e-6, 1e-5);  // one expm1, of a sum of 40
            }
    });
}

TEST_CASE("the lane filter and its gradients equal the plain ones", "[lanes]") {
    for_each_isa([](const kernels::LaneOps& ops) {
        for (const std::size_t taps : {1u, 2u, 5u, 64u, 257u})
            for (const std::size_t length : {1u, 7u, 130u}) {
                CAPTURE(taps, length);
                Random random(17);
                const std::size_t rows = taps - 1 + length;
                const Slice column(1, 3, 1);
                const Sequences x = random_sequences(random, rows), dy = random_sequences(random, length);
                const std::vector<float> w = random.vector<float>(taps);
                const std::vector<double> weight(w.begin(), w.end());
                const LaneFloats x_lanes = pack(x, column), dy_lanes = pack(dy, column);
                Sequences none, wanted, wanted_dw;
                for (auto& sequence : none) sequence.assign(length, 0.0);
                LaneFloats y = pack(none, column), dw(taps * lanes);
                ops.fir(int(length), int(taps), 3, w.data(), at(x_lanes, column), at(y, column));
                ops.fir_gradient(int(length), int(taps), 3, at(x_lanes, column), at(dy_lanes, column), dw.data());
                for (std::size_t lane = 0; lane < lanes; ++lane) {
                    const double *history = x[lane].data(), *present = history + (taps - 1);
                    wanted[lane].resize(length), wanted_dw[lane].resize(taps);
                    equations::fir<double>(length, taps, present, weight.data(), history, wanted[lane].data(), nullptr);
                    equations::fir_backward<double>(length, taps, present, weight.data(), history, dy[lane].data(), nullptr, wanted_dw[lane].data());
                }
                check_together("y", wanted, unpack(y, column), 1e-6, 1e-5);  // sums of at most 257 terms
                check_together("dw", wanted_dw, unpack(dw, Slice(taps)), 1e-6, 1e-5);
                CHECK(surroundings_untouched(y, column));
            }
    });
}
