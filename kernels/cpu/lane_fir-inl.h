// SPDX-License-Identifier: MIT
// Lane-batched filters: many taps, one channel. Tiles of eight sums hide what a multiply-add takes.
#if defined(SERPENT_KERNELS_CPU_LANE_FIR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LANE_FIR_INL_H_
#undef SERPENT_KERNELS_CPU_LANE_FIR_INL_H_
#else
#define SERPENT_KERNELS_CPU_LANE_FIR_INL_H_
#endif

#include "cpu/lane_linear-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {

template <int kOutputs>
HWY_INLINE void fir_tile(int taps, std::ptrdiff_t step, const float* w, const float* x, float* y) {
    const LaneTag d;
    LaneVec sum[kOutputs];
    for (int i = 0; i < kOutputs; ++i) sum[i] = hn::Zero(d);
    for (int k = 0; k < taps; ++k) {
        const LaneVec wk = hn::Set(d, w[k]);
        for (int i = 0; i < kOutputs; ++i) sum[i] = hn::MulAdd(wk, hn::Load(d, x + (taps - 1 - k + i) * step), sum[i]);
    }
    for (int i = 0; i < kOutputs; ++i) hn::Store(sum[i], d, y + i * step);
}

void fir(int steps, int taps, int stride, const float* w, const float* x, float* y) {
    const LaneTag d;
    const std::ptrdiff_t step = stride * kRow;
    for (std::ptrdiff_t part = 0; part < kRow; part += hn::Lanes(d)) {
        int t = 0;
        for (; t + 8 <= steps; t += 8) fir_tile<8>(taps, step, w, x + part + t * step, y + part + t * step);
        for (; t < steps; ++t) fir_tile<1>(taps, step, w, x + part + t * step, y + part + t * step);
    }
}

template <int kTaps>
HWY_INLINE void fir_gradient_tile(int steps, std::ptrdiff_t step, const float* newest, const float* dy, float* dw) {
    const LaneTag d;
    LaneVec sum[kTaps];
    for (int k = 0; k < kTaps; ++k) sum[k] = hn::Load(d, dw + k * kRow);
    for (int t = 0; t < steps; ++t) {
        const LaneVec g = hn::Load(d, dy + t * step);
        for (int k = 0; k < kTaps; ++k) sum[k] = hn::MulAdd(g, hn::Load(d, newest + (t - k) * step), sum[k]);
    }
    for (int k = 0; k < kTaps; ++k) hn::Store(sum[k], d, dw + k * kRow);
}

void fir_gradient(int steps, int taps, int stride, const float* x, const float* dy, float* dw) {
    const LaneTag d;
    const std::ptrdiff_t step = stride * kRow;
    for (std::ptrdiff_t part = 0; part < kRow; part += hn::Lanes(d)) {
        int k = 0;
        for (; k + 8 <= taps; k += 8) fir_gradient_tile<8>(steps, step, x + part + (taps - 1 - k) * step, dy + part, dw + part + k * kRow);
        for (; k < taps; ++k) fir_gradient_tile<1>(steps, step, x + part + (taps - 1 - k) * step, dy + part, dw + part + k * kRow);
    }
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
