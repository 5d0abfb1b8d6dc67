// SPDX-License-Identifier: GPL-3.0-or-later
// The time-parallel scan of scan_quads.h for d_state 4, 8 or 16: a thread is a channel and holds all its states, so that samples are
// loaded once, B and C come from a tile of shared memory, and nothing is added up between threads.
//
// Few samples at a time are walked with factors exp(dt A) by the hardware's exp, which for a slow state are wrong by up to a
// percent of their distance from 1. A few samples do not let that grow; what is carried further on takes the exact decay of
// all of them together. With ema this is not possible: there 1 - exp(dt A) is also the input's gain.
//
// Shapes    as in scan_quads.h; a chunk's threads are one block of 32 channels
// Source    kernels/equations/selective_scan_chunked.h, scan_step.h
#pragma once

#include "benchmark/scan/scan_quads.h"

namespace serpent::kernels::gpu {

template <bool kTied, bool kEma, int kStates>
struct ChannelKind {
    static constexpr bool tied = kTied;
    static constexpr auto rule = kEma ? equations::InputRule::ema : equations::InputRule::euler;
    static constexpr int states = kStates, decays = kTied ? 1 : kStates;
    static_assert(kStates % 4 == 0 && 2 * kStates <= scan_warp_threads, "a thread moves 4 floats of B or C of 4 samples");
};

inline constexpr int channel_steps = 4;  ///< samples of a tile

SERPENT_HD inline int channel_blocks(const ScanJob& job) { return (job.inner + scan_warp_threads - 1) / scan_warp_threads; }

/// How a state goes from sample to sample within a tile: factor[i] = exp(dt A) (euler) or q[i] (ema), tied or not.
template <class Kind>
struct ShortWalk {
    float factor[channel_steps];

    SERPENT_HD ShortWalk(float rate, const float (&dt)[channel_steps]) {
        SERPENT_UNROLL
        for (int i = 0; i < channel_steps; ++i)
            factor[i] = Kind::rule == equations::InputRule::ema ? decay(dt[i] * rate) : exp2_fast(dt[i] * rate);
    }
    /// in: dt x (euler) or x (ema).
    SERPENT_HD float step(float h, int i, float in, float B) const {
        if constexpr (Kind::rule == equations::InputRule::ema) return fused(factor[i], fused(-B, in, h), h);
        else return fused(factor[i], h, in * B);
    }
    /// From the gradient with respect to the state after sample i to that before it.
    SERPENT_HD float step_back(float g, int i) const {
        if constexpr (Kind::rule == equations::InputRule::ema) return equations::adjoint_step(g, factor[i]);
        else return factor[i] * g;
    }
};

template <class Kind>
SERPENT_HD inline void load_rates(const ScanJob& job, int channel, bool exists, float (&rate)[Kind::decays]) {
    SERPENT_UNROLL
    for (int n = 0; n < Kind::decays; ++n) rate[n] = exists ? job.rates[std::int64_t{channel} * Kind::decays + n] : 0.0f;
}
template <int kStates>
SERPENT_HD inline void load_row(const float* from, bool exists, float (&to)[kStates]) {
    SERPENT_UNROLL
    for (int n = 0; n < kStates; n += 4) {
        const Float4 v = exists ? load4(from + n) : Float4{};
        SERPENT_UNROLL
        for (int k = 0; k < 4; ++k) to[n + k] = v.v[k];
    }
}
template <int kStates>
SERPENT_HD inline void store_row(float* to, bool exists, const float (&from)[kStates]) {
    if (!exists) return;
    SERPENT_UNROLL
    for (int n = 0; n < kStates; n += 4) store4(to + n, {{from[n], from[n + 1], from[n + 2], from[n + 3]}});
}

template <class Kind>
struct ChannelForwardThread {
    static constexpr int steps = channel_steps;
    bool exists;
    const float *x_at, *dt_at, *rows_at;  ///< of what is fetched next; rows_at: this thread's 4 floats of C or B
    float* y_at;                          ///< of this tile
    int rows_sample;                      ///< sample of the tile that they belong to
    float x[steps], dt[steps], y[steps], x_next[steps], dt_next[steps];
    Float4 rows_next;
    float rate[Kind::decays], h[Kind::states], dt_sum, skip;
};

/// Floats of shared memory of a warp: C and B of a tile.
template <class Kind>
inline constexpr int channel_forward_floats = 2 * channel_steps * Kind::states;

template <class Kind, class Group>
class ScanChannelsForward {
public:
    using Thread = ChannelForwardThread<Kind>;
    static constexpr int steps = channel_steps, S = Kind::states;

    SERPENT_HD ScanChannelsForward(const Group& group, const ScanJob& job, std::int64_t chunk, int block, float* tile)
        : group_(group), job_(job), chunk_(chunk), block_(block), samples_(job.samples(chunk)), tile_(tile) {}

    /// Phase 1: what the scan answers from h = 0, the end state and the sum of dt.
    SERPENT_HD void run_from_zero() {
        begin(job_.x, 2 * S);
        group_.each(threads_, [&](int thread, Thread& l) {
            l.skip = job_.skip && l.exists ? job_.skip[channel(thread)] : 0.0f;
            SERPENT_UNROLL
            for (int n = 0; n < S; ++n) l.h[n] = 0.0f;
        });
        each_tile([&](Thread& l) { answer_from_zero(l); });
        group_.each(threads_, [&](int thread, Thread& l) {
            store_row<S>(job_.states + (chunk_ * job_.inner + channel(thread)) * S, l.exists, l.h);
            if (l.exists) job_.dt_sum[chunk_ * job_.inner + channel(thread)] = l.dt_sum;
        });
    }

    /// Phase 3: what that lacks, C exp(A sum dt) h_start, with the start states in job.states.
    SERPENT_HD void add_start_states() {
        begin(job_.y, S);
        group_.each(threads_, [&](int thread, Thread& l) {
            load_row<S>(job_.states + (chunk_ * job_.inner + channel(thread)) * S, l.exists, l.h);
        });
        each_tile([&](Thread& l) { add_answer_of_start_state(l); });
    }

private:
    SERPENT_HD int channel(int thread) const { return block_ * scan_warp_threads + thread; }

    /// row_threads: S: C is wanted; 2 S: B too.
    SERPENT_HD void begin(const float* input, int row_threads) {
        group_.each(threads_, [&](int thread, Thread& l) {
            const std::int64_t first = chunk_ * job_.chunk, at = first * job_.inner + channel(thread);
            l.exists = channel(thread) < job_.inner;
            load_rates<Kind>(job_, channel(thread), l.exists, l.rate);
            l.x_at = input + at, l.dt_at = job_.dt + at, l.y_at = job_.y + at;
            // Threads [0, S) move C, threads [S, 2 S) B.
            const bool is_C = thread < S;
            l.rows_at = (is_C ? job_.C : job_.B) + first * S + thread % S * 4;
            l.rows_sample = thread < row_threads ? thread % S * 4 / S : job_.chunk;
            l.dt_sum = 0.0f;
        });
    }

    /// Samples that are not there get dt = 0, which leaves the state as it is.
    SERPENT_HD void fetch(Thread& l, int left) const {
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) {
            const bool valid = l.exists && i < left;
            l.dt_next[i] = valid ? l.dt_at[i * job_.inner] : 0.0f;
            l.x_next[i] = valid ? l.x_at[i * job_.inner] : 0.0f;
        }
        l.rows_next = l.rows_sample < left ? load4(l.rows_at) : Float4{};
        l.dt_at += steps * job_.inner, l.x_at += steps * job_.inner, l.rows_at += steps * S;
    }

    template <class Answer>
    SERPENT_HD void each_tile(const Answer& answer) {
        group_.each(threads_, [&](int, Thread& l) { fetch(l, samples_); });
        for (int t = 0; t < samples_; t += steps) {
            group_.each(threads_, [&](int thread, Thread& l) {
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i) l.x[i] = l.x_next[i], l.dt[i] = l.dt_next[i];
                if (thread < 2 * S) store4(tile_ + thread * 4, l.rows_next);
            });
            group_.sync();
            group_.each(threads_, [&](int, Thread& l) {
                fetch(l, samples_ - t - steps);
                answer(l);
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i)
                    if (l.exists && i < samples_ - t) l.y_at[i * job_.inner] = l.y[i];
                l.y_at += steps * job_.inner;
            });
            group_.sync();
        }
    }

    SERPENT_HD const float* C(int i) const { return tile_ + i * S; }
    SERPENT_HD const float* B(int i) const { return tile_ + (steps + i) * S; }

    SERPENT_HD void answer_from_zero(Thread& l) const {
        constexpr bool ema = Kind::rule == equations::InputRule::ema;
        float in[steps], dt_tile = 0.0f;
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) {
            in[i] = ema ? l.x[i] : l.dt[i] * l.x[i];
            l.y[i] = l.skip * l.x[i];
            dt_tile += l.dt[i];
        }
        l.dt_sum += dt_tile;
        ShortWalk<Kind> walk(l.rate[0], l.dt);
        float q = ema ? 0.0f : decay(dt_tile * l.rate[0]);
        SERPENT_UNROLL
        for (int n = 0; n < S; n += 4) {
            Float4 b[steps], c[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) b[i] = load4(B(i) + n), c[i] = load4(C(i) + n);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) {
                if constexpr (!Kind::tied) {
                    walk = ShortWalk<Kind>(l.rate[n + k], l.dt);
                    if constexpr (!ema) q = decay(dt_tile * l.rate[n + k]);
                }
                float h = l.h[n + k], from_zero = 0.0f;
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i) {
                    h = walk.step(h, i, in[i], b[i].v[k]);
                    if constexpr (!ema) from_zero = walk.step(from_zero, i, in[i], b[i].v[k]);
                    l.y[i] = fused(c[i].v[k], h, l.y[i]);
                }
                l.h[n + k] = ema ? h : equations::join_chunks(l.h[n + k], q, from_zero);
            }
        }
    }

    /// x is what phase 1 answered. The hardware's exp will do: nothing amplifies its error.
    SERPENT_HD void add_answer_of_start_state(Thread& l) const {
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) {
            l.dt_sum += l.dt[i];
            float sum = 0.0f;
            SERPENT_UNROLL
            for (int n = 0; n < S; n += 4) {
                const Float4 c = load4(C(i) + n);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) {
                    const float left = Kind::tied ? l.h[n + k] : exp2_fast(l.dt_sum * l.rate[Kind::tied ? 0 : n + k]) * l.h[n + k];
                    sum = fused(c.v[k], left, sum);
                }
            }
            l.y[i] = l.x[i] + (Kind::tied ? exp2_fast(l.dt_sum * l.rate[0]) * sum : sum);
        }
    }

    const Group& group_;
    const ScanJob& job_;
    std::int64_t chunk_;
    int block_, samples_;
    float* tile_;
    typename Group::template PerThread<Thread> threads_;
};

} // namespace serpent::kernels::gpu
