// SPDX-License-Identifier: MIT
// Lane-batched softmax and its cross-entropy.
#if defined(SERPENT_KERNELS_CPU_LANE_CROSS_ENTROPY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LANE_CROSS_ENTROPY_INL_H_
#undef SERPENT_KERNELS_CPU_LANE_CROSS_ENTROPY_INL_H_
#else
#define SERPENT_KERNELS_CPU_LANE_CROSS_ENTROPY_INL_H_
#endif

#include "cpu/lane_linear-inl.h"
#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {

void cross_entropy(int steps, int classes, float* logits, const std::int32_t* target, const float* weight, float* probability) {
    const LaneTag d;
    for (int t = 0; t < steps; ++t) {
        float* row = logits + std::ptrdiff_t{t} * classes * kRow;
        for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d)) {
            LaneVec largest = hn::Load(d, row + part), sum = hn::Zero(d);
            for (int k = 1; k < classes; ++k) largest = hn::Max(largest, hn::Load(d, row + part + k * kRow));
            for (int k = 0; k < classes; ++k) {
                const LaneVec e = exp_v(d, hn::Sub(hn::Load(d, row + part + k * kRow), largest));
                hn::Store(e, d, row + part + k * kRow);
                sum = hn::Add(sum, e);
            }
            const LaneVec inverse = hn::Div(hn::Set(d, 1.0f), sum);
            hn::Store(inverse, d, probability + t * kRow + part);
            const LaneVec scale = hn::Mul(inverse, hn::Load(d, weight + t * kRow + part));
            for (int k = 0; k < classes; ++k)
                hn::Store(hn::Mul(hn::Load(d, row + part + k * kRow), scale), d, row + part + k * kRow);
        }
        for (int lane = 0; lane < lane_count; ++lane) {
            const std::ptrdiff_t at = t * kRow + lane;
            float& of_target = row[target[at] * kRow + lane];
            // Where the weight is 0 the row is 0 too and tells nothing: the probability is not wanted there.
            probability[at] = weight[at] > 0.0f ? of_target / weight[at] : 1.0f;
            of_target -= weight[at];
        }
    }
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
