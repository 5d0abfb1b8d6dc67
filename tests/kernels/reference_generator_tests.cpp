// SPDX-License-Identifier: GPL-3.0-or-later
// What generators need beyond a Mamba block, in double: gradients against differences, split calls, known values.
#include "equations/cross_entropy.h"
#include "equations/time_invariant_scan.h"
#include "kernels/gradient_check.h"
#include "random.h"

#include <complex>

using namespace serpent::equations;
using namespace serpent::test;

namespace {

struct Case {
    TimeInvariantShape shape;
    std::vector<double> x, A_log, A_imag, C, D, h, dy, dh;

    Case(const TimeInvariantShape& s, std::uint64_t seed) : shape(s) {
        Random random(seed);
        const std::size_t n = s.channels * s.pairs;
        x = random.vector(s.length * s.channels), dy = random.vector(x.size());
        A_log = random.vector(n, -4, 0.5), A_imag = random.vector(n, -0.5, 3.5);
        C = random.vector(2 * n), D = random.vector(s.channels);
        h = random.vector(s.state_size()), dh = random.vector(s.state_size());
    }
    TimeInvariantParameters<double> parameters() const { return {A_log.data(), A_imag.data(), C.data(), D.data()}; }
};

struct Outputs {
    std::vector<double> y, h;
};

Outputs run(const Case& c) {
    Outputs o{c.x, c.h};
    time_invariant_scan<double>(c.shape, c.x.data(), c.parameters(), c.h.data(), o.y.data(), o.h.data());
    return o;
}

} // namespace

TEST_CASE("time-invariant scan: the complex exponential itself", "[reference]") {
    const Case c({50, 3, 2}, 61);
    const Outputs o = run(c);
    for (std::size_t ch = 0; ch < 3; ++ch) {
        std::complex<double> h[2] = {{c.h[4 * ch], c.h[4 * ch + 1]}, {c.h[4 * ch + 2], c.h[4 * ch + 3]}};
        for (std::size_t t = 0; t < 50; ++t) {
            double y = c.D[ch] * c.x[t * 3 + ch];
            for (std::size_t m = 0; m < 2; ++m) {
                const std::size_t i = 2 * ch + m;
                const double r = std::exp(c.A_log[i]);
                h[m] = std::exp(std::complex<double>(-r, c.A_imag[i])) * h[m] + std::sqrt(1 - std::exp(-2 * r)) * c.x[t * 3 + ch];
                y += c.C[2 * i] * h[m].real() + c.C[2 * i + 1] * h[m].imag();
            }
            CHECK(close(y, o.y[t * 3 + ch], 1e-12));  // some 100 roundings of numbers about 1
        }
    }
}

TEST_CASE("time-invariant scan: a split call is one call", "[reference]") {
    for (std::size_t length : {0u, 1u, 2u, 13u, 31u}) {
        const Case c({length, 3, 2}, 62);
        const Outputs whole = run(c);
        Outputs split{std::vector<double>(c.x.size()), c.h};
        for (std::size_t t = 0, piece = 0; t < length; t += piece) {
            piece = std::min<std::size_t>(1 + t % 5, length - t);
            time_invariant_scan<double>({piece, 3, 2}, &c.x[t * 3], c.parameters(), split.h.data(), &split.y[t * 3], split.h.data());
        }
        CHECK(split.y == whole.y);
        CHECK(split.h == whole.h);
    }
}

TEST_CASE("time-invariant scan: gradients of the input, the state and every parameter", "[reference]") {
    for (std::size_t length : {0u, 1u, 2u, 7u}) {
        CAPTURE(length);
        Case c({length, 3, 2}, 63);
        const auto loss = [&] {
            const Outputs o = run(c);
            return dot(o.y, c.dy) + dot(o.h, c.dh);
        };
        std::vector<double> dx(c.x.size()), dA_log(c.A_log.size()), dA_imag(dA_log.size()), dC(c.C.size()), dD(3), dh(c.h.size());
        time_invariant_scan_backward<double>(c.shape, c.x.data(), c.parameters(), c.h.data(), c.dy.data(), c.dh.data(),
                                             {dx.data(), dA_log.data(), dA_imag.data(), dC.data(), dD.data(), dh.data()});
        check_gradient("x", c.x, dx, loss);
        check_gradient("A_log", c.A_log, dA_log, loss);
        check_gradient("A_imag", c.A_imag, dA_imag, loss);
        check_gradient("C", c.C, dC, loss);
        check_gradient("D", c.D, dD, loss);
        check_gradient("h", c.h, dh, loss);
    }
}

TEST_CASE("cross-entropy: known values, and its gradient", "[reference]") {
    const double even[] = {3, 3, 3, 3};
    const int target[] = {2};
    double loss = 0;
    cross_entropy<double>({1, 4}, even, target, &loss);
    CHECK(close(std::log(4.0), loss, 1e-15));
    const double huge[] = {1000, 0};  // exp(1000) is no double
    const int first[] = {0}, second[] = {1};
    cross_entropy<double>({1, 2}, huge, first, &loss);
    CHECK(loss == 0);
    cross_entropy<double>({1, 2}, huge, second, &loss);
    CHECK(close(1000, loss, 1e-12));

    Random random(64);
    std::vector<double> logits = random.vector(5 * 7, -3, 3), weight = random.vector(5), gradient(logits.size());
    const int targets[] = {0, 6, 3, 3, 1};
    const auto total = [&] {
        std::vector<double> losses(5);
        cross_entropy<double>({5, 7}, logits.data(), targets, losses.data());
        return dot(losses, weight);
    };
    cross_entropy_backward<double>({5, 7}, logits.data(), targets, weight.data(), gradient.data());
    check_gradient("logits", logits, gradient, total);
}
