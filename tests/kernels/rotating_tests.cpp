// SPDX-License-Identifier: GPL-3.0-or-later
// The rotating block: the same numbers as the equations in complex arithmetic, energy over hours, playing at other rates.
#include "close.h"
#include "equations/rotating_scan.h"
#include "random.h"

#include <catch2/catch.hpp>

#include <complex>
#include <numbers>

using namespace serpent::equations;
using namespace serpent::test;

TEST_CASE("rotating scan: is the recurrence of complex numbers", "[reference]") {
    for (const bool tied : {false, true}) {
        const RotatingShape s{50, 3, 2, tied};
        Random random(5);
        const auto x = random.vector(150), dt = random.vector(150, 0.01, 1), A = random.vector(s.decays(), -2, -0.1),
                   w = random.vector(6, -3.1, 3.1), B = random.vector(200), C = random.vector(200), D = random.vector(3),
                   start = random.vector(12);
        std::vector<double> y(150), end(12);
        rotating_scan<double>(s, {x.data(), dt.data(), A.data(), w.data(), B.data(), C.data(), D.data(), start.data()}, y.data(), end.data());
        std::vector<double> wanted(150);
        std::vector<std::complex<double>> h(6);
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t m = 0; m < 2; ++m) h[c * 2 + m] = {start[c * 4 + m], start[c * 4 + 2 + m]};
        for (std::size_t t = 0; t < 50; ++t)
            for (std::size_t c = 0; c < 3; ++c) {
                wanted[t * 3 + c] = D[c] * x[t * 3 + c];
                for (std::size_t m = 0; m < 2; ++m) {
                    const double a = std::exp(dt[t * 3 + c] * A[tied ? c : c * 2 + m]);
                    h[c * 2 + m] = a * std::exp(std::complex<double>(0, w[c * 2 + m])) * h[c * 2 + m] +
                                   std::sqrt(1 - a * a) * x[t * 3 + c] * std::complex<double>(B[t * 4 + m], B[t * 4 + 2 + m]);
                    wanted[t * 3 + c] += C[t * 4 + m] * h[c * 2 + m].real() + C[t * 4 + 2 + m] * h[c * 2 + m].imag();
                }
            }
        CHECK(distance(wanted, y).within(1e-12, 1e-11));  // roundings of double over 50 steps
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t m = 0; m < 2; ++m) CHECK(std::abs(std::complex(end[c * 4 + m], end[c * 4 + 2 + m]) - h[c * 2 + m]) < 1e-12);
    }
}

TEST_CASE("rotating scan: a turn in floats is never longer than 1, and as exact as floats are", "[reference]") {
    Random random(6);
    auto angles = random.vector(20000, -std::numbers::pi, std::numbers::pi);
    for (int i = 0; i < 2000; ++i) angles.push_back(std::pow(10.0, -9.0 + i / 220.0));
    for (const double edge : {0.0, std::numbers::pi, std::numbers::pi / 2, 100.0, 1e-30}) angles.push_back(edge);
    for (const double w : angles) {
        const auto turn = Turn<float>::of(w);
        const double t = turn.t, s = turn.s, excess = 2 * t + t * t + s * s;
        CAPTURE(w, excess);
        CHECK(excess <= 0);
        CHECK(excess > -4e-7);  // two or three half roundings
        const double angle = std::atan2(s, 1 + t), wanted = std::atan2(std::sin(w), std::cos(w));
        CHECK(std::abs(angle - wanted) <= 2.4e-7 * std::max(1e-7, std::abs(wanted)) + 1e-37);
    }
}

TEST_CASE("rotating scan: a ringing that does not decay gains no energy by rounding", "[reference]") {
    for (const double w : {1e-4, 0.0123, 0.7, 1.5707, 2.9}) {
        const auto turn = Turn<float>::of(w);
        float re = 1, im = 0;
        double loudest = 0;
        for (int i = 0; i < 20'000'000; ++i) {  // 7 minutes at 48 kHz
            rotating_step(0.0f, turn, 0.0f, 0.0f, re, im);
            if (i % 4096 == 0) loudest = std::max(loudest, double(re) * re + double(im) * im);
        }
        CAPTURE(w, re, im);
        CHECK(loudest < 1.001);  // roundings of the sums, which have no direction
    }
}

TEST_CASE("rotating scan: at another rate a resonance keeps its frequency, length and gain", "[reference]") {
    const double w = 0.05, tau = 400;
    const auto ring = [&](double ratio, std::size_t n) {  // to a step, at 1 / ratio times the rate
        const RotatingShape s{n, 1, 1, false, ratio};
        const std::vector<double> x(n, 1.0), dt(n, ratio / tau), A{-1}, angle{w * ratio}, B(2 * n, 0.7), C(2 * n, 1.0);
        std::vector<double> y(n);
        rotating_scan<double>(s, {x.data(), dt.data(), A.data(), angle.data(), B.data(), C.data()}, y.data(), static_cast<double*>(nullptr));
        return y;
    };
    const auto once = ring(1, 1000), twice = ring(0.5, 2000), half = ring(2, 500);
    double largest = 0, off_twice = 0, off_half = 0;
    for (std::size_t t = 0; t < 490; ++t) {
        largest = std::max(largest, std::abs(once[2 * t + 1]));
        // The middle of a long step and the two short ones in it: half a step apart.
        off_twice = std::max(off_twice, std::abs(0.5 * (twice[2 * t] + twice[2 * t + 1]) - once[t]));
        off_half = std::max(off_half, std::abs(half[t] - 0.5 * (once[2 * t] + once[2 * t + 1])));
    }
    CAPTURE(largest, off_twice, off_half);
    CHECK(off_twice < 0.05 * largest);  // a step's length of ringing at w
    CHECK(off_half < 0.05 * largest);
}
