// SPDX-License-Identifier: MIT
// Selective scan, the recurrence of a Mamba block, of one sequence, sample by sample:
//
//   h[c][n] <- step(h[c][n]) of scan_step.h with dt[t][c], A[c][n], B[t][n], x[t][c]
//   y[t][c]  = sum_n C[t][n] h[c][n] + D[c] x[t][c]
//
// Shapes    x, dt, y (length, channels); B, C (length, states); D (channels) or null for none; h (channels, states);
//           A (channels, states), or (channels) when tied: one decay for all states of a channel.
// Units     dt is already softplus'd and positive; A is negative, not its logarithm: -exp(A_log).
// Aliasing  h_end may be h_start; otherwise none.
// Error     float: 1e-5 rms, 1e-4 max relative to the rms of the double result, time constants up to 96,000 samples.
// Source    Gu and Dao, "Mamba" (2023), algorithm 2; selective_scan_ref of the public PyTorch implementation (euler).
#pragma once

#include "equations/scan_step.h"

#include <cstddef>
#include <vector>

namespace serpent::equations {

struct ScanShape {
    std::size_t length, channels, states;
    bool tied = false;
    InputRule rule = InputRule::euler;

    std::size_t state_size() const { return channels * states; }
    std::size_t decay_index(std::size_t c, std::size_t n) const { return tied ? c : c * states + n; }
    std::size_t decays() const { return tied ? channels : channels * states; }
};

template <class T>
struct ScanInputs {
    const T* x;
    const T* dt;
    const T* A;
    const T* B;
    const T* C;
    const T* D = nullptr;
    const T* h_start = nullptr; ///< null: zeros
};

/// Each may be null when it is not wanted. Added to.
template <class T>
struct ScanGradients {
    T* x = nullptr;
    T* dt = nullptr;
    T* A = nullptr;
    T* B = nullptr;
    T* C = nullptr;
    T* D = nullptr;
    T* h_start = nullptr;
};

template <class T>
std::vector<T> start_state(const ScanShape& shape, const T* h_start) {
    return h_start ? std::vector<T>(h_start, h_start + shape.state_size()) : std::vector<T>(shape.state_size(), T(0));
}

/// Moves all states over sample t.
template <class T>
void advance_states(const ScanShape& shape, const ScanInputs<T>& in, std::size_t t, T* h) {
    for (std::size_t c = 0; c < shape.channels; ++c) {
        const T dt = in.dt[t * shape.channels + c], x = in.x[t * shape.channels + c];
        for (std::size_t n = 0; n < shape.states; ++n) {
            T& h_cn = h[c * shape.states + n];
            const T q = decay_minus_one(dt, in.A[shape.decay_index(c, n)]);
            h_cn = scan_step(shape.rule, h_cn, q, dt, in.B[t * shape.states + n], x);
        }
    }
}

template <class T>
void read_out(const ScanShape& shape, const ScanInputs<T>& in, std::size_t t, const T* h, T* y) {
    for (std::size_t c = 0; c < shape.channels; ++c) {
        T sum = in.D ? in.D[c] * in.x[t * shape.channels + c] : T(0);
        for (std::size_t n = 0; n < shape.states; ++n)
            sum += in.C[t * shape.states + n] * h[c * shape.states + n];
        y[t * shape.channels + c] = sum;
    }
}

/// h_end: the state after the last sample; null when it is not wanted.
template <class T>
void selective_scan(const ScanShape& shape, const ScanInputs<T>& in, T* y, T* h_end) {
    std::vector<T> h = start_state(shape, in.h_start);
    for (std::size_t t = 0; t < shape.length; ++t) {
        advance_states(shape, in, t, h.data());
        read_out(shape, in, t, h.data(), y);
    }
    if (h_end)
        for (std::size_t i = 0; i < h.size(); ++i)
            h_end[i] = h[i];
}

/// Gradients of everything that sample t touches. h_before, h_after: the states around it. g: on the way in the
/// gradient with respect to h_after from later samples, on the way out that with respect to h_before.
template <class T>
void backward_step(const ScanShape& shape, const ScanInputs<T>& in, std::size_t t, const T* h_before, const T* h_after,
                   const T* dy, T* g, const ScanGradients<T>& out) {
    for (std::size_t c = 0; c < shape.channels; ++c) {
        const std::size_t tc = t * shape.channels + c;
        T dx = in.D ? dy[tc] * in.D[c] : T(0), ddt = 0;
        if (out.D)
            out.D[c] += dy[tc] * in.x[tc];
        for (std::size_t n = 0; n < shape.states; ++n) {
            const std::size_t tn = t * shape.states + n, cn = c * shape.states + n, a = shape.decay_index(c, n);
            const T q = decay_minus_one(in.dt[tc], in.A[a]);
            g[cn] += dy[tc] * in.C[tn];
            const ScanStepGradients<T> step =
                scan_step_gradients(shape.rule, h_before[cn], g[cn], q, in.dt[tc], in.A[a], in.B[tn], in.x[tc]);
            dx += step.x;
            ddt += step.dt;
            if (out.A)
                out.A[a] += step.A;
            if (out.B)
                out.B[tn] += step.B;
            if (out.C)
                out.C[tn] += dy[tc] * h_after[cn];
            g[cn] = adjoint_step(g[cn], q);
        }
        if (out.x)
            out.x[tc] += dx;
        if (out.dt)
            out.dt[tc] += ddt;
    }
}

/// dh_end: gradient with respect to h_end; null for zeros.
template <class T>
void selective_scan_backward(const ScanShape& shape, const ScanInputs<T>& in, const T* dy, const T* dh_end,
                             const ScanGradients<T>& out) {
    const std::size_t size = shape.state_size();
    std::vector<T> states = start_state(shape, in.h_start); // before every sample, and after the last
    states.resize((shape.length + 1) * size);
    for (std::size_t t = 0; t < shape.length; ++t) {
        for (std::size_t i = 0; i < size; ++i)
            states[(t + 1) * size + i] = states[t * size + i];
        advance_states(shape, in, t, &states[(t + 1) * size]);
    }
    std::vector<T> g = start_state(shape, dh_end);
    for (std::size_t t = shape.length; t-- > 0;)
        backward_step(shape, in, t, &states[t * size], &states[(t + 1) * size], dy, g.data(), out);
    if (out.h_start)
        for (std::size_t i = 0; i < size; ++i)
            out.h_start[i] += g[i];
}

} // namespace serpent::equations
