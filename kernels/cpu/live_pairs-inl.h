// SPDX-License-Identifier: MIT
// The live engine's scans with complex states: rotating and time-invariant blocks. As the selective scan (live_layer-inl.h) they walk
// sample by sample with h and what it leaves out in registers where d_state is a constant. Included once per target.
#if defined(SERPENT_KERNELS_CPU_LIVE_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LIVE_PAIRS_INL_H_
#undef SERPENT_KERNELS_CPU_LIVE_PAIRS_INL_H_
#else
#define SERPENT_KERNELS_CPU_LIVE_PAIRS_INL_H_
#endif

#include "cpu/live_row-inl.h"
#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

/// A complex state and what rounding left out of it. Its constructors are written out, since implicit ones are not compiled for the target.
template <class V>
struct LivePair {
    V re, im, re_low, im_low;

    HWY_INLINE LivePair() {}
    HWY_INLINE LivePair(V re_, V im_, V re_low_, V im_low_) : re(re_), im(im_), re_low(re_low_), im_low(im_low_) {}
};

/// h <- h + (t + i s) h + (q_re + i q_im) h + (in_re, in_im). A turn is of the order of 1, a slow decay far below its rounding: their
/// sum in one float would be off by the rounding of the turn, sample after sample in the same direction, which a time constant of tau
/// samples amplifies by tau. So (t, s) are the turn in float, and q holds the decay together with what that float left out.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void advance_pair(D d, V t, V s, V q_re, V q_im, V in_re, V in_im, LivePair<V>& h) {
    const V small_re = hn::MulAdd(q_re, h.re, hn::NegMulAdd(q_im, h.im, in_re));
    const V small_im = hn::MulAdd(q_re, h.im, hn::MulAdd(q_im, h.re, in_im));
    const V re = hn::MulAdd(t, h.re, hn::NegMulAdd(s, h.im, small_re));
    const V im = hn::MulAdd(t, h.im, hn::MulAdd(s, h.re, small_im));
    add_compensated(d, re, &h.re, &h.re_low);
    add_compensated(d, im, &h.im, &h.im_low);
}

/// sqrt(equations::input_power)
template <bool stretched, class D, class V = hn::Vec<D>>
HWY_INLINE V input_gain(D d, V q, V ratio) {
    const V lead = hn::Add(q, hn::Set(d, 2.0f));
    if constexpr (!stretched) return hn::Sqrt(hn::Mul(hn::Neg(q), lead));
    const V rest = hn::Div(hn::Mul(hn::Mul(hn::Sub(hn::Set(d, 1.0f), ratio), q), q), lead);
    return hn::Sqrt(hn::Max(hn::Zero(d), hn::Mul(hn::Neg(q), hn::MulAdd(ratio, lead, rest))));
}

/// What moves the pairs of a rotating block: decays by dt, a fixed turn, and B and C of the sample.
template <bool tied, bool stretched, class S>
struct Rotation {
    using V = typename S::V;
    static constexpr typename S::D d{};
    S s;
    const LiveLayer& layer;
    size_t c, pairs;
    V x, dt, q, gain;
    const float* B_C;

    HWY_INLINE void begin(size_t t) {
        const LiveScratch& scratch = s.data.scratch;
        x = hn::Load(d, scratch.x + t * s.inner() + c);
        dt = hn::Load(d, scratch.dt + t * s.inner() + c);
        B_C = scratch.B_C + t * s.B_C();
        if (tied) decay(0);
    }
    HWY_INLINE void decay(size_t m) {
        q = exp2m1_v(d, hn::Mul(dt, hn::Load(d, layer.A + m * s.inner() + c)));
        gain = hn::Mul(input_gain<stretched>(d, q, hn::Set(d, layer.step_ratio)), x);
    }
    HWY_INLINE void advance(size_t m, LivePair<V>& h) {
        if (!tied) decay(m);
        const size_t inner = s.inner();
        const float* turn = layer.pair_constants + m * turn_rows * inner + c;
        const V sine = hn::Load(d, turn + inner);
        const V q_re = hn::MulAdd(q, hn::Load(d, turn + 4 * inner), hn::Load(d, turn + 2 * inner));
        const V q_im = hn::MulAdd(q, sine, hn::Load(d, turn + 3 * inner));
        advance_pair(d, hn::Load(d, turn), sine, q_re, q_im, hn::MulAdd(gain, S::broadcast(B_C, m), h.re_low),
                     hn::MulAdd(gain, S::broadcast(B_C, pairs + m), h.im_low), h);
    }
    HWY_INLINE V C_re(size_t m) const { return S::broadcast(B_C, 2 * pairs + m); }
    HWY_INLINE V C_im(size_t m) const { return S::broadcast(B_C, 3 * pairs + m); }
    /// Rows of h.
    HWY_INLINE size_t re_row(size_t m) const { return m; }
    HWY_INLINE size_t im_row(size_t m) const { return pairs + m; }
};

/// What moves those of a time-invariant block: constants.
template <class S>
struct Oscillation {
    using V = typename S::V;
    static constexpr typename S::D d{};
    S s;
    const LiveLayer& layer;
    size_t c, pairs;
    V x;

    HWY_INLINE void begin(size_t t) { x = hn::Load(d, s.data.scratch.x + t * s.inner() + c); }
    HWY_INLINE V constant(size_t m, size_t row) const {
        return hn::Load(d, layer.pair_constants + (m * oscillator_rows + row) * s.inner() + c);
    }
    HWY_INLINE void advance(size_t m, LivePair<V>& h) {
        advance_pair(d, constant(m, 0), constant(m, 1), constant(m, 2), constant(m, 3), hn::MulAdd(constant(m, 4), x, h.re_low), h.im_low,
                     h);
    }
    HWY_INLINE V C_re(size_t m) const { return constant(m, 5); }
    HWY_INLINE V C_im(size_t m) const { return constant(m, 6); }
    HWY_INLINE size_t re_row(size_t m) const { return 2 * m; }
    HWY_INLINE size_t im_row(size_t m) const { return 2 * m + 1; }
};

/// y = (C h + D x) silu(z) for the channels of one vector.
template <size_t n_fixed, class S, class Motion, class Count>
HWY_INLINE void walk_pairs(S s, const LiveLayer& layer, Motion motion, Count n) {
    using V = typename S::V;
    const typename S::D d;
    const LiveScratch& scratch = s.data.scratch;
    const size_t inner = s.inner(), c = motion.c, pairs = motion.pairs;
    const auto load = [&](size_t m) HWY_ATTR {
        const size_t re = motion.re_row(m) * inner + c, im = motion.im_row(m) * inner + c;
        return LivePair<V>{hn::Load(d, layer.h + re), hn::Load(d, layer.h + im), hn::Load(d, layer.h_low + re),
                           hn::Load(d, layer.h_low + im)};
    };
    const auto store = [&](size_t m, const LivePair<V>& h) HWY_ATTR {
        const size_t re = motion.re_row(m) * inner + c, im = motion.im_row(m) * inner + c;
        hn::Store(h.re, d, layer.h + re);
        hn::Store(h.im, d, layer.h + im);
        hn::Store(h.re_low, d, layer.h_low + re);
        hn::Store(h.im_low, d, layer.h_low + im);
    };
    LivePair<V> held[n_fixed / 2 + 1];
    for (size_t m = 0; m < n_fixed / 2; ++m) held[m] = load(m);
    for (size_t t = 0; t < n; ++t) {
        motion.begin(t);
        V y = hn::Mul(hn::Load(d, layer.D + c), motion.x), y_im = hn::Zero(d);
        for (size_t m = 0; m < pairs; ++m) {
            LivePair<V> h = n_fixed ? held[m] : load(m);
            motion.advance(m, h);
            if (n_fixed) held[m] = h;
            else store(m, h);
            y = hn::MulAdd(h.re, motion.C_re(m), y);
            y_im = hn::MulAdd(h.im, motion.C_im(m), y_im);
        }
        const V z = hn::Load(d, scratch.z + t * inner + c);
        hn::Store(hn::Mul(hn::Add(y, y_im), quick_silu_v(d, z)), d, scratch.y + t * inner + c);
    }
    for (size_t m = 0; m < n_fixed / 2; ++m) store(m, held[m]);
}

template <size_t n_fixed, bool tied, bool stretched, class S, class Count>
HWY_INLINE void rotate(S s, const LiveLayer& layer, Count n) {
    const typename S::D d;
    const size_t pairs = n_fixed ? n_fixed / 2 : s.d_state() / 2;
    for (size_t c = 0; c < s.inner(); c += S::lanes) {
        const auto zero = hn::Zero(d);
        walk_pairs<n_fixed>(s, layer, Rotation<tied, stretched, S>{s, layer, c, pairs, zero, zero, zero, zero, nullptr}, n);
    }
}

template <size_t n_fixed, class S, class Count>
HWY_INLINE void scan_pairs(S s, const LiveLayer& layer, bool tied, Count n) {
    const typename S::D d;
    if (layer.kind == BlockKind::time_invariant) {
        const size_t pairs = n_fixed ? n_fixed / 2 : s.d_state() / 2;
        for (size_t c = 0; c < s.inner(); c += S::lanes)
            walk_pairs<n_fixed>(s, layer, Oscillation<S>{s, layer, c, pairs, hn::Zero(d)}, n);
    } else if (layer.step_ratio != 1.0f) {
        tied ? rotate<n_fixed, true, true>(s, layer, n) : rotate<n_fixed, false, true>(s, layer, n);
    } else {
        tied ? rotate<n_fixed, true, false>(s, layer, n) : rotate<n_fixed, false, false>(s, layer, n);
    }
}

} // namespace
} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
