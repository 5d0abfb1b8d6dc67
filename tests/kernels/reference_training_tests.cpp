// SPDX-License-Identifier: GPL-3.0-or-later
// Losses and the optimiser.
#include "equations/adamw.h"
#include "equations/losses.h"
#include "kernels/gradient_check.h"
#include "random.h"

using namespace serpent::equations;
using namespace serpent::test;

TEST_CASE("esr: by hand", "[reference]") {
    const std::vector<double> target{1, -2, 2}, prediction{1, -1, 0};
    EsrSums<double> sums;
    esr(3, target.data(), prediction.data(), sums);
    CHECK(sums.error == 5);
    CHECK(sums.energy == 9);
    CHECK(close(5 / (9 + 1e-8), sums.value(), 1e-15));
    CHECK(EsrSums<double>{}.value() == 0); // silence predicted by silence
    EsrSums<double> perfect;
    esr(3, target.data(), target.data(), perfect);
    CHECK(perfect.value() == 0);
}

TEST_CASE("pre-emphasised esr: by hand, and in pieces", "[reference]") {
    const std::vector<double> target{1, 2, -1}, prediction{0, 2, 0};
    // Differences of prediction and target: -1, 0, 1; filtered with 0.5: -1, 0.5, 1. Target filtered: 1, 1.5, -2.
    EsrSums<double> sums;
    PreEmphasisState<double> state;
    pre_emphasised_esr(3, target.data(), prediction.data(), 0.5, state, sums);
    CHECK(close(2.25, sums.error, 1e-15));
    CHECK(close(7.25, sums.energy, 1e-15));
    CHECK(state.target == -1);
    CHECK(state.prediction == 0);

    for (std::size_t cut = 0; cut <= 3; ++cut) {
        EsrSums<double> pieces;
        PreEmphasisState<double> carried;
        pre_emphasised_esr(cut, target.data(), prediction.data(), 0.5, carried, pieces);
        pre_emphasised_esr(3 - cut, target.data() + cut, prediction.data() + cut, 0.5, carried, pieces);
        CHECK(pieces.error == sums.error);
        CHECK(pieces.energy == sums.energy);
    }
}

TEST_CASE("esr: gradients, plain and pre-emphasised", "[reference]") {
    Random random(21);
    for (std::size_t n : {0u, 1u, 2u, 7u, 16u, 17u}) {
        const auto target = random.vector(n);
        auto prediction = random.vector(n);
        const double dloss = 0.7;
        EsrSums<double> sums;
        esr(n, target.data(), prediction.data(), sums);
        std::vector<double> gradient(n);
        esr_backward(n, target.data(), prediction.data(), sums.energy, dloss, gradient.data());
        check_gradient("esr", prediction, gradient, [&] {
            EsrSums<double> s;
            esr(n, target.data(), prediction.data(), s);
            return dloss * s.value();
        });

        // Through the filter's state too: the loss takes the state that the piece leaves behind.
        std::vector<double> before{random.uniform(-1, 1)}, dbefore(1);
        const double dstate_out = 0.3, coefficient = default_pre_emphasis;
        const auto forward = [&](EsrSums<double>& s) {
            PreEmphasisState<double> state{0.25, before[0]};
            pre_emphasised_esr(n, target.data(), prediction.data(), coefficient, state, s);
            return state.prediction;
        };
        EsrSums<double> emphasised;
        forward(emphasised);
        std::vector<double> dprediction(n);
        pre_emphasised_esr_backward(n, target.data(), prediction.data(), coefficient, {0.25, before[0]},
                                    emphasised.energy, dloss, dstate_out, dprediction.data(), dbefore.data());
        const auto loss = [&] {
            EsrSums<double> s;
            const double after = forward(s);
            return dloss * s.value() + dstate_out * after;
        };
        check_gradient("pre-emphasised esr", prediction, dprediction, loss);
        check_gradient("pre-emphasis state", before, dbefore, loss);
    }
}

TEST_CASE("adamw: the first step moves by the rate, whatever the gradient's size", "[reference]") {
    // Bias correction makes m/c1 = g and v/c2 = g^2, so the step is rate g / (|g| + eps).
    for (double g : {1e-3, 1.0, -50.0}) {
        double p = 2, m = 0, v = 0;
        const AdamWOptions options{.rate = 0.1, .weight_decay = 0.01};
        adamw(1, options, 1, &g, &p, &m, &v);
        CHECK(close(2 - 0.1 * 0.01 * 2 - 0.1 * g / (std::abs(g) + 1e-8), p, 1e-14));
        CHECK(close(0.1 * g, m, 1e-15 * std::abs(g)));
        CHECK(close(0.001 * g * g, v, 1e-15 * g * g));
    }
}

TEST_CASE("adamw: closed form for a constant gradient", "[reference]") {
    // m_t = g (1 - b1^t) and v_t = g^2 (1 - b2^t): every step is the same, and decay is a geometric series.
    const double g = -0.5, rate = 0.01, decay = 0.1, step_size = rate * 0.5 / (0.5 + 1e-8);
    double p = 1, m = 0, v = 0;
    const AdamWOptions options{.rate = rate, .weight_decay = decay};
    for (long step = 1; step <= 200; ++step)
        adamw(1, options, step, &g, &p, &m, &v);
    const double keep = std::pow(1 - rate * decay, 200);
    CHECK(close(keep + step_size * (1 - keep) / (rate * decay), p, 1e-12)); // 200 steps of a few ulp
}

TEST_CASE("adamw: two different gradients by hand, several values", "[reference]") {
    const AdamWOptions options{.rate = 0.5, .beta1 = 0.5, .beta2 = 0.75, .eps = 0, .weight_decay = 0};
    std::vector<double> p{1, -1}, m(2), v(2), g{2, 4};
    adamw(2, options, 1, g.data(), p.data(), m.data(), v.data());
    CHECK(p == std::vector<double>{0.5, -1.5});
    g = {-1, 0};
    adamw(2, options, 2, g.data(), p.data(), m.data(), v.data());
    // m = 0.5 - 0.5 = 0; and m = 0.5 * 2 = 1, v = 0.75 * 4 = 3: (1 / 0.75) / sqrt(3 / 0.4375).
    CHECK(close(0.5, p[0], 1e-15));
    CHECK(close(-1.5 - 0.5 * (1 / 0.75) / std::sqrt(3 / 0.4375), p[1], 1e-15));
}

TEST_CASE("adamw: no values", "[reference]") {
    double untouched = 3;
    adamw<double>(0, {}, 1, nullptr, &untouched, nullptr, nullptr);
    CHECK(untouched == 3);
}
