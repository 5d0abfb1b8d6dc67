// SPDX-License-Identifier: MIT
// The scalar functions of the device algorithms, for host and device. On the host, hardware approximations are replaced by
// the C library, so that both sides run the same algorithm and differ by roundings.
//
//   decay        q = 2^t - 1 for t = dt A log2(e) <= 0. A slow state needs q to full relative accuracy (docs/architecture.md,
//                numerics): for t > -0.35 a polynomial, 4e-7 with rounding. A fast one does not: its q is at most -0.21, so that
//                the error of the hardware's 2^t (2 ulp, 1.2e-7) becomes at most 6e-7 of q. Either is as if A were another
//                by that much, which no model can tell.
//   softplus     2e-7 relative also for very negative x, where it is a time constant of seconds
//   silu         2e-6 absolute slope; its factors are well conditioned
#pragma once

#include "equations/host_device.h"

#include <cmath>

namespace serpent::kernels::gpu {

inline constexpr float log2_e = 1.44269504f;

SERPENT_HD inline float exp2_fast(float x) {
#ifdef __CUDA_ARCH__
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return std::exp2(x);
#endif
}

SERPENT_HD inline float divide_fast(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fdividef(a, b);
#else
    return a / b;
#endif
}

SERPENT_HD inline float inverse_sqrt(float x) {
#ifdef __CUDA_ARCH__
    return rsqrtf(x);
#else
    return 1.0f / std::sqrt(x);
#endif
}

SERPENT_HD inline float root(float x) {
#ifdef __CUDA_ARCH__
    float y;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return std::sqrt(x);
#endif
}

SERPENT_HD inline float fused(float a, float b, float c) {
#ifdef __CUDA_ARCH__
    return __fmaf_rn(a, b, c);
#else
    return std::fma(a, b, c);
#endif
}

/// expm1(t ln 2) for t <= 0.
SERPENT_HD inline float decay(float t) {
    float p = fused(t, 8.73461386e-3f, 5.53141469e-2f);
    p = fused(p, t, 2.40213301e-1f);
    p = fused(p, t, 6.93147036e-1f);
    float q = p * t;
    if (t <= -0.35f) q = exp2_fast(t) - 1.0f;  // predicated: one instruction less than a selection
    return q;
}

/// exp(x) for x <= 0, to 2e-7 relative: what rounding x log2(e) loses is put back.
SERPENT_HD inline float exp_negative(float x) {
    const float t = x * log2_e;
    const float lost = fused(x, log2_e, -t) + x * 1.92596299e-8f;  // log2(e) = log2_e + 1.926e-8
    const float e = exp2_fast(t);
    return fused(e * 0.693147181f, lost, e);
}

SERPENT_HD inline float sigmoid(float x) { return divide_fast(1.0f, 1.0f + exp2_fast(-log2_e * x)); }
SERPENT_HD inline float silu(float x) { return divide_fast(x, 1.0f + exp2_fast(-log2_e * x)); }
SERPENT_HD inline float silu_slope(float x) {
    const float s = sigmoid(x);
    return fused(s * x, 1.0f - s, s);
}

/// max(x, 0) + ln(1 + y), y = exp(-|x|): ln(1 + y) = 2 artanh(s) = 2 s + s^3 q(s^2), s = y / (2 + y) <= 1/3, q's least largest
/// error 4.5e-9.
SERPENT_HD inline float softplus(float x) {
    const float y = exp_negative(-std::fabs(x));
    const float s = divide_fast(y, y + 2.0f), s2 = s * s;
    float q = fused(s2, 0.280119871f, 0.280018052f);
    q = fused(q, s2, 0.400215272f);
    q = fused(q, s2, 0.666664163f);
    return (x > 0.0f ? x : 0.0f) + fused(s * s2, q, s + s);
}

/// softplus(x) from t = x log2(e), a third cheaper: there, multiplying by log2(e) and what that rounds off are another's work.
/// ln(1 + y) / y, y = exp(-|x|) <= 1, is a polynomial, 1.7e-7 relative with rounding.
SERPENT_HD inline float softplus_of_log2(float t) {
    const float y = exp2_fast(-std::fabs(t));
    float p = fused(y, 5.23269409e-3f, -2.95052379e-2f);
    p = fused(p, y, 7.82259479e-2f);
    p = fused(p, y, -1.36632457e-1f);
    p = fused(p, y, 1.91060066e-1f);
    p = fused(p, y, -2.4842982e-1f);
    p = fused(p, y, 3.33190978e-1f);
    p = fused(p, y, -4.99994934e-1f);
    p = fused(p, y, 9.9999994e-1f);
    return fused(p, y, (t > 0.0f ? t : 0.0f) * 0.693147181f);
}

/// Slope of softplus from its value: sigmoid(x) = 1 - exp(-softplus(x)) = -q(softplus(x) log2(e)).
SERPENT_HD inline float softplus_slope(float softplus_of_x) { return -decay(-log2_e * softplus_of_x); }

} // namespace serpent::kernels::gpu
