// SPDX-License-Identifier: MIT
// One layer of the live engine over a sub-block, pass by pass. Every sample sees the same operations in the same order
// whatever the number of samples. Included once per target.
#if defined(SERPENT_KERNELS_CPU_LIVE_LAYER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LIVE_LAYER_INL_H_
#undef SERPENT_KERNELS_CPU_LIVE_LAYER_INL_H_
#else
#define SERPENT_KERNELS_CPU_LIVE_LAYER_INL_H_
#endif

#include "cpu/live_pairs-inl.h"
#include "cpu/live_row-inl.h"
#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

constexpr float rms_epsilon = 1e-5f;

/// FiLM that stands still, and one that moves: ramp = 1 gives exactly `to`, so that a ramp may end anywhere.
struct StillFilm {
    const LiveFilm& film;
    template <class D>
    HWY_INLINE hn::Vec<D> gain(D d, size_t, size_t column) const { return hn::Load(d, film.gain + column); }
    template <class D>
    HWY_INLINE hn::Vec<D> bias(D d, size_t, size_t column) const { return hn::Load(d, film.bias + column); }
};
struct MovingFilm {
    const LiveFilm &from, &to;
    const float* ramp;
    template <class D>
    HWY_INLINE hn::Vec<D> gain(D d, size_t t, size_t column) const {
        return between(d, from.gain + column, to.gain + column, t);
    }
    template <class D>
    HWY_INLINE hn::Vec<D> bias(D d, size_t t, size_t column) const {
        return between(d, from.bias + column, to.bias + column, t);
    }
    template <class D>
    HWY_INLINE hn::Vec<D> between(D d, const float* a, const float* b, size_t t) const {
        const auto position = hn::Set(d, ramp[t]);
        return hn::MulAdd(position, hn::Load(d, b), hn::Mul(hn::Sub(hn::Set(d, 1.0f), position), hn::Load(d, a)));
    }
};

template <class S>
HWY_INLINE typename S::V inverse_rms(S s, typename S::V sum_of_squares) {
    const typename S::D d;
    const auto share = hn::Set(d, 1.0f / static_cast<float>(s.d_model())), epsilon = hn::Set(d, rms_epsilon);
    return hn::Div(hn::Set(d, 1.0f), hn::Sqrt(hn::MulAdd(sum_of_squares, share, epsilon)));
}

/// scale[t] = 1 / rms(e[t]). of_row(t, i, e) sees all of e on the way.
template <class S, class Count, class OfRow>
HWY_INLINE void measure_rms(S s, Count n, OfRow of_row) {
    const typename S::D d;
    float* scale = s.data.scratch.scale;
    for (size_t t = 0; t < n; ++t) {
        auto sum = hn::Zero(d);
        for (size_t i = 0; i < s.model(); i += S::lanes) {
            const auto e = hn::Load(d, s.data.scratch.e + t * s.model() + i);
            sum = hn::MulAdd(e, e, sum);
            of_row(t, i, e);
        }
        sum = S::sum_channels(sum);
        S::store_instances(n == 1 ? inverse_rms(s, sum) : sum, scale + t * S::instances);
    }
    if (n == 1) return;  // a vector read from what was just written in parts would have to wait
    for (size_t i = 0; i < n * S::instances; i += S::lanes) hn::Store(inverse_rms(s, hn::Load(d, scale + i)), d, scale + i);
}

/// scale = 1 / rms(e), u = e gain.
template <class S, class Count, class Film>
HWY_INLINE void weigh(S s, const Film& film, Count n) {
    const typename S::D d;
    measure_rms(s, n, [&](size_t t, size_t i, auto e) HWY_ATTR {
        hn::Store(hn::Mul(e, film.gain(d, t, i)), d, s.data.scratch.u + t * s.model() + i);
    });
}

/// x, z = in_proj . norm(e): x into the window behind its history.
template <class S, class Count, class Film>
HWY_INLINE void project_in(S s, const LiveLayer& layer, const Film& film, Count n) {
    const typename S::D d;
    const LiveScratch& scratch = s.data.scratch;
    const size_t inner = s.inner();
    float* x = layer.window + (layer.window_at + layer.history) * inner;
    // One chain: a step waits for the norm anyway.
    multiply<1>(s, layer.in_proj.weight, 2 * inner, s.d_model(), scratch.u, s.model(), n,
                [&](size_t t, size_t column, auto sum) HWY_ATTR {
                    const auto value = hn::MulAdd(sum, S::spread(scratch.scale + t * S::instances), film.bias(d, t, column));
                    hn::Store(value, d, column < inner ? x + t * inner + column : scratch.z + t * inner + column - inner);
                });
}

/// x = silu(conv(window)), the newest sample last, so that a step waits for one multiplication only.
template <size_t fixed_taps, bool dense, class S, class Count>
HWY_INLINE void convolve(S s, const LiveLayer& layer, Count n) {
    const typename S::D d;
    const size_t inner = s.inner(), taps = fixed_taps ? fixed_taps : layer.taps;
    const float* window = layer.window + layer.window_at * inner;
    for (size_t t = 0; t < n; ++t)
        for (size_t i = 0; i < inner; i += S::lanes) {
            auto sum = hn::Load(d, layer.conv_bias + i);
            for (size_t tap = 0; tap < taps; ++tap)
                sum = hn::MulAdd(hn::Load(d, layer.conv_weight + tap * inner + i),
                                 hn::Load(d, window + (t + (dense ? tap : layer.tap[tap].row)) * inner + i), sum);
            hn::Store(quick_silu_v(d, sum), d, s.data.scratch.x + t * inner + i);
        }
}

/// B, C = x_proj . x
template <class S, class Count>
HWY_INLINE void project_B_C(S s, const LiveLayer& layer, Count n) {
    const typename S::D d;
    const LiveScratch& scratch = s.data.scratch;
    const size_t B_C = s.B_C();
    multiply<S::chains>(s, layer.B_C.weight, B_C, s.d_inner(), scratch.x, s.inner(), n,
                        [&](size_t t, size_t column, auto sum) HWY_ATTR {
                            sum = hn::Add(sum, hn::Load(d, layer.B_C.bias + column));
                            hn::Store(sum, d, scratch.B_C + t * B_C + column);
                        });
}

/// dt = softplus(dt_proj . (x_proj . x) + bias), in two passes: a processor looks ahead a certain number of operations, and
/// so overlaps more samples the fewer there are per sample.
template <class S, class Count>
HWY_INLINE void time_steps(S s, const LiveLayer& layer, Count n) {
    const typename S::D d;
    const LiveScratch& scratch = s.data.scratch;
    const size_t inner = s.inner();
    for (size_t t = 0; t < n; ++t) {
        const float* x = scratch.x + t * inner;
        float* dt = scratch.dt + t * inner;
        for (size_t r = 0; r < s.rank(); ++r) {
            auto low = hn::Zero(d);
            for (size_t i = 0; i < inner; i += S::lanes)
                low = hn::MulAdd(hn::Load(d, x + i), hn::Load(d, layer.dt_low + r * inner + i), low);
            low = S::sum_channels(low);
            for (size_t i = 0; i < inner; i += S::lanes) {
                const auto before = hn::Load(d, r == 0 ? layer.dt_bias + i : dt + i);
                hn::Store(hn::MulAdd(low, hn::Load(d, layer.dt_proj + r * inner + i), before), d, dt + i);
            }
        }
    }
    for (size_t i = 0; i < n * inner; i += S::lanes)
        hn::Store(quick_softplus_v(d, hn::Load(d, scratch.dt + i)), d, scratch.dt + i);
}

/// y = (C h + D x) silu(z), walking h sample by sample; h and what it leaves out stay in registers where d_state is a constant.
template <size_t n_fixed, bool tied, bool ema, class S, class Count>
HWY_INLINE void scan(S s, const LiveLayer& layer, Count n) {
    using V = typename S::V;
    const typename S::D d;
    const LiveScratch& scratch = s.data.scratch;
    const size_t inner = s.inner(), n_states = n_fixed ? n_fixed : s.d_state();
    for (size_t c = 0; c < inner; c += S::lanes) {
        V held[n_fixed + 1], held_low[n_fixed + 1];
        for (size_t state = 0; state < n_fixed; ++state) {
            held[state] = hn::Load(d, layer.h + state * inner + c);
            held_low[state] = hn::Load(d, layer.h_low + state * inner + c);
        }
        for (size_t t = 0; t < n; ++t) {
            const V x = hn::Load(d, scratch.x + t * inner + c), dt = hn::Load(d, scratch.dt + t * inner + c);
            const V input = ema ? x : hn::Mul(dt, x);
            const float* B_C = scratch.B_C + t * s.B_C();
            V y = hn::Mul(hn::Load(d, layer.D + c), x), y_odd = hn::Zero(d), q;  // two sums: half the wait
            if (tied) q = exp2m1_v(d, hn::Mul(dt, hn::Load(d, layer.A + c)));
            for (size_t state = 0; state < n_states; ++state) {
                const size_t place = state * inner + c;
                V h = n_fixed ? held[state] : hn::Load(d, layer.h + place);
                V low = n_fixed ? held_low[state] : hn::Load(d, layer.h_low + place);
                if (!tied) q = exp2m1_v(d, hn::Mul(dt, hn::Load(d, layer.A + place)));
                const V b = S::broadcast(B_C, state);
                add_compensated(d, ema ? hn::MulAdd(q, hn::NegMulAdd(input, b, h), low) : hn::MulAdd(q, h, hn::MulAdd(input, b, low)),
                                &h, &low);
                if (n_fixed) {
                    held[state] = h;
                    held_low[state] = low;
                } else {
                    hn::Store(h, d, layer.h + place);
                    hn::Store(low, d, layer.h_low + place);
                }
                V& sum = state % 2 == 0 ? y : y_odd;
                sum = hn::MulAdd(h, S::broadcast(B_C, n_states + state), sum);
            }
            const V z = hn::Load(d, scratch.z + t * inner + c);
            hn::Store(hn::Mul(hn::Add(y, y_odd), quick_silu_v(d, z)), d, scratch.y + t * inner + c);
        }
        for (size_t state = 0; state < n_fixed; ++state) {
            hn::Store(held[state], d, layer.h + state * inner + c);
            hn::Store(held_low[state], d, layer.h_low + state * inner + c);
        }
    }
}

template <size_t n_fixed, class S, class Count>
HWY_INLINE void scan_states(S s, const LiveLayer& layer, Count n) {
    const bool tied = S::fixed ? S::fixed_decays == 1 : s.data.config.tied;
    if (layer.kind != BlockKind::selective) return scan_pairs<n_fixed>(s, layer, tied, n);
    if (tied)
        s.data.config.ema ? scan<n_fixed, true, true>(s, layer, n) : scan<n_fixed, true, false>(s, layer, n);
    else
        s.data.config.ema ? scan<n_fixed, false, true>(s, layer, n) : scan<n_fixed, false, false>(s, layer, n);
}

/// e += block(norm(e))
template <class S, class Count, class Film>
HWY_INLINE void add_block(S s, const LiveLayer& layer, const Film& film, Count n) {
    const typename S::D d;
    const LiveScratch& scratch = s.data.scratch;
    weigh(s, film, n);
    project_in(s, layer, film, n);
    if (layer.taps == 4) layer.dense ? convolve<4, true>(s, layer, n) : convolve<4, false>(s, layer, n);
    else layer.dense ? convolve<0, true>(s, layer, n) : convolve<0, false>(s, layer, n);
    if (layer.kind != BlockKind::time_invariant) {
        project_B_C(s, layer, n);
        time_steps(s, layer, n);
    }
    if constexpr (S::fixed) scan_states<S::fixed_states>(s, layer, n);
    else if (s.d_state() == 4) scan_states<4>(s, layer, n);
    else if (s.d_state() == 8) scan_states<8>(s, layer, n);
    else scan_states<0>(s, layer, n);
    multiply<S::chains>(s, layer.out_proj.weight, s.model(), s.d_inner(), scratch.y, s.inner(), n,
                [&](size_t t, size_t column, auto sum) HWY_ATTR {
                    float* e = scratch.e + t * s.model() + column;
                    hn::Store(hn::Add(hn::Add(hn::Load(d, e), hn::Load(d, layer.out_proj.bias + column)), sum), d, e);
                });
}

} // namespace
} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
