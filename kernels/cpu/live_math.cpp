// SPDX-License-Identifier: MIT
#include "cpu/targets.h"

#include "cpu/live_math.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/live_math.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

using Lanes = hn::ScalableTag<float>;

template <class F>
HWY_INLINE void for_each(std::size_t n, const float* in, float* out, F f) {
    const Lanes d;
    std::size_t i = 0;
    for (; i + hn::MaxLanes(d) <= n; i += hn::MaxLanes(d)) hn::StoreU(f(d, hn::LoadU(d, in + i)), d, out + i);
    const hn::CappedTag<float, 1> one;
    for (; i < n; ++i) hn::StoreU(f(one, hn::LoadU(one, in + i)), one, out + i);
}

} // namespace

void exp2m1(std::size_t n, const float* in, float* out) {
    for_each(n, in, out, [](auto d, auto x) HWY_ATTR { return exp2m1_v(d, x); });
}

void silu(std::size_t n, const float* in, float* out) {
    for_each(n, in, out, [](auto d, auto x) HWY_ATTR { return quick_silu_v(d, x); });
}

void softplus(std::size_t n, const float* in, float* out) {
    for_each(n, in, out, [](auto d, auto x) HWY_ATTR { return quick_softplus_v(d, x); });
}

constexpr LiveMath live_math{SERPENT_TARGET_ISA, exp2m1, silu, softplus};

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {

const LiveMath& live_math_for(Isa isa) {
    return *SERPENT_SELECT(isa, live_math);
}

} // namespace serpent::kernels
#endif
