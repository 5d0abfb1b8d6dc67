// SPDX-License-Identifier: GPL-3.0-or-later
// The lane-batched operators of generators against their plain twins in double, on every instruction set.
#include "equations/cross_entropy.h"
#include "equations/time_invariant_scan.h"
#include "kernels/lane_case.h"

#include <cstdint>

using namespace serpent;
using namespace serpent::test;

namespace {

/// Time constants of `slowest` steps, to see that rounding does not build up over them.
struct Bank {
    std::vector<double> A_log, A_imag, C, D;
    std::vector<float> q_re, q_im, b, c, d;

    Bank(Random& random, std::size_t channels, std::size_t pairs, double slowest) {
        const std::size_t n = channels * pairs;
        A_log = random.vector(n, -std::log(slowest), 0.0), A_imag = random.vector(n, 0.0, 3.2);
        for (float v : random.vector<float>(2 * n)) C.push_back(v);
        for (float v : random.vector<float>(channels)) D.push_back(v);
        for (std::size_t i = 0; i < n; ++i) {
            const auto o = equations::oscillator(A_log[i], A_imag[i]);
            q_re.push_back(float(o.q_re)), q_im.push_back(float(o.q_im)), b.push_back(float(o.b));
        }
        c = floats(C), d = floats(D);
    }
    kernels::LaneOscillators lanes_form() const { return {q_re.data(), q_im.data(), b.data(), c.data(), d.data()}; }
    equations::TimeInvariantParameters<double> plain() const { return {A_log.data(), A_imag.data(), C.data(), D.data()}; }
};

} // namespace

TEST_CASE("lane oscillators equal the plain scan, forward and backward", "[lanes]") {
    for_each_isa([](const kernels::LaneOps& ops) {
        for (const std::size_t pairs : {1u, 3u, 4u, 5u, 8u})
            for (const std::size_t length : {0u, 1u, 2u, 17u, 301u}) {
                CAPTURE(pairs, length);
                const std::size_t channels = 3;
                Random random(71 + pairs);
                const Bank bank(random, channels, pairs, 200);
                const Sequences x = random_sequences(random, length * channels), h = random_sequences(random, 2 * channels * pairs);
                const Sequences dy = random_sequences(random, length * channels), dh = random_sequences(random, 2 * channels * pairs);
                const kernels::LaneOscillatorShape shape{int(length), int(channels), int(pairs)};
                const equations::TimeInvariantShape plain{length, channels, pairs};

                LaneFloats h_end = pack(h, Slice(2 * channels * pairs)), y(length * channels * lanes);
                LaneFloats series(length * channels * pairs * 2 * lanes);
                const LaneFloats x_lanes = pack(x, Slice(channels)), h_start = h_end;
                ops.oscillators(shape, bank.lanes_form(), x_lanes.data(), h_end.data(), y.data(), series.data());

                LaneFloats dh_lanes = pack(dh, Slice(2 * channels * pairs)), dx(y.size()), dq(channels * pairs * 3 * lanes);
                LaneFloats dC(channels * pairs * 2 * lanes), dD(channels * lanes);
                const LaneFloats dy_lanes = pack(dy, Slice(channels));
                ops.oscillators_backward(shape, bank.lanes_form(), x_lanes.data(), h_start.data(), series.data(), dy_lanes.data(),
                                         dh_lanes.data(), {dq.data(), dC.data(), dD.data(), dx.data()});

                Sequences expected_y, expected_h, expected_dx, expected_dh, expected_dC, expected_dD;
                std::vector<double> expected_dA(channels * pairs), got_dA(channels * pairs);
                std::vector<double> expected_dw(channels * pairs), got_dw(channels * pairs);
                for (std::size_t lane = 0; lane < lanes; ++lane) {
                    expected_y[lane].resize(length * channels), expected_h[lane].resize(h[lane].size());
                    expected_dx[lane].resize(length * channels), expected_dh[lane].resize(h[lane].size());
                    expected_dC[lane].resize(bank.C.size()), expected_dD[lane].resize(channels);
                    equations::time_invariant_scan<double>(plain, x[lane].data(), bank.plain(), h[lane].data(),
                                                           expected_y[lane].data(), expected_h[lane].data());
                    equations::time_invariant_scan_backward<double>(
                        plain, x[lane].data(), bank.plain(), h[lane].data(), dy[lane].data(), dh[lane].data(),
                        {expected_dx[lane].data(), expected_dA.data(), expected_dw.data(), expected_dC[lane].data(),
                         expected_dD[lane].data(), expected_dh[lane].data()});
                    for (std::size_t i = 0; i < channels * pairs; ++i) {
                        const float* d = dq.data() + 3 * i * lanes + lane;
                        equations::oscillator_backward(bank.A_log[i], bank.A_imag[i],
                                                       equations::Oscillator<double>{d[0], d[lanes], d[2 * lanes]}, got_dA[i],
                                                       got_dw[i]);
                    }
                }
                // The project's bound; its rms is over all 16 sequences, since those of one sample may cancel.
                check_together("y", expected_y, unpack(y, Slice(channels)), 1e-5, 1e-4);
                check_together("h", expected_h, unpack(h_end, Slice(2 * channels * pairs)), 1e-5, 1e-4);
                check_together("dx", expected_dx, unpack(dx, Slice(channels)), 1e-5, 1e-4);
                check_together("dh", expected_dh, unpack(dh_lanes, Slice(2 * channels * pairs)), 1e-5, 1e-4);
                check_together("dC", expected_dC, unpack(dC, Slice(2 * channels * pairs)), 1e-5, 1e-4);
                check_together("dD", expected_dD, unpack(dD, Slice(channels)), 1e-5, 1e-4);
                // Sums over time of products of slow states: float32 rounds them to some 1e-5 of their size.
                const Distance a = distance(expected_dA, got_dA), w = distance(expected_dw, got_dw);
                INFO("A_log " << a.rms << ' ' << a.max << ", A_imag " << w.rms << ' ' << w.max);
                CHECK(a.within(1e-4, 1e-3));
                CHECK(w.within(1e-4, 1e-3));
            }
    });
}

TEST_CASE("lane oscillators with time constants of 48,000 samples", "[lanes]") {
    for_each_isa([](const kernels::LaneOps& ops) {
        const std::size_t length = 100000;
        Random random(81);
        const Bank bank(random, 1, 4, 48000);
        const Sequences x = random_sequences(random, length);
        LaneFloats h(8 * lanes), y(length * lanes);
        ops.oscillators({int(length), 1, 4}, bank.lanes_form(), pack(x, Slice(1)).data(), h.data(), y.data(), nullptr);
        std::vector<double> expected(length), got;
        equations::time_invariant_scan<double>({length, 1, 4}, x[0].data(), bank.plain(), nullptr, expected.data(), nullptr);
        for (std::size_t t = 0; t < length; ++t) got.push_back(y[t * lanes]);
        const Distance d = distance(expected, got);
        INFO(d.rms << " rms, " << d.max << " max");
        // The frequency itself is rounded to 2^-24 of q: over 48,000 steps the phase drifts by some 1e-3 at the worst.
        CHECK(d.within(2e-3, 2e-2));
    });
}

TEST_CASE("lane cross-entropy equals the plain one", "[lanes]") {
    for_each_isa([](const kernels::LaneOps& ops) {
        for (const std::size_t classes : {1u, 2u, 7u, 256u})
            for (const std::size_t steps : {0u, 1u, 3u}) {
                CAPTURE(classes, steps);
                Random random(91);
                const Sequences logits = random_sequences(random, steps * classes, -20, 20);
                LaneFloats packed = pack(logits, Slice(classes)), weight(steps * lanes), probability(steps * lanes);
                std::vector<std::int32_t> target(steps * lanes);
                for (std::size_t i = 0; i < target.size(); ++i) {
                    target[i] = std::int32_t(random.uniform(0, double(classes)));
                    weight[i] = i % 5 == 0 ? 0.0f : float(random.uniform(0.1, 2));
                }
                ops.cross_entropy(int(steps), int(classes), packed.data(), target.data(), weight.data(), probability.data());
                Sequences expected;
                for (std::size_t lane = 0; lane < lanes; ++lane) {
                    expected[lane].resize(steps * classes);
                    std::vector<double> loss(steps), scale(steps);
                    std::vector<int> targets(steps);
                    for (std::size_t t = 0; t < steps; ++t) targets[t] = target[t * lanes + lane], scale[t] = double(weight[t * lanes + lane]);
                    equations::cross_entropy<double>({steps, classes}, logits[lane].data(), targets.data(), loss.data());
                    equations::cross_entropy_backward<double>({steps, classes}, logits[lane].data(), targets.data(), scale.data(),
                                                              expected[lane].data());
                    for (std::size_t t = 0; t < steps; ++t) {
                        const double wanted = scale[t] > 0 ? std::exp(-loss[t]) : 1.0;
                        // 4 ulp of each exponential, and of a sum of 256
                        CHECK(close(wanted, double(probability[t * lanes + lane]), 1e-5 * wanted + 1e-30));
                    }
                }
                check_together("dlogits", expected, unpack(packed, Slice(classes)), 1e-5, 1e-4);
            }
    });
}
