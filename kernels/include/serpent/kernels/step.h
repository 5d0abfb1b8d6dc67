// SPDX-License-Identifier: MIT
// Operators on one sequence and one step, for models that hear their own output: channels in SIMD lanes, matrix times
// vector with as many independent sums as hide the latency of a multiply-add.
//
// Widths are padded with zeros to multiples of step_pad ("stride"); arrays are 64-byte aligned. Operators that take
// (first, count) work on that range of output channels, multiples of step_pad, so that long work can be cut into pieces;
// the pieces give the same bits as the whole. Nothing allocates or keeps state: all are thread-safe on different data.
// Error: 1e-5 rms, 1e-4 max relative to the rms of a float64 evaluation. The plain twins: kernels/equations.
#pragma once

#include "serpent/kernels/isa.h"

namespace serpent::kernels {

inline constexpr int step_pad = 16;

constexpr int step_padded(int width) { return (width + step_pad - 1) / step_pad * step_pad; }

/// y = W x + b. weight: [in][stride], the transpose of PyTorch's, padded with zeros; bias: [stride].
struct StepLinear {
    const float *weight, *bias;
    int in, stride;
};

/// Selective state update and gate: dt = softplus(dt_proj dt_low), then as LaneOps::scan, y = (C h + D x) silu(z).
struct StepSelective {
    StepLinear dt_proj;
    const float *A, *D;    ///< [decays][stride], negative; [stride]
    const float *x, *z;    ///< [stride]
    const float* dt_B_C;   ///< dt_low (dt_proj.in), B (d_state), C (d_state)
    float *h, *y;          ///< [d_state][stride], moved on; [stride], written
    int d_state;
    bool tied, ema;
};

/// Rotating state update and gate: dt as above, then equations/rotating_scan.h (step_ratio 1), y = (C h + D x) silu(z).
struct StepRotating {
    StepLinear dt_proj;
    const float *A, *turn_t, *turn_s;  ///< [decays][stride], negative; [pairs][stride]: Turn::of(w)
    const float *D, *x, *z;            ///< [stride]
    const float* dt_B_C;               ///< dt_low (dt_proj.in), B (2 pairs), C (2 pairs): real parts, then imaginary ones
    float *h_re, *h_im, *y;            ///< [pairs][stride], moved on; [stride], written
    int pairs;
    bool tied;
};

/// Oscillators and gate: equations/time_invariant_scan.h, y = (C h + D x) silu(z).
struct StepOscillators {
    const float *q_re, *q_im, *b, *c_re, *c_im;  ///< [pairs][stride]
    const float *D, *x, *z;                      ///< [stride]
    float *h_re, *h_im, *y;                      ///< [pairs][stride], moved on; [stride], written
    int pairs, stride;
};

/// Causal convolution of the last samples, which lie in a ring, and silu: y = silu(bias + sum_k w[k] x[(taps - 1 - k) dilation ago]).
struct StepConv {
    const float *weight, *bias;  ///< [taps][stride], the present sample's last; [stride]
    const float* history;        ///< [(taps - 1) dilation + 1][stride]
    float* y;                    ///< [stride], written
    int taps, dilation, stride;
    int newest;                  ///< row of the present sample; the one before it lies before it, before row 0 the last
};

struct StepOps {
    Isa isa;
    /// y[first, first + count) = W x + b; with `add`, y += W x + b. x and y must not overlap.
    void (*linear)(const StepLinear& w, const float* x, float* y, int first, int count, bool add);
    /// u = e w / sqrt(mean_c e^2 + 1e-5); the padding of e is zero. u may be e.
    void (*norm)(int channels, const float* w, const float* e, float* u);
    void (*conv)(const StepConv& s, int first, int count);
    void (*selective)(const StepSelective& s, int first, int count);
    void (*rotating)(const StepRotating& s, int first, int count);
    void (*oscillators)(const StepOscillators& s, int first, int count);
    /// out[k] = exp(scale (logits[k] - largest)), k < n, n a multiple of step_pad; scale >= 0.
    void (*exponentials)(int n, float scale, const float* logits, float* out);
};

/// Throws std::invalid_argument when `isa` is not available on this machine.
const StepOps& step_ops(Isa isa);

} // namespace serpent::kernels
