// SPDX-License-Identifier: MIT
// One time step of the selective scan for one channel and one state, forward and backward: the arithmetic that the
// sequential scan, its time-parallel form and the CUDA kernels share.
//
//   q = expm1(dt A)
//   euler:  h += q h + dt B x
//   ema:    h += q (h - B x)
//
// Rounded to float32, h stops where a step is less than half of its last bit: tau / 2^25 of it away from where it should be, 0.3 %
// at tau = 96,000, on a signal that stands still. The engines on the CPU therefore carry on what the sum leaves out
// (add_compensated() of cpu/math-inl.h).
//
// exp(dt A) is never formed: at a time constant of 48,000 samples, an error of 1e-7 in it is 0.6 % of its distance from
// 1, which is all that counts. Its distance from 1 is q.
#pragma once

#include "equations/host_device.h"

#include <cmath>

namespace serpent::equations {

enum class InputRule { euler, ema };

/// q of one step from dt, or of a whole chunk from the chunk's sum of dt. In (-1, 0] for A < 0.
template <class T>
SERPENT_HD inline T decay_minus_one(T dt, T A) {
    using std::expm1;
    return expm1(dt * A);
}

template <class T>
SERPENT_HD inline T scan_step(InputRule rule, T h, T q, T dt, T B, T x) {
    using std::fma;
    return rule == InputRule::euler ? h + fma(q, h, dt * x * B) : fma(q, fma(-B, x, h), h);
}

/// End state of a chunk: its end state from zero, and its start state decayed over its whole length.
template <class T>
SERPENT_HD inline T join_chunks(T start, T q_chunk, T end_from_zero) {
    using std::fma;
    return start + fma(q_chunk, start, end_from_zero);
}

/// From the gradient g with respect to h after a step to that with respect to h before it.
template <class T>
SERPENT_HD inline T adjoint_step(T g, T q) {
    using std::fma;
    return fma(q, g, g);
}

template <class T>
struct ScanStepGradients {
    T x, dt, A, B;
};

/// h: the state before the step; g: gradient with respect to the state after it.
template <class T>
SERPENT_HD inline ScanStepGradients<T> scan_step_gradients(InputRule rule, T h, T g, T q, T dt, T A, T B, T x) {
    if (rule == InputRule::euler) {
        const T decayed = g * (h + q * h); // gradient with respect to dt A
        return {g * dt * B, decayed * A + g * B * x, decayed * dt, g * dt * x};
    }
    const T distance = h - B * x;
    const T decayed = g * (distance + q * distance);
    return {-q * g * B, decayed * A, decayed * dt, -q * g * x};
}

} // namespace serpent::equations
