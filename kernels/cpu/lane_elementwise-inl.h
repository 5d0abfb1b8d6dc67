// SPDX-License-Identifier: MIT
// Lane-batched norm, convolution and activations.
#if defined(SERPENT_KERNELS_CPU_LANE_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LANE_ELEMENTWISE_INL_H_
#undef SERPENT_KERNELS_CPU_LANE_ELEMENTWISE_INL_H_
#else
#define SERPENT_KERNELS_CPU_LANE_ELEMENTWISE_INL_H_
#endif

#include "cpu/lane_linear-inl.h"
#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {

inline constexpr float kNormEpsilon = 1e-5f;

void rms_norm(int steps, int channels, const float* w, const float* film_scale, const float* film_shift,
              const float* e, float* u, float* inverse_rms) {
    const LaneTag d;
    const LaneVec inverse_channels = hn::Set(d, 1.0f / static_cast<float>(channels));
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int t = 0; t < steps; ++t) {
            const float* et = e + part + std::ptrdiff_t{t} * channels * kRow;
            float* ut = u + part + std::ptrdiff_t{t} * channels * kRow;
            LaneVec sum = hn::Zero(d);
            for (int c = 0; c < channels; ++c) {
                const LaneVec v = hn::Load(d, et + c * kRow);
                sum = hn::MulAdd(v, v, sum);
            }
            const LaneVec mean = hn::MulAdd(sum, inverse_channels, hn::Set(d, kNormEpsilon));
            const LaneVec r = hn::Div(hn::Set(d, 1.0f), hn::Sqrt(mean));
            if (inverse_rms) hn::Store(r, d, inverse_rms + part + t * kRow);
            for (int c = 0; c < channels; ++c) {
                LaneVec v = hn::Mul(hn::Mul(hn::Load(d, et + c * kRow), r), hn::Set(d, w[c]));
                if (film_scale)
                    v = hn::MulAdd(v, hn::Load(d, film_scale + part + c * kRow), hn::Load(d, film_shift + part + c * kRow));
                hn::Store(v, d, ut + c * kRow);
            }
        }
}

void rms_norm_backward(int steps, int channels, const float* w, const float* film_scale, const float* e,
                       const float* inverse_rms, const float* du, float* de, float* dw, float* dfilm_scale,
                       float* dfilm_shift) {
    const LaneTag d;
    const LaneVec inverse_channels = hn::Set(d, 1.0f / static_cast<float>(channels));
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int t = 0; t < steps; ++t) {
            const std::ptrdiff_t row = part + std::ptrdiff_t{t} * channels * kRow;
            const LaneVec r = hn::Load(d, inverse_rms + part + t * kRow);
            LaneVec dot = hn::Zero(d);  // sum_c g_c e_c, g = gradient of e r
            for (int c = 0; c < channels; ++c) {
                const LaneVec normed = hn::Mul(hn::Load(d, e + row + c * kRow), r);
                LaneVec g = hn::Load(d, du + row + c * kRow);
                const std::ptrdiff_t at = part + c * kRow;
                if (film_scale) {
                    const LaneVec u = hn::Mul(normed, hn::Set(d, w[c]));
                    hn::Store(hn::MulAdd(g, u, hn::Load(d, dfilm_scale + at)), d, dfilm_scale + at);
                    hn::Store(hn::Add(g, hn::Load(d, dfilm_shift + at)), d, dfilm_shift + at);
                    g = hn::Mul(g, hn::Load(d, film_scale + at));
                }
                hn::Store(hn::MulAdd(g, normed, hn::Load(d, dw + at)), d, dw + at);
                dot = hn::MulAdd(hn::Mul(g, hn::Set(d, w[c])), normed, dot);
            }
            dot = hn::Mul(dot, inverse_channels);
            for (int c = 0; c < channels; ++c) {
                const LaneVec normed = hn::Mul(hn::Load(d, e + row + c * kRow), r);
                LaneVec g = hn::Mul(hn::Load(d, du + row + c * kRow), hn::Set(d, w[c]));
                if (film_scale) g = hn::Mul(g, hn::Load(d, film_scale + part + c * kRow));
                const LaneVec change = hn::Mul(hn::NegMulAdd(normed, dot, g), r);
                hn::Store(hn::Add(hn::Load(d, de + row + c * kRow), change), d, de + row + c * kRow);
            }
        }
}

/// Sums from the oldest tap on. Rows far apart are streamed: with channels in the inner loop a row is read whole, while it is near.
void conv(int steps, int channels, int taps, int dilation, const float* w, const float* bias, const float* x, float* y) {
    const LaneTag d;
    const std::ptrdiff_t step = channels * kRow;
    for (int t = 0; t < steps; ++t)
        for (int c = 0; c < channels; ++c)
            for (std::ptrdiff_t part = c * kRow; part < (c + 1) * kRow; part += hn::Lanes(d)) {
                LaneVec sum = hn::Set(d, bias[c]);
                for (int k = 0; k < taps; ++k)
                    sum = hn::MulAdd(hn::Set(d, w[c * taps + k]), hn::Load(d, x + part + (t + k * dilation) * step), sum);
                hn::Store(sum, d, y + part + t * step);
            }
}

void conv_backward(int steps, int channels, int taps, int dilation, const float* w, const float* x, const float* dy, float* dx,
                   float* dw, float* dbias) {
    const LaneTag d;
    const std::ptrdiff_t step = channels * kRow;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int c = 0; c < channels; ++c) {
            const std::ptrdiff_t at = part + c * kRow;
            LaneVec bias_sum = hn::Load(d, dbias + at);
            for (int t = 0; t < steps; ++t) bias_sum = hn::Add(bias_sum, hn::Load(d, dy + at + t * step));
            hn::Store(bias_sum, d, dbias + at);
            for (int k = 0; k < taps; ++k) {
                const LaneVec wk = hn::Set(d, w[c * taps + k]);
                float* dwk = dw + part + (c * taps + k) * kRow;
                LaneVec sum = hn::Load(d, dwk);
                for (int t = 0; t < steps; ++t) {
                    const LaneVec g = hn::Load(d, dy + at + t * step);
                    float* dxk = dx + at + (t + k * dilation) * step;
                    sum = hn::MulAdd(g, hn::Load(d, x + at + (t + k * dilation) * step), sum);
                    hn::Store(hn::MulAdd(wk, g, hn::Load(d, dxk)), d, dxk);
                }
                hn::Store(sum, d, dwk);
            }
        }
}

void silu(int count, const float* x, float* y) {
    const LaneTag d;
    for (std::ptrdiff_t i = 0; i < count * kRow; i += hn::Lanes(d)) {
        const LaneVec v = hn::Load(d, x + i);
        hn::Store(hn::Mul(v, sigmoid_v(d, v)), d, y + i);
    }
}

/// silu'(v) = s (1 + v (1 - s)), s = sigmoid(v).
HWY_INLINE LaneVec silu_slope(LaneTag d, LaneVec v, LaneVec s) {
    const LaneVec one = hn::Set(d, 1.0f);
    return hn::Mul(s, hn::MulAdd(v, hn::Sub(one, s), one));
}

void silu_backward(int count, const float* x, const float* dy, float* dx) {
    const LaneTag d;
    for (std::ptrdiff_t i = 0; i < count * kRow; i += hn::Lanes(d)) {
        const LaneVec v = hn::Load(d, x + i);
        hn::Store(hn::Mul(hn::Load(d, dy + i), silu_slope(d, v, sigmoid_v(d, v))), d, dx + i);
    }
}

void softplus(int count, const float* x, float* y) {
    const LaneTag d;
    for (std::ptrdiff_t i = 0; i < count * kRow; i += hn::Lanes(d))
        hn::Store(softplus_v(d, hn::Load(d, x + i)), d, y + i);
}

void softplus_backward(int count, const float* y, const float* dy, float* dx) {
    const LaneTag d;
    // sigmoid(x) = 1 - exp(-softplus(x)) = -expm1(-y)
    for (std::ptrdiff_t i = 0; i < count * kRow; i += hn::Lanes(d)) {
        const LaneVec slope = hn::Neg(expm1_v(d, hn::Neg(hn::Load(d, y + i))));
        hn::Store(hn::Mul(hn::Load(d, dy + i), slope), d, dx + i);
    }
}

void gate(int count, const float* y, const float* z, float* g) {
    const LaneTag d;
    for (std::ptrdiff_t i = 0; i < count * kRow; i += hn::Lanes(d)) {
        const LaneVec v = hn::Load(d, z + i);
        hn::Store(hn::Mul(hn::Load(d, y + i), hn::Mul(v, sigmoid_v(d, v))), d, g + i);
    }
}

void gate_backward(int count, const float* y, const float* z, const float* dg, float* dy, float* dz) {
    const LaneTag d;
    for (std::ptrdiff_t i = 0; i < count * kRow; i += hn::Lanes(d)) {
        const LaneVec v = hn::Load(d, z + i), s = sigmoid_v(d, v), g = hn::Load(d, dg + i), yv = hn::Load(d, y + i);
        hn::Store(hn::Mul(g, hn::Mul(yv, silu_slope(d, v, s))), d, dz + i);
        hn::Store(hn::Mul(g, hn::Mul(v, s)), d, dy + i);
    }
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
