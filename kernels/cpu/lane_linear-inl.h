// SPDX-License-Identifier: MIT
// Lane-batched matrix products: a weight is broadcast, a lane vector is loaded, one FMA each. Register tiles of
// out x steps reuse both.
#if defined(SERPENT_KERNELS_CPU_LANE_LINEAR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LANE_LINEAR_INL_H_
#undef SERPENT_KERNELS_CPU_LANE_LINEAR_INL_H_
#else
#define SERPENT_KERNELS_CPU_LANE_LINEAR_INL_H_
#endif

#include "serpent/kernels/lanes.h"

#include <algorithm>
#include <cstddef>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using LaneTag = hn::CappedTag<float, lane_count>;
using LaneVec = hn::Vec<LaneTag>;
inline constexpr std::ptrdiff_t kRow = lane_count;

// 4 x 4 accumulators need 32 registers; 4 x 2 fit 16.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kStepTile = 4;
#else
inline constexpr int kStepTile = 2;
#endif
inline constexpr int kOutTile = 4;

template <int kOuts, int kSteps>
HWY_INLINE void linear_tile(const LaneLinearShape& s, const float* HWY_RESTRICT w, const float* HWY_RESTRICT bias,
                            const float* HWY_RESTRICT x, float* HWY_RESTRICT y, bool add) {
    const LaneTag d;
    LaneVec acc[kOuts][kSteps];
    for (int o = 0; o < kOuts; ++o)
        for (int t = 0; t < kSteps; ++t) {
            acc[o][t] = bias ? hn::Set(d, bias[o]) : hn::Zero(d);
            if (add) acc[o][t] = hn::Add(acc[o][t], hn::Load(d, y + (t * s.y_stride + o) * kRow));
        }
    for (int i = 0; i < s.in; ++i) {
        LaneVec xs[kSteps];
        for (int t = 0; t < kSteps; ++t) xs[t] = hn::Load(d, x + (t * s.x_stride + i) * kRow);
        for (int o = 0; o < kOuts; ++o) {
            const LaneVec wo = hn::Set(d, w[o * s.w_out + i * s.w_in]);
            for (int t = 0; t < kSteps; ++t) acc[o][t] = hn::MulAdd(wo, xs[t], acc[o][t]);
        }
    }
    for (int o = 0; o < kOuts; ++o)
        for (int t = 0; t < kSteps; ++t) hn::Store(acc[o][t], d, y + (t * s.y_stride + o) * kRow);
}

template <int kOuts>
HWY_INLINE void linear_strip(const LaneLinearShape& s, const float* w, const float* bias, const float* x, float* y,
                             bool add) {
    int t = 0;
    for (; t + kStepTile <= s.steps; t += kStepTile)
        linear_tile<kOuts, kStepTile>(s, w, bias, x + std::ptrdiff_t{t} * s.x_stride * kRow,
                                      y + std::ptrdiff_t{t} * s.y_stride * kRow, add);
    for (; t < s.steps; ++t)
        linear_tile<kOuts, 1>(s, w, bias, x + std::ptrdiff_t{t} * s.x_stride * kRow,
                              y + std::ptrdiff_t{t} * s.y_stride * kRow, add);
}

void linear(const LaneLinearShape& s, const float* w, const float* bias, const float* x, float* y, bool add) {
    const LaneTag d;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d)) {
        int o = 0;
        for (; o + kOutTile <= s.out; o += kOutTile)
            linear_strip<kOutTile>(s, w + o * s.w_out, bias ? bias + o : nullptr, x + part, y + part + o * kRow, add);
        for (; o < s.out; ++o)
            linear_strip<1>(s, w + o * s.w_out, bias ? bias + o : nullptr, x + part, y + part + o * kRow, add);
    }
}

template <int kOuts, int kIns>
HWY_INLINE void linear_gradient_tile(const LaneLinearShape& s, const float* HWY_RESTRICT dy,
                                     const float* HWY_RESTRICT x, float* HWY_RESTRICT dw) {
    const LaneTag d;
    LaneVec acc[kOuts][kIns];
    for (int o = 0; o < kOuts; ++o)
        for (int i = 0; i < kIns; ++i) acc[o][i] = hn::Load(d, dw + (o * s.w_out + i * s.w_in) * kRow);
    for (int t = 0; t < s.steps; ++t) {
        LaneVec xs[kIns];
        for (int i = 0; i < kIns; ++i) xs[i] = hn::Load(d, x + (std::ptrdiff_t{t} * s.x_stride + i) * kRow);
        for (int o = 0; o < kOuts; ++o) {
            const LaneVec g = hn::Load(d, dy + (std::ptrdiff_t{t} * s.y_stride + o) * kRow);
            for (int i = 0; i < kIns; ++i) acc[o][i] = hn::MulAdd(g, xs[i], acc[o][i]);
        }
    }
    for (int o = 0; o < kOuts; ++o)
        for (int i = 0; i < kIns; ++i) hn::Store(acc[o][i], d, dw + (o * s.w_out + i * s.w_in) * kRow);
}

template <int kOuts>
HWY_INLINE void linear_gradient_strip(const LaneLinearShape& s, const float* dy, const float* x, float* dw) {
    int i = 0;
    for (; i + kStepTile <= s.in; i += kStepTile)
        linear_gradient_tile<kOuts, kStepTile>(s, dy, x + i * kRow, dw + i * s.w_in * kRow);
    for (; i < s.in; ++i) linear_gradient_tile<kOuts, 1>(s, dy, x + i * kRow, dw + i * s.w_in * kRow);
}

void linear_gradient(const LaneLinearShape& s, const float* dy, const float* x, float* dw, float* dbias) {
    const LaneTag d;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d)) {
        int o = 0;
        for (; o + kOutTile <= s.out; o += kOutTile)
            linear_gradient_strip<kOutTile>(s, dy + part + o * kRow, x + part, dw + part + o * s.w_out * kRow);
        for (; o < s.out; ++o)
            linear_gradient_strip<1>(s, dy + part + o * kRow, x + part, dw + part + o * s.w_out * kRow);
        if (!dbias) continue;
        for (o = 0; o < s.out; ++o) {
            LaneVec sum = hn::Load(d, dbias + part + o * kRow);
            for (int t = 0; t < s.steps; ++t)
                sum = hn::Add(sum, hn::Load(d, dy + part + (std::ptrdiff_t{t} * s.y_stride + o) * kRow));
            hn::Store(sum, d, dbias + part + o * kRow);
        }
    }
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
