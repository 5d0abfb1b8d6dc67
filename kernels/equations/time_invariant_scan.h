// SPDX-License-Identifier: MIT
// Time-invariant scan: a bank of damped oscillators for every channel, each a complex state that nothing but its input
// moves. Next to the raw waveform such layers do better than selective ones.
//
//   r = exp(A_log), w = A_imag          per channel and state, per step
//   q = exp(-r + i w) - 1               formed without cancellation: expm1(-r) cos w - 2 sin^2(w / 2) + i exp(-r) sin w
//   b = sqrt(1 - exp(-2 r))             white noise of unit power leaves every state with unit power
//   h <- h + q h + b x                  complex h
//   y = sum_m (C[0] Re h + C[1] Im h) + D x
//
// Shapes    x, y (length, channels); A_log, A_imag (channels, pairs); C (channels, pairs, 2); D (channels);
//           h (channels, pairs, 2), real part first.
// Aliasing  h_end may be h_start; otherwise none.
// Source    Gu, Gupta, Goel and Re, "On the Parameterization and Initialization of Diagonal State Space Models" (2022);
//           b: Orvieto et al., "Resurrecting Recurrent Neural Networks for Long Sequences" (2023).
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace serpent::equations {

struct TimeInvariantShape {
    std::size_t length, channels, pairs;

    std::size_t state_size() const { return channels * pairs * 2; }
};

/// What a pair's two parameters come to.
template <class T>
struct Oscillator {
    T q_re, q_im, b;
};

template <class T>
Oscillator<T> oscillator(T A_log, T A_imag) {
    const T r = std::exp(A_log), half = std::sin(A_imag / T(2));
    return {std::expm1(-r) * std::cos(A_imag) - T(2) * half * half, std::exp(-r) * std::sin(A_imag),
            std::sqrt(-std::expm1(T(-2) * r))};
}

/// From the gradients of (q_re, q_im, b) to those of A_log and A_imag, which are added to.
template <class T>
void oscillator_backward(T A_log, T A_imag, const Oscillator<T>& d, T& dA_log, T& dA_imag) {
    const T r = std::exp(A_log), decay = std::exp(-r), cosine = decay * std::cos(A_imag), sine = decay * std::sin(A_imag);
    const T b = std::sqrt(-std::expm1(T(-2) * r));
    dA_log += r * (-d.q_re * cosine - d.q_im * sine + d.b * decay * decay / b);
    dA_imag += -d.q_re * sine + d.q_im * cosine;
}

template <class T>
struct TimeInvariantParameters {
    const T *A_log, *A_imag, *C, *D;
};

/// Each may be null when it is not wanted. Added to.
template <class T>
struct TimeInvariantGradients {
    T *x = nullptr, *A_log = nullptr, *A_imag = nullptr, *C = nullptr, *D = nullptr, *h_start = nullptr;
};

template <class T>
void time_invariant_scan(const TimeInvariantShape& s, const T* x, const TimeInvariantParameters<T>& p, const T* h_start,
                         T* y, T* h_end) {
    std::vector<T> h(s.state_size(), T(0));
    for (std::size_t i = 0; h_start && i < h.size(); ++i) h[i] = h_start[i];
    for (std::size_t t = 0; t < s.length; ++t)
        for (std::size_t c = 0; c < s.channels; ++c) {
            const T x_tc = x[t * s.channels + c];
            T sum = p.D[c] * x_tc;
            for (std::size_t m = 0; m < s.pairs; ++m) {
                const std::size_t i = c * s.pairs + m;
                const Oscillator<T> o = oscillator(p.A_log[i], p.A_imag[i]);
                const T re = h[2 * i], im = h[2 * i + 1];
                h[2 * i] = re + o.q_re * re - o.q_im * im + o.b * x_tc;
                h[2 * i + 1] = im + o.q_im * re + o.q_re * im;
                sum += p.C[2 * i] * h[2 * i] + p.C[2 * i + 1] * h[2 * i + 1];
            }
            y[t * s.channels + c] = sum;
        }
    for (std::size_t i = 0; h_end && i < h.size(); ++i) h_end[i] = h[i];
}

/// dh_end: gradient with respect to h_end; null for zeros.
template <class T>
void time_invariant_scan_backward(const TimeInvariantShape& s, const T* x, const TimeInvariantParameters<T>& p,
                                  const T* h_start, const T* dy, const T* dh_end, const TimeInvariantGradients<T>& out) {
    for (std::size_t c = 0; c < s.channels; ++c)
        for (std::size_t m = 0; m < s.pairs; ++m) {
            const std::size_t i = c * s.pairs + m;
            const Oscillator<T> o = oscillator(p.A_log[i], p.A_imag[i]);
            std::vector<T> re(s.length + 1, T(0)), im(s.length + 1, T(0));
            if (h_start) re[0] = h_start[2 * i], im[0] = h_start[2 * i + 1];
            for (std::size_t t = 0; t < s.length; ++t) {
                re[t + 1] = re[t] + o.q_re * re[t] - o.q_im * im[t] + o.b * x[t * s.channels + c];
                im[t + 1] = im[t] + o.q_im * re[t] + o.q_re * im[t];
            }
            T g_re = dh_end ? dh_end[2 * i] : T(0), g_im = dh_end ? dh_end[2 * i + 1] : T(0);
            Oscillator<T> d{T(0), T(0), T(0)};
            for (std::size_t t = s.length; t-- > 0;) {
                const std::size_t tc = t * s.channels + c;
                if (out.C) out.C[2 * i] += dy[tc] * re[t + 1], out.C[2 * i + 1] += dy[tc] * im[t + 1];
                g_re += dy[tc] * p.C[2 * i];
                g_im += dy[tc] * p.C[2 * i + 1];
                d.q_re += g_re * re[t] + g_im * im[t];
                d.q_im += g_im * re[t] - g_re * im[t];
                d.b += g_re * x[tc];
                if (out.x) out.x[tc] += g_re * o.b;
                const T before = g_re;
                g_re += o.q_re * g_re + o.q_im * g_im;
                g_im += o.q_re * g_im - o.q_im * before;
            }
            if (out.h_start) out.h_start[2 * i] += g_re, out.h_start[2 * i + 1] += g_im;
            T dA_log = 0, dA_imag = 0;
            oscillator_backward(p.A_log[i], p.A_imag[i], d, dA_log, dA_imag);
            if (out.A_log) out.A_log[i] += dA_log;
            if (out.A_imag) out.A_imag[i] += dA_imag;
        }
    for (std::size_t t = 0; t < s.length; ++t)
        for (std::size_t c = 0; c < s.channels; ++c) {
            const std::size_t tc = t * s.channels + c;
            if (out.x) out.x[tc] += p.D[c] * dy[tc];
            if (out.D) out.D[c] += dy[tc] * x[tc];
        }
}

} // namespace serpent::equations
