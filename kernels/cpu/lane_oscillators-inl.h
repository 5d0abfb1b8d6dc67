// SPDX-License-Identifier: MIT
// The lane-batched time-invariant scan: a channel's oscillators in registers while all steps pass.
#if defined(SERPENT_KERNELS_CPU_LANE_OSCILLATORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LANE_OSCILLATORS_INL_H_
#undef SERPENT_KERNELS_CPU_LANE_OSCILLATORS_INL_H_
#else
#define SERPENT_KERNELS_CPU_LANE_OSCILLATORS_INL_H_
#endif

#include "cpu/lane_linear-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {

/// `kPairs` oscillators of one channel; `in` and all pointers are moved to the lane part, the channel and the first pair.
template <int kPairs>
HWY_INLINE void oscillator_tile(const LaneOscillatorShape& s, const LaneOscillators& w, const float* x, float D, bool first,
                                float* h, float* y, float* h_series) {
    const LaneTag d;
    const std::ptrdiff_t x_step = s.d_inner * kRow, h_step = std::ptrdiff_t{s.d_inner} * s.pairs * 2 * kRow;
    LaneVec re[kPairs], im[kPairs];
    for (int m = 0; m < kPairs; ++m) re[m] = hn::Load(d, h + 2 * m * kRow), im[m] = hn::Load(d, h + (2 * m + 1) * kRow);
    for (int t = 0; t < s.steps; ++t) {
        const LaneVec xt = hn::Load(d, x + t * x_step);
        LaneVec sum = first ? hn::Mul(hn::Set(d, D), xt) : hn::Load(d, y + t * x_step);
        for (int m = 0; m < kPairs; ++m) {
            const LaneVec q_re = hn::Set(d, w.q_re[m]), q_im = hn::Set(d, w.q_im[m]);
            const LaneVec before = re[m];
            const LaneVec change = hn::NegMulAdd(q_im, im[m], hn::Mul(q_re, re[m]));
            re[m] = hn::MulAdd(hn::Set(d, w.b[m]), xt, hn::Add(re[m], change));
            im[m] = hn::Add(im[m], hn::MulAdd(q_re, im[m], hn::Mul(q_im, before)));
            sum = hn::MulAdd(hn::Set(d, w.C[2 * m]), re[m], sum);
            sum = hn::MulAdd(hn::Set(d, w.C[2 * m + 1]), im[m], sum);
            if (h_series) {
                hn::Store(re[m], d, h_series + t * h_step + 2 * m * kRow);
                hn::Store(im[m], d, h_series + t * h_step + (2 * m + 1) * kRow);
            }
        }
        hn::Store(sum, d, y + t * x_step);
    }
    for (int m = 0; m < kPairs; ++m) hn::Store(re[m], d, h + 2 * m * kRow), hn::Store(im[m], d, h + (2 * m + 1) * kRow);
}

void oscillators(const LaneOscillatorShape& s, const LaneOscillators& w, const float* x, float* h, float* y, float* h_series) {
    const LaneTag d;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int c = 0; c < s.d_inner; ++c)
            for (int m = 0; m < s.pairs;) {
                const std::ptrdiff_t pair = std::ptrdiff_t{c} * s.pairs + m, at = part + 2 * pair * kRow, channel = part + c * kRow;
                const LaneOscillators tile{w.q_re + pair, w.q_im + pair, w.b + pair, w.C + 2 * pair, w.D};
                float* series = h_series ? h_series + at : nullptr;
                if (s.pairs - m >= 4) {
                    oscillator_tile<4>(s, tile, x + channel, w.D[c], m == 0, h + at, y + channel, series);
                    m += 4;
                } else {
                    oscillator_tile<1>(s, tile, x + channel, w.D[c], m == 0, h + at, y + channel, series);
                    m += 1;
                }
            }
}

/// One pair of one channel, backwards in time.
HWY_INLINE void oscillator_gradient(const LaneOscillatorShape& s, const LaneOscillators& w, const float* x, const float* h_start,
                                    const float* h_series, const float* dy, float* dh, bool first, float D, float* dq,
                                    float* dC, float* dx) {
    const LaneTag d;
    const std::ptrdiff_t x_step = s.d_inner * kRow, h_step = std::ptrdiff_t{s.d_inner} * s.pairs * 2 * kRow;
    const LaneVec q_re = hn::Set(d, w.q_re[0]), q_im = hn::Set(d, w.q_im[0]), b = hn::Set(d, w.b[0]);
    const LaneVec c_re = hn::Set(d, w.C[0]), c_im = hn::Set(d, w.C[1]);
    LaneVec g_re = hn::Load(d, dh), g_im = hn::Load(d, dh + kRow);
    LaneVec dq_re = hn::Load(d, dq), dq_im = hn::Load(d, dq + kRow), db = hn::Load(d, dq + 2 * kRow);
    LaneVec dc_re = hn::Load(d, dC), dc_im = hn::Load(d, dC + kRow);
    LaneVec re = hn::Zero(d), im = hn::Zero(d);
    if (s.steps > 0) re = hn::Load(d, h_series + (s.steps - 1) * h_step), im = hn::Load(d, h_series + (s.steps - 1) * h_step + kRow);
    for (int t = s.steps - 1; t >= 0; --t) {
        const float* before = t > 0 ? h_series + (t - 1) * h_step : h_start;
        const LaneVec dyt = hn::Load(d, dy + t * x_step);
        dc_re = hn::MulAdd(dyt, re, dc_re);
        dc_im = hn::MulAdd(dyt, im, dc_im);
        re = hn::Load(d, before), im = hn::Load(d, before + kRow);
        g_re = hn::MulAdd(dyt, c_re, g_re);
        g_im = hn::MulAdd(dyt, c_im, g_im);
        dq_re = hn::MulAdd(g_re, re, hn::MulAdd(g_im, im, dq_re));
        dq_im = hn::MulAdd(g_im, re, hn::NegMulAdd(g_re, im, dq_im));
        db = hn::MulAdd(g_re, hn::Load(d, x + t * x_step), db);
        const LaneVec so_far = first ? hn::Mul(hn::Set(d, D), dyt) : hn::Load(d, dx + t * x_step);
        hn::Store(hn::MulAdd(g_re, b, so_far), d, dx + t * x_step);
        const LaneVec g = g_re;
        g_re = hn::Add(g_re, hn::MulAdd(q_re, g_re, hn::Mul(q_im, g_im)));
        g_im = hn::Add(g_im, hn::NegMulAdd(q_im, g, hn::Mul(q_re, g_im)));
    }
    hn::Store(g_re, d, dh), hn::Store(g_im, d, dh + kRow);
    hn::Store(dq_re, d, dq), hn::Store(dq_im, d, dq + kRow), hn::Store(db, d, dq + 2 * kRow);
    hn::Store(dc_re, d, dC), hn::Store(dc_im, d, dC + kRow);
}

void oscillators_backward(const LaneOscillatorShape& s, const LaneOscillators& w, const float* x, const float* h_start,
                          const float* h_series, const float* dy, float* dh, const LaneOscillatorGradients& out) {
    const LaneTag d;
    const std::ptrdiff_t step = s.d_inner * kRow;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int c = 0; c < s.d_inner; ++c) {
            const std::ptrdiff_t channel = part + c * kRow;
            LaneVec sum = hn::Load(d, out.dD + channel);
            for (int t = 0; t < s.steps; ++t)
                sum = hn::MulAdd(hn::Load(d, dy + channel + t * step), hn::Load(d, x + channel + t * step), sum);
            hn::Store(sum, d, out.dD + channel);
            for (int m = 0; m < s.pairs; ++m) {
                const std::ptrdiff_t pair = std::ptrdiff_t{c} * s.pairs + m, at = part + 2 * pair * kRow;
                const LaneOscillators one{w.q_re + pair, w.q_im + pair, w.b + pair, w.C + 2 * pair, w.D};
                oscillator_gradient(s, one, x + channel, h_start + at, h_series + at, dy + channel, dh + at, m == 0, w.D[c],
                                    out.dq + part + 3 * pair * kRow, out.dC + at, out.dx + channel);
            }
        }
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
