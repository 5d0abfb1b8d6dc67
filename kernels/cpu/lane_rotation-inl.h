// SPDX-License-Identifier: MIT
// The lane-batched rotating scan. One channel at a time walks all steps with a tile of its pairs in registers.
#if defined(SERPENT_KERNELS_CPU_LANE_ROTATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LANE_ROTATION_INL_H_
#undef SERPENT_KERNELS_CPU_LANE_ROTATION_INL_H_
#else
#define SERPENT_KERNELS_CPU_LANE_ROTATION_INL_H_
#endif

#include "cpu/lane_linear-inl.h"
#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {

/// Where one channel's tile of pairs lives; all pointers are moved to the lane part, channel and first pair.
struct RotationTile {
    const float *A, *turn_t, *turn_s;
    const float *dt, *x, *B, *C, *q;
    float *h, *h_low, *y, *h_series, *q_series;
    std::ptrdiff_t channel_step, bc_step, h_step, q_step;  // floats from one sample to the next
    std::ptrdiff_t imaginary;                              // floats from a real part to its imaginary one, in B, C and h
    float D;
    bool first;  // the tile with the channel's first pair: it starts y and stores a tied q
};

/// Gain of the input: sqrt(1 - exp(2 dt A)) from q = expm1(dt A).
HWY_INLINE LaneVec input_gain(LaneTag d, LaneVec q) {
    return hn::Sqrt(hn::Neg(hn::Mul(q, hn::Add(q, hn::Set(d, 2.0f)))));
}

template <int kPairs, bool kTied, bool kOutput, bool kKnownQ, bool kCompensated>
HWY_INLINE void rotation_tile(int steps, const RotationTile& p) {
    const LaneTag d;
    constexpr int kDecays = kTied ? 1 : kPairs;
    LaneVec re[kPairs], im[kPairs], re_low[kPairs], im_low[kPairs];
    for (int m = 0; m < kPairs; ++m) {
        re[m] = hn::Load(d, p.h + m * kRow), im[m] = hn::Load(d, p.h + p.imaginary + m * kRow);
        re_low[m] = kCompensated ? hn::Load(d, p.h_low + m * kRow) : hn::Zero(d);
        im_low[m] = kCompensated ? hn::Load(d, p.h_low + p.imaginary + m * kRow) : hn::Zero(d);
    }
    for (int t = 0; t < steps; ++t) {
        const LaneVec dt = hn::Load(d, p.dt + t * p.channel_step), x = hn::Load(d, p.x + t * p.channel_step);
        LaneVec q[kDecays], bx[kDecays];
        for (int n = 0; n < kDecays; ++n) {
            q[n] = kKnownQ ? hn::Load(d, p.q + t * p.q_step + n * kRow) : expm1_v(d, hn::Mul(dt, hn::Set(d, p.A[n])));
            bx[n] = hn::Mul(input_gain(d, q[n]), x);
            if (p.q_series && (!kTied || p.first)) hn::Store(q[n], d, p.q_series + t * p.q_step + n * kRow);
        }
        LaneVec y = hn::Zero(d);
        if constexpr (kOutput) y = p.first ? hn::Mul(hn::Set(d, p.D), x) : hn::Load(d, p.y + t * p.channel_step);
        for (int m = 0; m < kPairs; ++m) {
            const LaneVec qm = q[kTied ? 0 : m], bxm = bx[kTied ? 0 : m];
            const LaneVec turn_t = hn::Set(d, p.turn_t[m]), turn_s = hn::Set(d, p.turn_s[m]);
            const LaneVec q_re = hn::MulAdd(qm, turn_t, hn::Add(qm, turn_t)), q_im = hn::MulAdd(qm, turn_s, turn_s);
            const float* const B = p.B + t * p.bc_step + m * kRow;
            const LaneVec in_re = hn::MulAdd(bxm, hn::Load(d, B), re_low[m]);
            const LaneVec in_im = hn::MulAdd(bxm, hn::Load(d, B + p.imaginary), im_low[m]);
            const LaneVec change_re = hn::MulAdd(q_re, re[m], hn::NegMulAdd(q_im, im[m], in_re));
            const LaneVec change_im = hn::MulAdd(q_re, im[m], hn::MulAdd(q_im, re[m], in_im));
            if constexpr (kCompensated) {
                add_compensated(d, change_re, &re[m], &re_low[m]);
                add_compensated(d, change_im, &im[m], &im_low[m]);
            } else {
                re[m] = hn::Add(re[m], change_re);
                im[m] = hn::Add(im[m], change_im);
            }
            if constexpr (kOutput) {
                const float* const C = p.C + t * p.bc_step + m * kRow;
                y = hn::MulAdd(hn::Load(d, C), re[m], hn::MulAdd(hn::Load(d, C + p.imaginary), im[m], y));
                if (p.h_series) {
                    hn::Store(re[m], d, p.h_series + t * p.h_step + m * kRow);
                    hn::Store(im[m], d, p.h_series + t * p.h_step + p.imaginary + m * kRow);
                }
            }
        }
        if constexpr (kOutput) hn::Store(y, d, p.y + t * p.channel_step);
    }
    for (int m = 0; m < kPairs; ++m) {
        hn::Store(re[m], d, p.h + m * kRow), hn::Store(im[m], d, p.h + p.imaginary + m * kRow);
        if constexpr (kCompensated) hn::Store(re_low[m], d, p.h_low + m * kRow), hn::Store(im_low[m], d, p.h_low + p.imaginary + m * kRow);
    }
}

template <bool kTied, bool kOutput, bool kKnownQ, bool kCompensated>
void rotation_all(const LaneRotationShape& s, const LaneRotationInputs& in, float* h, float* h_low, float* y, float* h_series, float* q_series) {
    const LaneTag d;
    const int decays = kTied ? 1 : s.pairs;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int c = 0; c < s.d_inner; ++c) {
            const std::ptrdiff_t channel = part + c * kRow;
            for (int m = 0; m < s.pairs;) {
                const std::ptrdiff_t state = part + (std::ptrdiff_t{c} * 2 * s.pairs + m) * kRow, pair = std::ptrdiff_t{c} * s.pairs + m;
                const std::ptrdiff_t weight = std::ptrdiff_t{c} * decays + (kTied ? 0 : m), decay = part + weight * kRow;
                const RotationTile p{in.A + weight, in.turn_t + pair, in.turn_s + pair,
                                     in.dt + channel, in.x + channel, in.B + part + m * kRow, in.C + part + m * kRow,
                                     kKnownQ ? in.q + decay : nullptr, h + state, kCompensated ? h_low + state : nullptr, y + channel,
                                     h_series ? h_series + state : nullptr, q_series ? q_series + decay : nullptr,
                                     s.d_inner * kRow, s.stride * kRow, std::ptrdiff_t{s.d_inner} * 2 * s.pairs * kRow,
                                     std::ptrdiff_t{s.d_inner} * decays * kRow, s.pairs * kRow, in.D[c], m == 0};
                if (s.pairs - m >= 2) {
                    rotation_tile<2, kTied, kOutput, kKnownQ, kCompensated>(s.steps, p);
                    m += 2;
                } else {
                    rotation_tile<1, kTied, kOutput, kKnownQ, kCompensated>(s.steps, p);
                    m += 1;
                }
            }
        }
}

template <bool kOutput, bool kKnownQ>
void rotation_dispatch(const LaneRotationShape& s, const LaneRotationInputs& in, float* h, float* low, float* y, float* hs, float* qs) {
    const auto run = s.tied ? (low ? &rotation_all<true, kOutput, kKnownQ, true> : &rotation_all<true, kOutput, kKnownQ, false>)
                            : (low ? &rotation_all<false, kOutput, kKnownQ, true> : &rotation_all<false, kOutput, kKnownQ, false>);
    run(s, in, h, low, y, hs, qs);
}

void rotation(const LaneRotationShape& s, const LaneRotationInputs& in, float* h, float* h_low, float* y, float* h_series, float* q_series) {
    in.q ? rotation_dispatch<true, true>(s, in, h, h_low, y, h_series, q_series)
         : rotation_dispatch<true, false>(s, in, h, h_low, y, h_series, q_series);
}

void rotation_carry(const LaneRotationShape& s, const LaneRotationInputs& in, float* h, float* h_low, float* q_sum, float* q_series) {
    rotation_dispatch<false, false>(s, in, h, h_low, h, nullptr, q_series);
    decay_of_steps(s.steps, s.d_inner, s.tied ? 1 : s.pairs, in.A, in.dt, q_sum);
}

struct RotationGradientTile {
    const float *A, *turn_t, *turn_s;
    const float *dt, *x, *B, *C, *dy, *h_start, *h_series, *q_series;
    float *dh, *dA, *dangle, *ddt, *dx, *dB, *dC;
    std::ptrdiff_t channel_step, bc_step, h_step, q_step, imaginary;
    float D;
    bool first;
};

template <int kPairs, bool kTied>
HWY_INLINE void rotation_gradient_tile(int steps, const RotationGradientTile& p) {
    const LaneTag d;
    constexpr int kDecays = kTied ? 1 : kPairs;
    LaneVec g_re[kPairs], g_im[kPairs], da[kDecays], dangle[kPairs];
    for (int m = 0; m < kPairs; ++m) {
        g_re[m] = hn::Load(d, p.dh + m * kRow), g_im[m] = hn::Load(d, p.dh + p.imaginary + m * kRow);
        dangle[m] = hn::Load(d, p.dangle + m * kRow);
    }
    for (int n = 0; n < kDecays; ++n) da[n] = hn::Load(d, p.dA + n * kRow);
    const LaneVec one = hn::Set(d, 1.0f);
    for (int t = steps - 1; t >= 0; --t) {
        const LaneVec dt = hn::Load(d, p.dt + t * p.channel_step), x = hn::Load(d, p.x + t * p.channel_step);
        const LaneVec dy = hn::Load(d, p.dy + t * p.channel_step);
        LaneVec dx = p.first ? hn::Mul(hn::Set(d, p.D), dy) : hn::Load(d, p.dx + t * p.channel_step);
        LaneVec ddt = p.first ? hn::Zero(d) : hn::Load(d, p.ddt + t * p.channel_step);
        for (int m = 0; m < kPairs; ++m) {
            const int n = kTied ? 0 : m;
            const std::ptrdiff_t bc = t * p.bc_step + m * kRow, im = p.imaginary;
            const float* const now = p.h_series + t * p.h_step + m * kRow;
            const float* const before = t > 0 ? now - p.h_step : p.h_start + m * kRow;
            const LaneVec q = hn::Load(d, p.q_series + t * p.q_step + n * kRow), b = input_gain(d, q);
            hn::Store(hn::MulAdd(dy, hn::Load(d, now), hn::Load(d, p.dC + bc)), d, p.dC + bc);
            hn::Store(hn::MulAdd(dy, hn::Load(d, now + im), hn::Load(d, p.dC + bc + im)), d, p.dC + bc + im);
            g_re[m] = hn::MulAdd(hn::Load(d, p.C + bc), dy, g_re[m]);
            g_im[m] = hn::MulAdd(hn::Load(d, p.C + bc + im), dy, g_im[m]);
            const LaneVec turn_t = hn::Set(d, p.turn_t[m]), turn_s = hn::Set(d, p.turn_s[m]);
            const LaneVec re = hn::Load(d, before), imag = hn::Load(d, before + im);
            const LaneVec turned_re = hn::Add(re, hn::MulSub(turn_t, re, hn::Mul(turn_s, imag)));
            const LaneVec turned_im = hn::Add(imag, hn::MulAdd(turn_t, imag, hn::Mul(turn_s, re)));
            const LaneVec drive = hn::MulAdd(g_re[m], hn::Load(d, p.B + bc), hn::Mul(g_im[m], hn::Load(d, p.B + bc + im)));
            const LaneVec bx = hn::Mul(b, x);
            hn::Store(hn::MulAdd(g_re[m], bx, hn::Load(d, p.dB + bc)), d, p.dB + bc);
            hn::Store(hn::MulAdd(g_im[m], bx, hn::Load(d, p.dB + bc + im)), d, p.dB + bc + im);
            dx = hn::MulAdd(drive, b, dx);
            const LaneVec decay = hn::Add(q, one);
            // The slope of sqrt at nothing is endless, and what it multiplies is nothing: a state that stands still teaches nothing.
            const LaneVec slope = hn::IfThenElseZero(hn::Gt(b, hn::Zero(d)), hn::Div(decay, b));
            const LaneVec dq = hn::NegMulAdd(hn::Mul(drive, x), slope, hn::MulAdd(g_re[m], turned_re, hn::Mul(g_im[m], turned_im)));
            const LaneVec decayed = hn::Mul(dq, decay);
            ddt = hn::MulAdd(decayed, hn::Set(d, p.A[n]), ddt);
            da[n] = hn::MulAdd(decayed, dt, da[n]);
            dangle[m] = hn::MulAdd(decay, hn::MulSub(g_im[m], turned_re, hn::Mul(g_re[m], turned_im)), dangle[m]);
            const LaneVec back_re = hn::Add(g_re[m], hn::MulAdd(turn_t, g_re[m], hn::Mul(turn_s, g_im[m])));
            const LaneVec back_im = hn::Add(g_im[m], hn::MulSub(turn_t, g_im[m], hn::Mul(turn_s, g_re[m])));
            g_re[m] = hn::MulAdd(q, back_re, back_re);
            g_im[m] = hn::MulAdd(q, back_im, back_im);
        }
        hn::Store(dx, d, p.dx + t * p.channel_step);
        hn::Store(ddt, d, p.ddt + t * p.channel_step);
    }
    for (int m = 0; m < kPairs; ++m) {
        hn::Store(g_re[m], d, p.dh + m * kRow), hn::Store(g_im[m], d, p.dh + p.imaginary + m * kRow);
        hn::Store(dangle[m], d, p.dangle + m * kRow);
    }
    for (int n = 0; n < kDecays; ++n) hn::Store(da[n], d, p.dA + n * kRow);
}

template <bool kTied>
void rotation_backward_all(const LaneRotationShape& s, const LaneRotationInputs& in, const float* h_start, const float* h_series,
                           const float* q_series, const float* dy, float* dh, const LaneRotationGradients& out) {
    const LaneTag d;
    const int decays = kTied ? 1 : s.pairs;
    const std::ptrdiff_t step = s.d_inner * kRow;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int c = 0; c < s.d_inner; ++c) {
            const std::ptrdiff_t channel = part + c * kRow;
            LaneVec sum = hn::Load(d, out.dD + channel);
            for (int t = 0; t < s.steps; ++t)
                sum = hn::MulAdd(hn::Load(d, dy + channel + t * step), hn::Load(d, in.x + channel + t * step), sum);
            hn::Store(sum, d, out.dD + channel);
            for (int m = 0; m < s.pairs;) {
                const std::ptrdiff_t state = part + (std::ptrdiff_t{c} * 2 * s.pairs + m) * kRow, pair = std::ptrdiff_t{c} * s.pairs + m;
                const std::ptrdiff_t weight = std::ptrdiff_t{c} * decays + (kTied ? 0 : m), bc = part + m * kRow;
                const RotationGradientTile p{in.A + weight, in.turn_t + pair, in.turn_s + pair, in.dt + channel, in.x + channel,
                                             in.B + bc, in.C + bc, dy + channel, h_start + state, h_series + state,
                                             q_series + part + weight * kRow, dh + state, out.dA + part + weight * kRow,
                                             out.dangle + part + pair * kRow, out.ddt + channel, out.dx + channel, out.dB + bc, out.dC + bc,
                                             step, s.stride * kRow, std::ptrdiff_t{s.d_inner} * 2 * s.pairs * kRow,
                                             std::ptrdiff_t{s.d_inner} * decays * kRow, s.pairs * kRow, in.D[c], m == 0};
                if (s.pairs - m >= 2) {
                    rotation_gradient_tile<2, kTied>(s.steps, p);
                    m += 2;
                } else {
                    rotation_gradient_tile<1, kTied>(s.steps, p);
                    m += 1;
                }
            }
        }
}

void rotation_backward(const LaneRotationShape& s, const LaneRotationInputs& in, const float* h_start, const float* h_series,
                       const float* q_series, const float* dy, float* dh, const LaneRotationGradients& out) {
    (s.tied ? &rotation_backward_all<true> : &rotation_backward_all<false>)(s, in, h_start, h_series, q_series, dy, dh, out);
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
