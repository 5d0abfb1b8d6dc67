// SPDX-License-Identifier: MIT
// Lane-batched operators: 16 independent sequences side by side, one per SIMD lane. Training puts segments of the
// recording in the lanes, rendering puts consecutive chunks of one file there; either way every width of model
// vectorises fully, because no operator but the horizontal sum of a gradient ever mixes lanes.
//
// Layout of a sequence: [steps][channels][16] floats, 64-byte aligned. `stride` counts channels from one step to the
// next, so that an operator can work on a slice of wider rows. Weights are row-major in PyTorch's shapes. Gradients of
// weights stay in lane form, [weight][16], until the end of a segment; they are always added to.
// Lengths of 0 are allowed. No operator allocates, none keeps state: all are thread-safe. In-place use only where said.
// Error bounds (float32, against float64, relative to the result): exp, expm1, sigmoid, softplus 4 ulp (the slope of
// silu: 2e-6 absolute); linear sums as
// usual for recursive summation, (in + 1) ulp of sum |w x|. Every operator's plain twin is in kernels/equations.
#pragma once

#include "serpent/kernels/isa.h"

#include <cstdint>

namespace serpent::kernels {

inline constexpr int lane_count = 16;

struct LaneScanShape {
    int steps, d_inner, d_state;
    bool tied;   ///< one decay per channel: A is [d_inner], else [d_inner][d_state]
    bool ema;    ///< h += -q (B x - h) instead of h += q h + dt B x, with q = expm1(dt A)
    int stride;  ///< of B and C, in channels
};

struct LaneScanInputs {
    const float* A;   ///< decay rates, negative: [d_inner][d_state] or [d_inner]; plain weights, not lanes
    const float* D;   ///< [d_inner]
    const float* dt;  ///< [steps][d_inner][16], after softplus
    const float* x;   ///< [steps][d_inner][16]
    const float* B;   ///< [steps][d_state of stride][16]
    const float* C;   ///< as B
    /// expm1(dt A), [steps][decays of d_inner][16], where scan_carry() kept it; null: computed.
    const float* q = nullptr;
};

struct LaneScanGradients {
    float* dA;   ///< lane form, added to
    float* dD;   ///< lane form, added to
    float* ddt;  ///< [steps][d_inner][16], written
    float* dx;   ///< [steps][d_inner][16], written
    float* dB;   ///< laid out as B, added to
    float* dC;   ///< as C, added to
};

/// Rotating blocks: equations/rotating_scan.h with step_ratio 1. Of a channel's states, and of B and C, the first `pairs` are real parts.
struct LaneRotationShape {
    int steps, d_inner, pairs;
    bool tied;   ///< one decay per channel: A is [d_inner], else [d_inner][pairs]
    int stride;  ///< of B and C, in channels
};

struct LaneRotationInputs {
    const float* A;                  ///< decay rates, negative; plain weights, as all but the series below
    const float *turn_t, *turn_s;    ///< cos w - 1 and sin w, [d_inner][pairs]
    const float* D;                  ///< [d_inner]
    const float *dt, *x, *B, *C;     ///< as LaneScanInputs
    const float* q = nullptr;        ///< likewise
};

struct LaneRotationGradients {
    float *dA, *dangle, *dD;         ///< lane form, added to; dangle of w, [d_inner][pairs][16]
    float *ddt, *dx, *dB, *dC;       ///< as LaneScanGradients
};

/// Time-invariant layers: `pairs` damped oscillators per channel, each a complex state (real and imaginary part).
struct LaneOscillatorShape {
    int steps, d_inner, pairs;
};

/// Plain weights, not lanes. q, b: equations/time_invariant_scan.h.
struct LaneOscillators {
    const float *q_re, *q_im, *b;  ///< [d_inner][pairs]
    const float* C;                ///< [d_inner][pairs][2]
    const float* D;                ///< [d_inner]
};

struct LaneOscillatorGradients {
    float* dq;  ///< of q_re, q_im and b: [d_inner][pairs][3][16], added to
    float* dC;  ///< lane form, added to
    float* dD;  ///< lane form, added to
    float* dx;  ///< [steps][d_inner][16], written
};

/// y = W x + b and relatives. W's element (o, i) is at w[o * w_out + i * w_in], so the transpose needs no copy.
struct LaneLinearShape {
    int steps, in, out;
    int w_out, w_in;
    int x_stride, y_stride;
};

struct LaneOps {
    const char* target;  ///< Highway's name of the instruction set this table was compiled for

    /// y = W x + bias (bias may be null); with `add`, y += W x + bias. x and y must not overlap.
    void (*linear)(const LaneLinearShape& shape, const float* w, const float* bias, const float* x, float* y, bool add);
    /// dW[o][i] += sum_t dy[t][o] x[t][i], dbias[o] += sum_t dy[t][o] (lane form; dbias may be null).
    void (*linear_gradient)(const LaneLinearShape& shape, const float* dy, const float* x, float* dw, float* dbias);

    /// r = 1 / sqrt(mean_c e^2 + eps); u = e r w, then u = u * film_scale + film_shift where given ([channels][16]).
    /// inverse_rms: [steps][16], may be null. u may be e.
    void (*rms_norm)(int steps, int channels, const float* w, const float* film_scale, const float* film_shift,
                     const float* e, float* u, float* inverse_rms);
    /// Adds to de; dw, dfilm_scale, dfilm_shift in lane form (the last two null without FiLM).
    void (*rms_norm_backward)(int steps, int channels, const float* w, const float* film_scale, const float* e,
                              const float* inverse_rms, const float* du, float* de, float* dw, float* dfilm_scale,
                              float* dfilm_shift);

    /// y[t] = bias + sum_k w[c][k] x[t + k dilation], bias not null: x has steps + (taps - 1) dilation rows, those in front being history.
    void (*conv)(int steps, int channels, int taps, int dilation, const float* w, const float* bias, const float* x, float* y);
    /// dx (as many rows as x) is added to; dw [c][k], dbias [c] in lane form.
    void (*conv_backward)(int steps, int channels, int taps, int dilation, const float* w, const float* x, const float* dy, float* dx,
                          float* dw, float* dbias);

    /// Element-wise over count * 16 floats; y may be x, dx may be dy.
    void (*silu)(int count, const float* x, float* y);
    void (*silu_backward)(int count, const float* x, const float* dy, float* dx);  ///< dx = dy silu'(x)
    void (*softplus)(int count, const float* x, float* y);
    /// dx = dy sigmoid(x), from y = softplus(x).
    void (*softplus_backward)(int count, const float* y, const float* dy, float* dx);
    /// g = y silu(z); g may be y or z.
    void (*gate)(int count, const float* y, const float* z, float* g);
    void (*gate_backward)(int count, const float* y, const float* z, const float* dg, float* dy, float* dz);

    /// Selective scan from h ([d_inner][d_state][16], start state in, end state out). y = C h + D x. h_low, as h: what rounding left
    /// out of h; null: that is lost, which a training gradient does not notice, but a slow state that should arrive somewhere does.
    /// h_series [steps][d_inner][d_state][16] and q_series [steps][decays of d_inner][16] are kept where not null.
    void (*scan)(const LaneScanShape& shape, const LaneScanInputs& in, float* h, float* h_low, float* y, float* h_series,
                 float* q_series);
    /// Phase 1 of the time-parallel form: h and h_low as in scan(), no output, and the decay over all steps, less 1: q_sum
    /// [decays of d_inner][16] = expm1(A sum_t dt). q_series as in scan(), for phase 3 to use as `q`.
    void (*scan_carry)(const LaneScanShape& shape, const LaneScanInputs& in, float* h, float* h_low, float* q_sum, float* q_series);
    /// Backward from the series of scan() and its start state; dh: gradient of the end state in, of the start state out.
    void (*scan_backward)(const LaneScanShape& shape, const LaneScanInputs& in, const float* h_start,
                          const float* h_series, const float* q_series, const float* dy, float* dh,
                          const LaneScanGradients& out);

    /// Rotating scan from h ([d_inner][2 pairs][16]); otherwise as scan(), scan_carry() and scan_backward(), q_series and q_sum having the
    /// decays of LaneRotationShape. The turn of a whole chunk is w steps, which whoever joins chunks knows.
    void (*rotation)(const LaneRotationShape& shape, const LaneRotationInputs& in, float* h, float* h_low, float* y, float* h_series,
                     float* q_series);
    void (*rotation_carry)(const LaneRotationShape& shape, const LaneRotationInputs& in, float* h, float* h_low, float* q_sum, float* q_series);
    void (*rotation_backward)(const LaneRotationShape& shape, const LaneRotationInputs& in, const float* h_start, const float* h_series,
                              const float* q_series, const float* dy, float* dh, const LaneRotationGradients& out);

    /// A filter of one channel, y[t] = sum_k w[k] x[t - k]: x points to taps - 1 rows of history in front of steps rows; rows of x, y and dy
    /// are `stride` channels apart. y may not be x.
    void (*fir)(int steps, int taps, int stride, const float* w, const float* x, float* y);
    /// dw[k] += sum_t dy[t] x[t - k], lane form. The gradient of x is fir() with the taps reversed, of dy and taps - 1 rows of zeros behind.
    void (*fir_gradient)(int steps, int taps, int stride, const float* x, const float* dy, float* dw);

    /// h += q h + b x, y = C h + D x with complex h ([d_inner][pairs][2][16], start state in, end state out).
    /// h_series: [steps][d_inner][pairs][2][16], kept where not null.
    void (*oscillators)(const LaneOscillatorShape& shape, const LaneOscillators& weights, const float* x, float* h, float* y,
                        float* h_series);
    /// dh: gradient of the end state in, of the start state out.
    void (*oscillators_backward)(const LaneOscillatorShape& shape, const LaneOscillators& weights, const float* x,
                                 const float* h_start, const float* h_series, const float* dy, float* dh,
                                 const LaneOscillatorGradients& out);

    /// logits ([steps][classes][16]) become the gradient weight (softmax - [class = target]); probability ([steps][16]):
    /// the softmax at the target, 1 where the weight is 0. target, weight: [steps][16], weight >= 0.
    void (*cross_entropy)(int steps, int classes, float* logits, const std::int32_t* target, const float* weight,
                          float* probability);
};

/// Throws std::invalid_argument when `isa` is not available on this machine.
const LaneOps& lane_ops(Isa isa);

} // namespace serpent::kernels
