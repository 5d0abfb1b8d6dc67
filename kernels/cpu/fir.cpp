// SPDX-License-Identifier: MIT
#include "cpu/targets.h"

#include "serpent/kernels/fir.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/fir.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::size_t;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr size_t lanes = hn::MaxLanes(D());
constexpr size_t chains = 4, together = 4;  // samples that share the load of the taps

/// sum[i] = chain `first` + chain `first + 1` of sample i: the vectors of taps whose number is that modulo `chains`.
template <size_t samples>
HWY_INLINE void add_chains(size_t first, size_t vectors, const float* packed, const float* x, V (&sum)[samples]) {
    const D d;
    V odd[samples];
    for (size_t i = 0; i < samples; ++i) sum[i] = odd[i] = hn::Zero(d);
    size_t j = first;
    for (; j + 1 < vectors; j += chains) {
        const V even_taps = hn::Load(d, packed + j * lanes), odd_taps = hn::Load(d, packed + (j + 1) * lanes);
        for (size_t i = 0; i < samples; ++i) sum[i] = hn::MulAdd(even_taps, hn::LoadU(d, x + j * lanes + i), sum[i]);
        for (size_t i = 0; i < samples; ++i) odd[i] = hn::MulAdd(odd_taps, hn::LoadU(d, x + (j + 1) * lanes + i), odd[i]);
    }
    if (j < vectors) {
        const V taps = hn::Load(d, packed + j * lanes);
        for (size_t i = 0; i < samples; ++i) sum[i] = hn::MulAdd(taps, hn::LoadU(d, x + j * lanes + i), sum[i]);
    }
    for (size_t i = 0; i < samples; ++i) sum[i] = hn::Add(sum[i], odd[i]);
}

#if HWY_TARGET != HWY_SCALAR
/// The blocks of 128 bits, added in halves.
template <class Half>
HWY_INLINE auto add_blocks(Half half, hn::Vec<Half> v) {
    if constexpr (hn::MaxLanes(Half()) > 4) {
        const hn::Half<Half> quarter;
        return add_blocks(quarter, hn::Add(hn::LowerHalf(quarter, v), hn::UpperHalf(quarter, v)));
    } else {
        return v;
    }
}

/// Over the lanes: (0 + 2) + (1 + 3) of every block, then blocks. Four samples take fewer steps, of the same order.
HWY_INLINE void store_sums(const V (&sum)[1], float* y) {
    V v = hn::Add(sum[0], hn::Shuffle1032(sum[0]));
    v = hn::Add(v, hn::Shuffle2301(v));
    y[0] = hn::GetLane(add_blocks(D(), v));
}
HWY_INLINE void store_sums(const V (&sum)[4], float* y) {
    const D d;
    const hn::RepartitionToWide<D> wide;
    const auto pairs = [d](V a, V b) HWY_ATTR { return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)); };
    const auto ab = hn::BitCast(wide, pairs(sum[0], sum[1])), cd = hn::BitCast(wide, pairs(sum[2], sum[3]));
    const V v = hn::Add(hn::BitCast(d, hn::InterleaveLower(wide, ab, cd)), hn::BitCast(d, hn::InterleaveUpper(wide, ab, cd)));
    hn::StoreU(add_blocks(d, v), hn::CappedTag<float, 4>(), y);
}
#else
template <size_t samples>
HWY_INLINE void store_sums(const V (&sum)[samples], float* y) {
    for (size_t i = 0; i < samples; ++i) y[i] = hn::GetLane(sum[i]);
}
#endif

/// x: the oldest sample that the first output sees. Chains in pairs: four samples times four chains would not fit 16 registers.
template <size_t samples>
HWY_INLINE void filter_some(size_t vectors, const float* packed, const float* x, float* y) {
    V sum[samples], more[samples];
    add_chains(0, vectors, packed, x, sum);
    add_chains(2, vectors, packed, x, more);
    for (size_t i = 0; i < samples; ++i) sum[i] = hn::Add(sum[i], more[i]);
    store_sums(sum, y);
}

void filter(size_t padded, const float* packed, const float* x, float* y, size_t n) {
    x -= padded - 1;
    size_t t = 0;
    for (; t + together <= n; t += together) filter_some<together>(padded / lanes, packed, x + t, y + t);
    for (; t < n; ++t) filter_some<1>(padded / lanes, packed, x + t, y + t);
}

} // namespace

constexpr FirOps fir_ops{SERPENT_TARGET_ISA, filter};

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {

void pack_fir(std::size_t taps, const float* weight, float* packed) noexcept {
    const std::size_t padded = fir_padded(taps);
    for (std::size_t i = 0; i < padded; ++i) packed[i] = i < padded - taps ? 0.0f : weight[padded - 1 - i];
}

const FirOps& fir_ops_for(Isa isa) {
    return *SERPENT_SELECT(isa, fir_ops);
}

} // namespace serpent::kernels
#endif
