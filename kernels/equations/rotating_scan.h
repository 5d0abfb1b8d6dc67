// SPDX-License-Identifier: MIT
// Rotating scan: the selective scan with complex states that turn by a fixed angle per sample while they decay, so that a channel
// can ring. One sequence, sample by sample:
//
//   q = expm1(dt A)                                       dt, B, C from the input, as in selective_scan.h; A < 0
//   h[c][m] <- exp(dt A) exp(i w) h[c][m] + b B[m] x[c]   complex h and B
//   b       = sqrt(1 - exp(2 dt A))                       white noise of unit power leaves every state with unit power
//   y[c]    = sum_m (Re C[m] Re h[c][m] + Im C[m] Im h[c][m]) + D[c] x[c]
//
// The distance of the factor from 1 is what is formed, never the factor: with t = cos w - 1 = -2 sin^2(w / 2) and s = sin w,
//
//   exp(dt A) exp(i w) - 1 = (q + t + q t) + i (s + q s)
//
// so that slow states and slow turns are exact to float's relative precision. Turn::of() rounds (1 + t, s) to floats whose length is
// at most 1: a state that hardly decays does not gain energy by rounding, however long it turns.
// That keeps a state stable, not exact: angle and length are off by up to 6e-8 a sample, always the same way, which tau amplifies (w near
// 1, tau 2,000: 1e-4 of the state; 48,000: 2e-3). Who walks far in single steps carries what the rounding of t and s left out, too.
//
// Playing at another rate than the model's, r = step_ratio = model rate / playing rate: a step lasts r old ones. dt and w shrink or
// grow with r; b is what keeps the gain near the resonance in seconds:
//
//   b^2 = r (1 - a^2) + (1 - r) (1 - a)^3 / (1 + a),  a = exp(dt A)
//
// exact for slow states (r times the squared gain, since there are 1 / r as many steps), for immediate ones, and for r = 1 and 1/2.
//
// Shapes    x, dt, y (length, channels); B, C (length, 2 pairs): real parts, then imaginary ones; D (channels) or null; h (channels, 2
//           pairs) likewise; A (channels, pairs), or (channels) when tied; w (channels, pairs), radians per sample.
// Aliasing  h_end may be h_start; otherwise none.
// Error     float: as selective_scan.h.
// Source    Gu and Dao, "Mamba" (2023); Orvieto et al., "Resurrecting Recurrent Neural Networks for Long Sequences" (2023) for b.
#pragma once

#include "equations/host_device.h"
#include "equations/scan_step.h"

#include <cmath>
#include <cstddef>
#include <vector>

namespace serpent::equations {

/// cos w - 1 and sin w.
template <class T>
struct Turn {
    T t, s;

    SERPENT_HD static Turn exactly(double w) {
        const double half = std::sin(0.5 * w);
        return {static_cast<T>(-2 * half * half), static_cast<T>(std::sin(w))};
    }
    /// Rounded so that (1 + t)^2 + s^2 <= 1: towards the inside where it would be longer.
    SERPENT_HD static Turn of(double w) {
        Turn turn = exactly(w);
        const auto excess = [&] { return 2 * double(turn.t) + double(turn.t) * double(turn.t) + double(turn.s) * double(turn.s); };
        while (excess() > 0) {
            // Of the two parts the one that costs less of an angle: what is large loses least in relation.
            if (std::fabs(1 + double(turn.t)) < std::fabs(double(turn.s))) turn.s = std::nextafter(turn.s, T(0));
            else turn.t = std::nextafter(turn.t, T(turn.t > T(-1) ? -2 : 0));
        }
        return turn;
    }
};

/// Squared gain of the input; q = exp(dt A) - 1.
template <class T>
SERPENT_HD inline T input_power(T q, T r) {
    const T two = T(2);
    return r == T(1) ? -q * (two + q) : -q * (r * (two + q) + (T(1) - r) * q * q / (two + q));
}

/// d sqrt(input_power) / d q, from b = sqrt(input_power); 0 where b is 0.
template <class T>
SERPENT_HD inline T input_gain_slope(T q, T r, T b) {
    const T two = T(2), one = T(1);
    T slope = -two * (one + q);
    if (r != one) slope = r * slope - (one - r) * q * q * (two * q + T(6)) / ((two + q) * (two + q));
    return b > T(0) ? slope / (two * b) : T(0);
}

/// One step of one pair. B_re x and B_im x times b are `in_re`, `in_im`.
template <class T>
SERPENT_HD inline void rotating_step(T q, Turn<T> turn, T in_re, T in_im, T& re, T& im) {
    const T q_re = q + turn.t + q * turn.t, q_im = turn.s + q * turn.s;
    const T change_re = q_re * re - q_im * im + in_re, change_im = q_re * im + q_im * re + in_im;
    re += change_re;
    im += change_im;
}

struct RotatingShape {
    std::size_t length, channels, pairs;
    bool tied = false;
    double step_ratio = 1;

    std::size_t state_size() const { return channels * 2 * pairs; }
    std::size_t decay_index(std::size_t c, std::size_t m) const { return tied ? c : c * pairs + m; }
    std::size_t decays() const { return tied ? channels : channels * pairs; }
};

template <class T>
struct RotatingInputs {
    const T *x, *dt, *A, *w, *B, *C;
    const T* D = nullptr;
    const T* h_start = nullptr;  ///< null: zeros
};

/// Each may be null when it is not wanted. Added to.
template <class T>
struct RotatingGradients {
    T *x = nullptr, *dt = nullptr, *A = nullptr, *w = nullptr, *B = nullptr, *C = nullptr, *D = nullptr, *h_start = nullptr;
};

/// h_end: the state after the last sample; null when it is not wanted. h_series: the state before every sample and after the last.
template <class T>
void rotating_scan(const RotatingShape& s, const RotatingInputs<T>& in, T* y, T* h_end, std::vector<T>* h_series = nullptr) {
    const std::size_t P = s.pairs;
    std::vector<T> h(s.state_size(), T(0));
    for (std::size_t i = 0; in.h_start && i < h.size(); ++i) h[i] = in.h_start[i];
    if (h_series) *h_series = h;
    for (std::size_t t = 0; t < s.length; ++t) {
        const T *B = in.B + t * 2 * P, *C = in.C + t * 2 * P;
        for (std::size_t c = 0; c < s.channels; ++c) {
            const T x = in.x[t * s.channels + c], dt = in.dt[t * s.channels + c];
            T sum = in.D ? in.D[c] * x : T(0);
            for (std::size_t m = 0; m < P; ++m) {
                T &re = h[c * 2 * P + m], &im = h[c * 2 * P + P + m];
                const T q = decay_minus_one(dt, in.A[s.decay_index(c, m)]);
                const T bx = std::sqrt(input_power(q, T(s.step_ratio))) * x;
                rotating_step(q, Turn<T>::exactly(double(in.w[c * P + m])), bx * B[m], bx * B[P + m], re, im);
                sum += C[m] * re + C[P + m] * im;
            }
            y[t * s.channels + c] = sum;
        }
        if (h_series) h_series->insert(h_series->end(), h.begin(), h.end());
    }
    for (std::size_t i = 0; h_end && i < h.size(); ++i) h_end[i] = h[i];
}

/// dh_end: gradient with respect to h_end; null for zeros.
template <class T>
void rotating_scan_backward(const RotatingShape& s, const RotatingInputs<T>& in, const T* dy, const T* dh_end,
                            const RotatingGradients<T>& out) {
    const std::size_t P = s.pairs, size = s.state_size();
    std::vector<T> series, y(s.length * s.channels), g(size, T(0));
    rotating_scan(s, in, y.data(), static_cast<T*>(nullptr), &series);
    for (std::size_t i = 0; dh_end && i < size; ++i) g[i] = dh_end[i];
    for (std::size_t t = s.length; t-- > 0;)
        for (std::size_t c = 0; c < s.channels; ++c) {
            const std::size_t tc = t * s.channels + c;
            const T x = in.x[tc], dt = in.dt[tc];
            if (out.D) out.D[c] += dy[tc] * x;
            if (out.x && in.D) out.x[tc] += dy[tc] * in.D[c];
            for (std::size_t m = 0; m < P; ++m) {
                const std::size_t re = c * 2 * P + m, im = re + P, b_re = t * 2 * P + m, b_im = b_re + P, a = s.decay_index(c, m);
                const T *before = &series[t * size], *after = before + size;
                const T q = decay_minus_one(dt, in.A[a]), b = std::sqrt(input_power(q, T(s.step_ratio)));
                const Turn<T> turn = Turn<T>::exactly(double(in.w[c * P + m]));
                if (out.C) out.C[b_re] += dy[tc] * after[re], out.C[b_im] += dy[tc] * after[im];
                g[re] += dy[tc] * in.C[b_re];
                g[im] += dy[tc] * in.C[b_im];
                // The state before, turned: what the decay multiplies.
                const T turned_re = (T(1) + turn.t) * before[re] - turn.s * before[im];
                const T turned_im = (T(1) + turn.t) * before[im] + turn.s * before[re];
                const T drive = g[re] * in.B[b_re] + g[im] * in.B[b_im];  // gradient of b x
                const T dq = g[re] * turned_re + g[im] * turned_im + drive * x * input_gain_slope(q, T(s.step_ratio), b);
                const T decayed = dq * (T(1) + q);  // gradient of dt A
                if (out.dt) out.dt[tc] += decayed * in.A[a];
                if (out.A) out.A[a] += decayed * dt;
                if (out.w) out.w[c * P + m] += (T(1) + q) * (g[im] * turned_re - g[re] * turned_im);
                if (out.B) out.B[b_re] += g[re] * b * x, out.B[b_im] += g[im] * b * x;
                if (out.x) out.x[tc] += drive * b;
                const T back_re = (T(1) + turn.t) * g[re] + turn.s * g[im], back_im = (T(1) + turn.t) * g[im] - turn.s * g[re];
                g[re] = back_re + q * back_re;
                g[im] = back_im + q * back_im;
            }
        }
    for (std::size_t i = 0; out.h_start && i < size; ++i) out.h_start[i] += g[i];
}

} // namespace serpent::equations
