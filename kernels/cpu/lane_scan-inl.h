// SPDX-License-Identifier: MIT
// The lane-batched selective scan. One channel at a time walks all steps with a tile of its states in registers.
#if defined(SERPENT_KERNELS_CPU_LANE_SCAN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LANE_SCAN_INL_H_
#undef SERPENT_KERNELS_CPU_LANE_SCAN_INL_H_
#else
#define SERPENT_KERNELS_CPU_LANE_SCAN_INL_H_
#endif

#include "cpu/lane_linear-inl.h"
#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {

/// Where one channel's tile of states lives; all pointers are moved to the lane part, channel and first state.
struct ScanTile {
    const float* A;
    const float *dt, *x, *B, *C, *q;
    float *h, *h_low, *y, *h_series, *q_series;
    std::ptrdiff_t channel_step, bc_step, h_step, q_step;  // floats from one sample to the next
    float D;
    bool first;  // the tile with the channel's first state: it starts y and stores a tied q
};

template <int kStates, bool kTied, bool kEma, bool kOutput, bool kKnownQ, bool kCompensated>
HWY_INLINE void scan_tile(int steps, const ScanTile& p) {
    const LaneTag d;
    constexpr int kDecays = kTied ? 1 : kStates;
    LaneVec h[kStates], low[kStates], a[kDecays];
    for (int n = 0; n < kStates; ++n) {
        h[n] = hn::Load(d, p.h + n * kRow);
        low[n] = kCompensated ? hn::Load(d, p.h_low + n * kRow) : hn::Zero(d);
    }
    for (int n = 0; n < kDecays; ++n) a[n] = hn::Set(d, p.A[n]);
    for (int t = 0; t < steps; ++t) {
        const LaneVec dt = hn::Load(d, p.dt + t * p.channel_step);
        const LaneVec x = hn::Load(d, p.x + t * p.channel_step);
        const LaneVec dtx = hn::Mul(dt, x);
        LaneVec q[kDecays];
        for (int n = 0; n < kDecays; ++n)
            q[n] = kKnownQ ? hn::Load(d, p.q + t * p.q_step + n * kRow) : expm1_v(d, hn::Mul(dt, a[n]));
        if (p.q_series && (!kTied || p.first))
            for (int n = 0; n < kDecays; ++n) hn::Store(q[n], d, p.q_series + t * p.q_step + n * kRow);
        for (int n = 0; n < kStates; ++n) {
            const LaneVec b = hn::Load(d, p.B + t * p.bc_step + n * kRow);
            const LaneVec qn = q[kTied ? 0 : n];
            if constexpr (kCompensated)
                add_compensated(d, kEma ? hn::MulAdd(qn, hn::NegMulAdd(b, x, h[n]), low[n])
                                        : hn::MulAdd(qn, h[n], hn::MulAdd(dtx, b, low[n])), &h[n], &low[n]);
            else
                h[n] = kEma ? hn::MulAdd(qn, hn::NegMulAdd(b, x, h[n]), h[n])
                            : hn::Add(h[n], hn::MulAdd(qn, h[n], hn::Mul(dtx, b)));
        }
        if constexpr (kOutput) {
            LaneVec y = p.first ? hn::Mul(hn::Set(d, p.D), x) : hn::Load(d, p.y + t * p.channel_step);
            for (int n = 0; n < kStates; ++n) y = hn::MulAdd(hn::Load(d, p.C + t * p.bc_step + n * kRow), h[n], y);
            hn::Store(y, d, p.y + t * p.channel_step);
            if (p.h_series)
                for (int n = 0; n < kStates; ++n) hn::Store(h[n], d, p.h_series + t * p.h_step + n * kRow);
        }
    }
    for (int n = 0; n < kStates; ++n) {
        hn::Store(h[n], d, p.h + n * kRow);
        if constexpr (kCompensated) hn::Store(low[n], d, p.h_low + n * kRow);
    }
}

template <bool kTied, bool kEma, bool kOutput, bool kKnownQ, bool kCompensated>
void scan_all(const LaneScanShape& s, const LaneScanInputs& in, float* h, float* h_low, float* y, float* h_series,
              float* q_series) {
    const LaneTag d;
    const int decays = kTied ? 1 : s.d_state;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int c = 0; c < s.d_inner; ++c) {
            const std::ptrdiff_t channel = part + c * kRow;
            for (int n = 0; n < s.d_state;) {
                const std::ptrdiff_t state = part + (std::ptrdiff_t{c} * s.d_state + n) * kRow;
                const std::ptrdiff_t decay = part + (std::ptrdiff_t{c} * decays + (kTied ? 0 : n)) * kRow;
                const ScanTile p{in.A + c * decays + (kTied ? 0 : n),
                                 in.dt + channel, in.x + channel, in.B + part + n * kRow, in.C + part + n * kRow,
                                 kKnownQ ? in.q + decay : nullptr, h + state, kCompensated ? h_low + state : nullptr, y + channel,
                                 h_series ? h_series + state : nullptr, q_series ? q_series + decay : nullptr,
                                 s.d_inner * kRow, s.stride * kRow, std::ptrdiff_t{s.d_inner} * s.d_state * kRow,
                                 std::ptrdiff_t{s.d_inner} * decays * kRow, in.D[c], n == 0};
                if (s.d_state - n >= 4) {
                    scan_tile<4, kTied, kEma, kOutput, kKnownQ, kCompensated>(s.steps, p);
                    n += 4;
                } else {
                    scan_tile<1, kTied, kEma, kOutput, kKnownQ, kCompensated>(s.steps, p);
                    n += 1;
                }
            }
        }
}

template <bool kOutput, bool kKnownQ, bool kCompensated>
void scan_of_kind(const LaneScanShape& s, const LaneScanInputs& in, float* h, float* low, float* y, float* hs, float* qs) {
    const auto run = s.tied ? (s.ema ? &scan_all<true, true, kOutput, kKnownQ, kCompensated>
                                     : &scan_all<true, false, kOutput, kKnownQ, kCompensated>)
                            : (s.ema ? &scan_all<false, true, kOutput, kKnownQ, kCompensated>
                                     : &scan_all<false, false, kOutput, kKnownQ, kCompensated>);
    run(s, in, h, low, y, hs, qs);
}

template <bool kOutput, bool kKnownQ>
void scan_dispatch(const LaneScanShape& s, const LaneScanInputs& in, float* h, float* low, float* y, float* hs, float* qs) {
    low ? scan_of_kind<kOutput, kKnownQ, true>(s, in, h, low, y, hs, qs)
        : scan_of_kind<kOutput, kKnownQ, false>(s, in, h, low, y, hs, qs);
}

void scan(const LaneScanShape& s, const LaneScanInputs& in, float* h, float* h_low, float* y, float* h_series, float* q_series) {
    in.q ? scan_dispatch<true, true>(s, in, h, h_low, y, h_series, q_series)
         : scan_dispatch<true, false>(s, in, h, h_low, y, h_series, q_series);
}

/// q_sum = expm1(A sum_t dt) of every channel and decay.
HWY_INLINE void decay_of_steps(int steps, int d_inner, int decays, const float* A, const float* dt, float* q_sum) {
    const LaneTag d;
    for (int c = 0; c < d_inner; ++c)
        for (std::ptrdiff_t lane = 0; lane < kRow; lane += hn::Lanes(d)) {
            LaneVec sum = hn::Zero(d), low = hn::Zero(d);  // equal steps, added to a long sum, would all be rounded the same way
            for (int t = 0; t < steps; ++t)
                add_compensated(d, hn::Add(hn::Load(d, dt + (std::ptrdiff_t{t} * d_inner + c) * kRow + lane), low), &sum, &low);
            for (int n = 0; n < decays; ++n)
                hn::Store(expm1_v(d, hn::Mul(sum, hn::Set(d, A[c * decays + n]))), d, q_sum + (c * decays + n) * kRow + lane);
        }
}

void scan_carry(const LaneScanShape& s, const LaneScanInputs& in, float* h, float* h_low, float* q_sum, float* q_series) {
    scan_dispatch<false, false>(s, in, h, h_low, h, nullptr, q_series);
    decay_of_steps(s.steps, s.d_inner, s.tied ? 1 : s.d_state, in.A, in.dt, q_sum);
}

struct ScanGradientTile {
    const float* A;
    const float *dt, *x, *B, *C, *dy, *h_start, *h_series, *q_series;
    float *dh, *dA, *ddt, *dx, *dB, *dC;
    std::ptrdiff_t channel_step, bc_step, h_step, q_step;
    float D;
    bool first;
};

template <int kStates, bool kTied, bool kEma>
HWY_INLINE void scan_gradient_tile(int steps, const ScanGradientTile& p) {
    const LaneTag d;
    constexpr int kDecays = kTied ? 1 : kStates;
    LaneVec dh[kStates], da[kDecays];
    for (int n = 0; n < kStates; ++n) dh[n] = hn::Load(d, p.dh + n * kRow);
    for (int n = 0; n < kDecays; ++n) da[n] = hn::Load(d, p.dA + n * kRow);
    for (int t = steps - 1; t >= 0; --t) {
        const LaneVec dt = hn::Load(d, p.dt + t * p.channel_step);
        const LaneVec x = hn::Load(d, p.x + t * p.channel_step);
        const LaneVec dy = hn::Load(d, p.dy + t * p.channel_step);
        LaneVec dx = p.first ? hn::Mul(hn::Set(d, p.D), dy) : hn::Load(d, p.dx + t * p.channel_step);
        LaneVec ddt = p.first ? hn::Zero(d) : hn::Load(d, p.ddt + t * p.channel_step);
        LaneVec xdb = hn::Zero(d);  // sum_n dh B: shared by dx and ddt in the Euler form
        for (int n = 0; n < kStates; ++n) {
            const std::ptrdiff_t bc = t * p.bc_step + n * kRow;
            const LaneVec q = hn::Load(d, p.q_series + t * p.q_step + (kTied ? 0 : n) * kRow);
            const LaneVec b = hn::Load(d, p.B + bc);
            const LaneVec h_now = hn::Load(d, p.h_series + t * p.h_step + n * kRow);
            const LaneVec h_before = hn::Load(d, t > 0 ? p.h_series + (t - 1) * p.h_step + n * kRow : p.h_start + n * kRow);
            hn::Store(hn::MulAdd(dy, h_now, hn::Load(d, p.dC + bc)), d, p.dC + bc);
            const LaneVec g = hn::MulAdd(hn::Load(d, p.C + bc), dy, dh[n]);  // gradient of h at this step
            LaneVec dq;
            if constexpr (kEma) {
                dq = hn::Mul(g, hn::NegMulAdd(b, x, h_before));
                const LaneVec gq = hn::Mul(g, q);
                hn::Store(hn::NegMulAdd(gq, x, hn::Load(d, p.dB + bc)), d, p.dB + bc);
                dx = hn::NegMulAdd(gq, b, dx);
                dh[n] = hn::Add(g, gq);
            } else {
                dq = hn::Mul(g, h_before);
                hn::Store(hn::MulAdd(hn::Mul(g, dt), x, hn::Load(d, p.dB + bc)), d, p.dB + bc);
                xdb = hn::MulAdd(g, b, xdb);
                dh[n] = hn::MulAdd(g, q, g);
            }
            const LaneVec dqe = hn::MulAdd(dq, q, dq);  // dq exp(dt A)
            const int m = kTied ? 0 : n;
            ddt = hn::MulAdd(dqe, hn::Set(d, p.A[m]), ddt);
            da[m] = hn::MulAdd(dqe, dt, da[m]);
        }
        if constexpr (!kEma) {
            dx = hn::MulAdd(xdb, dt, dx);
            ddt = hn::MulAdd(xdb, x, ddt);
        }
        hn::Store(dx, d, p.dx + t * p.channel_step);
        hn::Store(ddt, d, p.ddt + t * p.channel_step);
    }
    for (int n = 0; n < kStates; ++n) hn::Store(dh[n], d, p.dh + n * kRow);
    for (int n = 0; n < kDecays; ++n) hn::Store(da[n], d, p.dA + n * kRow);
}

template <bool kTied, bool kEma>
void scan_backward_all(const LaneScanShape& s, const LaneScanInputs& in, const float* h_start, const float* h_series,
                       const float* q_series, const float* dy, float* dh, const LaneScanGradients& out) {
    const LaneTag d;
    const int decays = kTied ? 1 : s.d_state;
    const std::ptrdiff_t step = s.d_inner * kRow;
    for (std::size_t part = 0; part < lane_count; part += hn::Lanes(d))
        for (int c = 0; c < s.d_inner; ++c) {
            const std::ptrdiff_t channel = part + c * kRow;
            LaneVec sum = hn::Load(d, out.dD + channel);
            for (int t = 0; t < s.steps; ++t)
                sum = hn::MulAdd(hn::Load(d, dy + channel + t * step), hn::Load(d, in.x + channel + t * step), sum);
            hn::Store(sum, d, out.dD + channel);
            for (int n = 0; n < s.d_state;) {
                const std::ptrdiff_t state = part + (std::ptrdiff_t{c} * s.d_state + n) * kRow;
                const std::ptrdiff_t weight = std::ptrdiff_t{c} * decays + (kTied ? 0 : n);
                const std::ptrdiff_t bc = part + n * kRow;
                const ScanGradientTile p{in.A + weight, in.dt + channel, in.x + channel, in.B + bc, in.C + bc,
                                         dy + channel, h_start + state, h_series + state,
                                         q_series + part + weight * kRow, dh + state, out.dA + part + weight * kRow,
                                         out.ddt + channel, out.dx + channel, out.dB + bc, out.dC + bc,
                                         step, s.stride * kRow, std::ptrdiff_t{s.d_inner} * s.d_state * kRow,
                                         std::ptrdiff_t{s.d_inner} * decays * kRow, in.D[c], n == 0};
                if (s.d_state - n >= 4) {
                    scan_gradient_tile<4, kTied, kEma>(s.steps, p);
                    n += 4;
                } else {
                    scan_gradient_tile<1, kTied, kEma>(s.steps, p);
                    n += 1;
                }
            }
        }
}

void scan_backward(const LaneScanShape& s, const LaneScanInputs& in, const float* h_start, const float* h_series,
                   const float* q_series, const float* dy, float* dh, const LaneScanGradients& out) {
    const auto run = s.tied ? (s.ema ? &scan_backward_all<true, true> : &scan_backward_all<true, false>)
                            : (s.ema ? &scan_backward_all<false, true> : &scan_backward_all<false, false>);
    run(s, in, h_start, h_series, q_series, dy, dh, out);
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
