// SPDX-License-Identifier: MIT
// The single-step operators, compiled once per instruction set.
#include "cpu/targets.h"

#include "serpent/kernels/step.h"

#include <cmath>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/step_ops.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

using std::size_t;
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, step_pad>;
using Vec = hn::Vec<Tag>;
constexpr int lanes = static_cast<int>(hn::MaxLanes(Tag()));
constexpr int chains = 8;  // independent multiply-adds: two a cycle, four cycles each

/// `vectors` output vectors from column `first`, each as `parts` sums over every parts-th input, added up at the end.
template <int vectors, int parts>
HWY_INLINE void linear_tile(const StepLinear& w, const float* HWY_RESTRICT x, float* HWY_RESTRICT y, int first, bool add) {
    const Tag d;
    Vec sum[parts][vectors];
    for (int v = 0; v < vectors; ++v) {
        sum[0][v] = hn::Load(d, w.bias + first + v * lanes);
        if (add) sum[0][v] = hn::Add(sum[0][v], hn::Load(d, y + first + v * lanes));
        for (int p = 1; p < parts; ++p) sum[p][v] = hn::Zero(d);
    }
    const float* weight = w.weight + first;
    const size_t stride = static_cast<size_t>(w.stride);
    int i = 0;
    for (; i + parts <= w.in; i += parts)
        for (int p = 0; p < parts; ++p, weight += stride) {
            const Vec value = hn::Set(d, x[i + p]);
            for (int v = 0; v < vectors; ++v) sum[p][v] = hn::MulAdd(hn::Load(d, weight + v * lanes), value, sum[p][v]);
        }
    for (; i < w.in; ++i, weight += stride) {
        const Vec value = hn::Set(d, x[i]);
        for (int v = 0; v < vectors; ++v) sum[0][v] = hn::MulAdd(hn::Load(d, weight + v * lanes), value, sum[0][v]);
    }
    for (int v = 0; v < vectors; ++v) {
        for (int p = 1; p < parts; ++p) sum[0][v] = hn::Add(sum[0][v], sum[p][v]);
        hn::Store(sum[0][v], d, y + first + v * lanes);
    }
}

/// Which tile computes a column follows from the whole width, so that every cut gives the same bits.
void linear(const StepLinear& w, const float* x, float* y, int first, int count, bool add) {
    const int vectors_in_all = w.stride / lanes, end = first + count;
    int c = first;
    if (vectors_in_all >= chains)
        for (; c + 4 * lanes <= end; c += 4 * lanes) linear_tile<4, 2>(w, x, y, c, add);
    if (vectors_in_all >= chains)
        for (; c < end; c += lanes) linear_tile<1, 2>(w, x, y, c, add);
    for (; c + 2 * lanes <= end; c += 2 * lanes) linear_tile<2, 4>(w, x, y, c, add);
    for (; c < end; c += lanes) linear_tile<1, 4>(w, x, y, c, add);
}

void norm(int channels, const float* w, const float* e, float* u) {
    const Tag d;
    const int stride = step_padded(channels);
    Vec sum = hn::Zero(d);
    for (int c = 0; c < stride; c += lanes) {
        const Vec v = hn::Load(d, e + c);
        sum = hn::MulAdd(v, v, sum);
    }
    const float mean = hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(channels);
    const Vec scale = hn::Set(d, 1.0f / std::sqrt(mean + 1e-5f));
    for (int c = 0; c < stride; c += lanes)
        hn::Store(hn::Mul(hn::Mul(hn::Load(d, e + c), scale), hn::Load(d, w + c)), d, u + c);
}

void conv(const StepConv& s, int first, int count) {
    const Tag d;
    const int rows = (s.taps - 1) * s.dilation + 1;
    for (int c = first; c < first + count; c += lanes) {
        Vec sum = hn::Load(d, s.bias + c);
        int row = s.newest + 1 == rows ? 0 : s.newest + 1;  // the oldest
        for (int k = 0; k < s.taps; ++k) {
            sum = hn::MulAdd(hn::Load(d, s.weight + k * s.stride + c), hn::Load(d, s.history + row * s.stride + c), sum);
            row += s.dilation;
            if (row >= rows) row -= rows;
        }
        hn::Store(silu_v(d, sum), d, s.y + c);
    }
}

/// softplus(dt_proj dt_low) of the channels from c.
HWY_INLINE Vec step_dt(const StepLinear& dt_proj, const float* dt_low, int c) {
    const Tag d;
    Vec raw = hn::Load(d, dt_proj.bias + c);
    for (int r = 0; r < dt_proj.in; ++r)
        raw = hn::MulAdd(hn::Load(d, dt_proj.weight + r * dt_proj.stride + c), hn::Set(d, dt_low[r]), raw);
    return softplus_v(d, raw);
}

template <bool tied, bool ema>
void selective_range(const StepSelective& s, int first, int count) {
    const Tag d;
    const int stride = s.dt_proj.stride, rank = s.dt_proj.in;
    const float *B = s.dt_B_C + rank, *C = B + s.d_state;
    for (int c = first; c < first + count; c += lanes) {
        const Vec dt = step_dt(s.dt_proj, s.dt_B_C, c), x = hn::Load(d, s.x + c);
        const Vec input = ema ? x : hn::Mul(dt, x);
        Vec y = hn::Mul(hn::Load(d, s.D + c), x), q = hn::Zero(d);
        if (tied) q = expm1_v(d, hn::Mul(dt, hn::Load(d, s.A + c)));
        for (int n = 0; n < s.d_state; ++n) {
            float* place = s.h + n * stride + c;
            Vec h = hn::Load(d, place);
            if (!tied) q = expm1_v(d, hn::Mul(dt, hn::Load(d, s.A + n * stride + c)));
            if (ema) h = hn::MulAdd(q, hn::NegMulAdd(input, hn::Set(d, B[n]), h), h);
            else h = hn::Add(h, hn::MulAdd(q, h, hn::Mul(input, hn::Set(d, B[n]))));
            hn::Store(h, d, place);
            y = hn::MulAdd(h, hn::Set(d, C[n]), y);
        }
        hn::Store(hn::Mul(y, silu_v(d, hn::Load(d, s.z + c))), d, s.y + c);
    }
}

void selective(const StepSelective& s, int first, int count) {
    if (s.tied) s.ema ? selective_range<true, true>(s, first, count) : selective_range<true, false>(s, first, count);
    else s.ema ? selective_range<false, true>(s, first, count) : selective_range<false, false>(s, first, count);
}

template <bool tied>
void rotating_range(const StepRotating& s, int first, int count) {
    const Tag d;
    const int stride = s.dt_proj.stride, pairs = s.pairs;
    const float *B = s.dt_B_C + s.dt_proj.in, *C = B + 2 * pairs;
    for (int c = first; c < first + count; c += lanes) {
        const Vec dt = step_dt(s.dt_proj, s.dt_B_C, c), x = hn::Load(d, s.x + c);
        Vec y_re = hn::Mul(hn::Load(d, s.D + c), x), y_im = hn::Zero(d), q = hn::Zero(d), bx = hn::Zero(d);
        for (int m = 0; m < pairs; ++m) {
            const int at = m * stride + c;
            if (!tied || m == 0) {
                q = expm1_v(d, hn::Mul(dt, hn::Load(d, s.A + at)));
                bx = hn::Mul(hn::Sqrt(hn::Neg(hn::Mul(q, hn::Add(q, hn::Set(d, 2.0f))))), x);
            }
            const Vec turn_t = hn::Load(d, s.turn_t + at), turn_s = hn::Load(d, s.turn_s + at);
            const Vec q_re = hn::MulAdd(q, turn_t, hn::Add(q, turn_t)), q_im = hn::MulAdd(q, turn_s, turn_s);
            const Vec re = hn::Load(d, s.h_re + at), im = hn::Load(d, s.h_im + at);
            const Vec change_re = hn::MulAdd(q_re, re, hn::NegMulAdd(q_im, im, hn::Mul(bx, hn::Set(d, B[m]))));
            const Vec change_im = hn::MulAdd(q_re, im, hn::MulAdd(q_im, re, hn::Mul(bx, hn::Set(d, B[pairs + m]))));
            const Vec next_re = hn::Add(re, change_re), next_im = hn::Add(im, change_im);
            hn::Store(next_re, d, s.h_re + at);
            hn::Store(next_im, d, s.h_im + at);
            y_re = hn::MulAdd(next_re, hn::Set(d, C[m]), y_re);
            y_im = hn::MulAdd(next_im, hn::Set(d, C[pairs + m]), y_im);
        }
        hn::Store(hn::Mul(hn::Add(y_re, y_im), silu_v(d, hn::Load(d, s.z + c))), d, s.y + c);
    }
}

void rotating(const StepRotating& s, int first, int count) {
    s.tied ? rotating_range<true>(s, first, count) : rotating_range<false>(s, first, count);
}

void oscillators(const StepOscillators& s, int first, int count) {
    const Tag d;
    for (int c = first; c < first + count; c += lanes) {
        const Vec x = hn::Load(d, s.x + c);
        Vec y_re = hn::Mul(hn::Load(d, s.D + c), x), y_im = hn::Zero(d);
        for (int m = 0; m < s.pairs; ++m) {
            const int at = m * s.stride + c;
            const Vec q_re = hn::Load(d, s.q_re + at), q_im = hn::Load(d, s.q_im + at);
            const Vec re = hn::Load(d, s.h_re + at), im = hn::Load(d, s.h_im + at);
            const Vec next_re = hn::MulAdd(hn::Load(d, s.b + at), x, hn::Add(re, hn::NegMulAdd(q_im, im, hn::Mul(q_re, re))));
            const Vec next_im = hn::Add(im, hn::MulAdd(q_re, im, hn::Mul(q_im, re)));
            hn::Store(next_re, d, s.h_re + at);
            hn::Store(next_im, d, s.h_im + at);
            y_re = hn::MulAdd(hn::Load(d, s.c_re + at), next_re, y_re);
            y_im = hn::MulAdd(hn::Load(d, s.c_im + at), next_im, y_im);
        }
        hn::Store(hn::Mul(hn::Add(y_re, y_im), silu_v(d, hn::Load(d, s.z + c))), d, s.y + c);
    }
}

void exponentials(int n, float scale, const float* logits, float* out) {
    const Tag d;
    Vec largest = hn::Load(d, logits);
    for (int k = lanes; k < n; k += lanes) largest = hn::Max(largest, hn::Load(d, logits + k));
    largest = hn::MaxOfLanes(d, largest);
    const Vec factor = hn::Set(d, scale);
    for (int k = 0; k < n; k += lanes)
        hn::Store(exp_v(d, hn::Mul(factor, hn::Sub(hn::Load(d, logits + k), largest))), d, out + k);
}

} // namespace

constexpr StepOps step_table{SERPENT_TARGET_ISA, linear, norm, conv, selective, rotating, oscillators, exponentials};

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {

const StepOps& step_ops(Isa isa) {
    return *SERPENT_SELECT(isa, step_table);
}

} // namespace serpent::kernels
#endif
