// SPDX-License-Identifier: GPL-3.0-or-later
// Backward of scan_channels.h. Both walks from zero, of the states and of their gradients, leave what they hold at every 16 samples;
// with that and the chunk's true start (and end) the last phase starts every 16 samples exactly, and walks them twice: forwards for
// the states at every 4, then backwards 4 at a time, whose states it holds in registers.
//
// Shapes    checkpoints (groups, d_inner, d_state), a chunk being a whole number of groups of 16 samples; dt_before and dt_after
//           (groups, d_inner): sums of dt from the chunk's start, and to its end; the rest as in scan_quads.h
// Order     sums over channels: eight neighbours in order, then as a butterfly, then blocks in order; dA and dD: samples backwards, then
//           chunks as sum_columns_kernel adds them
#pragma once

#include "benchmark/scan/scan_channels.h"

namespace serpent::kernels::gpu {

inline constexpr int checkpoint_samples = 16, checkpoint_tiles = checkpoint_samples / channel_steps;

struct ChannelsBackwardJob {
    ScanJob scan;      ///< states: true start states, once joined
    const float* dy;
    float* adjoint;         ///< (chunks, d_inner, d_state): gradient of every chunk's start from zero; once joined, of its end
    float *checkpoints, *dt_before;          ///< of the states
    float *adjoint_checkpoints, *dt_after;   ///< of their gradients
    float *dx, *ddt;
    float *dB, *dC;         ///< (slices, length, d_state)
    float *dA, *dD;         ///< (chunks, d_inner, d_state), (chunks, d_inner)
    int blocks_per_slice;

    SERPENT_HD std::int64_t groups_before(std::int64_t chunk) const { return chunk * (scan.chunk / checkpoint_samples); }
};

template <class Kind>
struct ChannelsBackwardThread {
    static constexpr int steps = channel_steps, S = Kind::states;
    bool exists;
    std::int64_t at;  ///< of this channel in the first sample of the chunk
    float rate[Kind::decays], h[S], g[S], dA[S], skip, dD, dt_sum;
    float x[steps], dt[steps], dy[steps], dx[steps], ddt[steps];
    Float4 sums;
};

/// Floats of shared memory of a warp: B and C of a group; in the last phase also the states at its tiles, and a tile for sums over
/// channels.
template <class Kind>
inline constexpr int channel_rows_floats = 2 * checkpoint_samples * Kind::states;
template <class Kind>
inline constexpr int channel_backward_floats =
    channel_rows_floats<Kind> + checkpoint_tiles * Kind::states * scan_warp_threads + scan_warp_threads * scan_sum_stride;

template <class Kind, class Group>
class ScanChannelsBackward {
public:
    using Thread = ChannelsBackwardThread<Kind>;
    static constexpr int steps = channel_steps, S = Kind::states;
    static constexpr bool ema = Kind::rule == equations::InputRule::ema;

    SERPENT_HD ScanChannelsBackward(const Group& group, const ChannelsBackwardJob& job, std::int64_t chunk, float* shared)
        : group_(group), job_(job), s_(job.scan), chunk_(chunk), samples_(job.scan.samples(chunk)), rows_(shared),
          h_tiles_(rows_ + channel_rows_floats<Kind>), sum_tile_(h_tiles_ + checkpoint_tiles * S * scan_warp_threads) {}

    /// Phase 1 of the states.
    SERPENT_HD void walk_from_zero(int block) {
        begin(block);
        for (int group = 0; group < groups(); ++group) {
            load_rows(group, true);
            group_.each(threads_, [&](int thread, Thread& l) {
                leave(l, thread, group, l.h, job_.checkpoints, job_.dt_before);
                float from_zero[S] = {}, dt_group = 0.0f;
                for (int tile = 0; tile < checkpoint_tiles; ++tile) {
                    load_inputs<false>(l, group, tile);
                    walk_tile(l, tile, ema ? l.h : from_zero);
                    dt_group += sum_of(l.dt);
                }
                end_group(l, l.h, from_zero, dt_group);
            });
            group_.sync();
        }
        group_.each(threads_, [&](int thread, Thread& l) {
            store_row<S>(s_.states + row(thread, chunk_) * S, l.exists, l.h);
            if (l.exists) s_.dt_sum[row(thread, chunk_)] = l.dt_sum;
        });
    }

    /// Phase 1 of the gradients.
    SERPENT_HD void walk_adjoint_from_zero(int block) {
        begin(block);
        for (int group = groups() - 1; group >= 0; --group) {
            load_rows(group, false);
            group_.each(threads_, [&](int thread, Thread& l) {
                leave(l, thread, group, l.g, job_.adjoint_checkpoints, job_.dt_after);
                float from_zero[S] = {}, dt_group = 0.0f;
                for (int tile = checkpoint_tiles - 1; tile >= 0; --tile) {
                    load_inputs<true>(l, group, tile);
                    walk_adjoint_tile(l, tile, ema ? l.g : from_zero);
                    dt_group += sum_of(l.dt);
                }
                end_group(l, l.g, from_zero, dt_group);
            });
            group_.sync();
        }
        group_.each(threads_, [&](int thread, Thread& l) { store_row<S>(job_.adjoint + row(thread, chunk_) * S, l.exists, l.g); });
    }

    /// Phase 3 for the blocks of one slice.
    SERPENT_HD void run(int slice) {
        slice_ = slice;
        const int first = slice * job_.blocks_per_slice, blocks = channel_blocks(s_);
        for (int block = first; block < blocks && block < first + job_.blocks_per_slice; ++block) run_block(block, block == first);
    }

private:
    SERPENT_HD int groups() const { return (samples_ + checkpoint_samples - 1) / checkpoint_samples; }
    SERPENT_HD int channel(int thread) const { return block_ * scan_warp_threads + thread; }
    SERPENT_HD std::int64_t row(int thread, std::int64_t of) const { return of * s_.inner + channel(thread); }

    SERPENT_HD void begin(int block) {
        block_ = block;
        group_.each(threads_, [&](int thread, Thread& l) {
            l.exists = channel(thread) < s_.inner;
            l.at = row(thread, chunk_ * s_.chunk);
            load_rates<Kind>(s_, channel(thread), l.exists, l.rate);
            l.skip = s_.skip && l.exists ? s_.skip[channel(thread)] : 0.0f;
            l.dD = l.dt_sum = 0.0f;
            SERPENT_UNROLL
            for (int n = 0; n < S; ++n) l.h[n] = l.g[n] = l.dA[n] = 0.0f;
        });
    }

    /// B and C of a group's samples into shared memory; zeros behind the end.
    SERPENT_HD void load_rows(int group, bool with_B, bool with_C = false) {
        const std::int64_t first = chunk_ * s_.chunk + group * checkpoint_samples;
        const int floats = (samples_ - group * checkpoint_samples) * S;
        group_.each(threads_, [&](int thread, Thread&) {
            SERPENT_UNROLL
            for (int at = thread * 4; at < checkpoint_samples * S; at += scan_warp_threads * 4) {
                if (with_B) store4(rows_ + at, at < floats ? load4(s_.B + first * S + at) : Float4{});
                if (!with_B || with_C) store4(rows_ + checkpoint_samples * S + at, at < floats ? load4(s_.C + first * S + at) : Float4{});
            }
        });
        group_.sync();
    }
    SERPENT_HD const float* B(int tile, int i) const { return rows_ + (tile * steps + i) * S; }
    SERPENT_HD const float* C(int tile, int i) const { return rows_ + (checkpoint_samples + tile * steps + i) * S; }

    /// x and dt, or dy and dt, of a tile: zeros behind the end, which leave states and gradients as they are.
    template <bool kAdjoint>
    SERPENT_HD void load_inputs(Thread& l, int group, int tile) const {
        const int t = group * checkpoint_samples + tile * steps;
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) {
            const bool valid = l.exists && t + i < samples_;
            const std::int64_t at = l.at + std::int64_t{t + i} * s_.inner;
            l.dt[i] = valid ? s_.dt[at] : 0.0f;
            if constexpr (kAdjoint) l.dy[i] = valid ? job_.dy[at] : 0.0f;
            else l.x[i] = valid ? s_.x[at] : 0.0f;
        }
    }
    SERPENT_HD static float sum_of(const float (&dt)[steps]) { return (dt[0] + dt[1]) + (dt[2] + dt[3]); }
    SERPENT_HD static float input(const Thread& l, int i) { return ema ? l.x[i] : l.dt[i] * l.x[i]; }

    SERPENT_HD void leave(const Thread& l, int thread, int group, const float (&values)[S], float* checkpoints, float* dt_sums) const {
        const std::int64_t at = row(thread, job_.groups_before(chunk_) + group);
        store_row<S>(checkpoints + at * S, l.exists, values);
        if (l.exists) dt_sums[at] = l.dt_sum;
    }
    /// With ema the values were walked exactly already.
    SERPENT_HD static void end_group(Thread& l, float (&values)[S], const float (&from_zero)[S], float dt_group) {
        l.dt_sum += dt_group;
        if constexpr (ema) return;
        join(l, values, from_zero, dt_group);
    }
    /// values, decayed over dt, and what came since.
    SERPENT_HD static void join(const Thread& l, float (&values)[S], const float (&from_zero)[S], float dt) {
        float q = decay(dt * l.rate[0]);
        SERPENT_UNROLL
        for (int n = 0; n < S; ++n) {
            if constexpr (!Kind::tied) q = decay(dt * l.rate[n]);
            values[n] = equations::join_chunks(values[n], q, from_zero[n]);
        }
    }

    SERPENT_HD void walk_tile(const Thread& l, int tile, float (&h)[S]) const {
        ShortWalk<Kind> walk(l.rate[0], l.dt);
        SERPENT_UNROLL
        for (int n = 0; n < S; n += 4) {
            Float4 b[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) b[i] = load4(B(tile, i) + n);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) {
                if constexpr (!Kind::tied) walk = ShortWalk<Kind>(l.rate[n + k], l.dt);
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i) h[n + k] = walk.step(h[n + k], i, input(l, i), b[i].v[k]);
            }
        }
    }
    SERPENT_HD void walk_adjoint_tile(const Thread& l, int tile, float (&g)[S]) const {
        ShortWalk<Kind> walk(l.rate[0], l.dt);
        SERPENT_UNROLL
        for (int n = 0; n < S; n += 4) {
            Float4 c[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) c[i] = load4(C(tile, i) + n);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) {
                if constexpr (!Kind::tied) walk = ShortWalk<Kind>(l.rate[n + k], l.dt);
                SERPENT_UNROLL
                for (int i = steps - 1; i >= 0; --i) g[n + k] = walk.step_back(fused(l.dy[i], c[i].v[k], g[n + k]), i);
            }
        }
    }

    SERPENT_HD void run_block(int block, bool first_block) {
        begin(block);
        for (int group = groups() - 1; group >= 0; --group) {
            load_rows(group, true, true);
            group_.each(threads_, [&](int thread, Thread& l) {
                start_group(l, thread, group);
                for (int tile = 0; tile < checkpoint_tiles; ++tile) {
                    float* const to = h_tiles_ + tile * S * scan_warp_threads + thread * 4;
                    SERPENT_UNROLL
                    for (int n = 0; n < S; n += 4) store4(to + n * scan_warp_threads, {{l.h[n], l.h[n + 1], l.h[n + 2], l.h[n + 3]}});
                    if (tile == checkpoint_tiles - 1) break;
                    load_inputs<false>(l, group, tile);
                    walk_tile(l, tile, l.h);
                }
            });
            for (int tile = checkpoint_tiles - 1; tile >= 0; --tile) run_tile(group, tile, first_block);
        }
        group_.each(threads_, [&](int thread, Thread& l) {
            store_row<S>(job_.dA + row(thread, chunk_) * S, l.exists, l.dA);
            if (l.exists) job_.dD[row(thread, chunk_)] = l.dD;
        });
    }

    /// h at the group's start and g at its end.
    SERPENT_HD void start_group(Thread& l, int thread, int group) const {
        const std::int64_t at = row(thread, job_.groups_before(chunk_) + group), of_chunk = row(thread, chunk_) * S;
        float from_zero[S];
        load_row<S>(s_.states + of_chunk, l.exists, l.h);
        load_row<S>(job_.checkpoints + at * S, l.exists, from_zero);
        join(l, l.h, from_zero, l.exists ? job_.dt_before[at] : 0.0f);
        load_row<S>(job_.adjoint + of_chunk, l.exists, l.g);
        load_row<S>(job_.adjoint_checkpoints + at * S, l.exists, from_zero);
        join(l, l.g, from_zero, l.exists ? job_.dt_after[at] : 0.0f);
    }

    SERPENT_HD void run_tile(int group, int tile, bool first_block) {
        const int t = group * checkpoint_samples + tile * steps;
        group_.each(threads_, [&](int, Thread& l) {
            load_inputs<false>(l, group, tile);
            load_inputs<true>(l, group, tile);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                l.dx[i] = l.ddt[i] = 0.0f;
                l.dD = fused(l.dy[i], l.x[i], l.dD);
            }
        });
        SERPENT_UNROLL
        for (int n = 0; n < S; n += 4) {
            group_.each(threads_, [&](int thread, Thread& l) { step_back(l, thread, tile, n); });
            group_.sync();
            add_over_channels(t, n, first_block);
            group_.sync();
        }
        group_.each(threads_, [&](int, Thread& l) { store_channel(l, t); });
    }

    /// Four samples and states n to n + 3. dx and ddt lack factors that store_channel() puts in.
    SERPENT_HD void step_back(Thread& l, int thread, int tile, int n) const {
        const Float4 start = load4(h_tiles_ + (tile * S + n) * scan_warp_threads + thread * 4);
        Float4 b[steps], c[steps], dB[steps], dC[steps];
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) b[i] = load4(B(tile, i) + n), c[i] = load4(C(tile, i) + n);
        ShortWalk<Kind> walk(l.rate[0], l.dt);
        SERPENT_UNROLL
        for (int k = 0; k < 4; ++k) {
            const float rate = l.rate[Kind::tied ? 0 : n + k];
            if constexpr (!Kind::tied) walk = ShortWalk<Kind>(rate, l.dt);
            float h[steps + 1], g = l.g[n + k];
            h[0] = start.v[k];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) h[i + 1] = walk.step(h[i], i, input(l, i), b[i].v[k]);
            SERPENT_UNROLL
            for (int i = steps - 1; i >= 0; --i) {
                g = fused(l.dy[i], c[i].v[k], g);
                dC[i].v[k] = l.dy[i] * h[i + 1];
                const float in_gradient = ema ? -walk.factor[i] * g : g;  // of B x (ema) or of dt B x
                const float before = walk.step_back(g, i);
                const float decayed = before * (ema ? fused(-b[i].v[k], l.x[i], h[i]) : h[i]);  // of dt A
                l.dx[i] = fused(in_gradient, b[i].v[k], l.dx[i]);
                l.ddt[i] = fused(decayed, rate, l.ddt[i]);
                l.dA[n + k] = fused(decayed, l.dt[i], l.dA[n + k]);
                dB[i].v[k] = in_gradient * input(l, i);
                g = before;
            }
            l.g[n + k] = g;
        }
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) {
            store4(sum_tile_ + thread * scan_sum_stride + i * 8, dB[i]);
            store4(sum_tile_ + thread * scan_sum_stride + i * 8 + 4, dC[i]);
        }
    }

    /// Thread 8 p + v adds up the 4 floats at 4 v, dB (even v) or dC of sample v / 2, over the channels [8 p, 8 p + 8); the four p add
    /// theirs up.
    SERPENT_HD void add_over_channels(int t, int n, bool first_block) {
        group_.each(threads_, [&](int thread, Thread& l) {
            const float* const from = sum_tile_ + thread / 8 * 8 * scan_sum_stride + thread % 8 * 4;
            l.sums = load4(from);
            SERPENT_UNROLL
            for (int c = 1; c < 8; ++c) {
                const Float4 more = load4(from + c * scan_sum_stride);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) l.sums.v[k] += more.v[k];
            }
        });
        SERPENT_UNROLL
        for (int k = 0; k < 4; ++k)
            group_.template sum<8>(threads_, [k](Thread& l) -> float& { return l.sums.v[k]; });
        group_.each(threads_, [&](int thread, Thread& l) {
            const int i = thread / 2;
            if (thread >= 8 || t + i >= samples_) return;
            const std::int64_t at = (slice_ * s_.length + chunk_ * s_.chunk + t + i) * S + n;
            float* const to = (thread % 2 ? job_.dC : job_.dB) + at;
            if (!first_block) {
                const Float4 before = load4(to);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) l.sums.v[k] += before.v[k];
            }
            store4(to, l.sums);
        });
    }

    SERPENT_HD void store_channel(const Thread& l, int t) const {
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i)
            if (l.exists && t + i < samples_) {
                const std::int64_t at = l.at + std::int64_t{t + i} * s_.inner;
                const float ddt = l.ddt[i] * 0.693147181f;  // rates are A log2(e)
                job_.dx[at] = fused(l.dy[i], l.skip, ema ? l.dx[i] : l.dt[i] * l.dx[i]);
                job_.ddt[at] = ema ? ddt : fused(l.x[i], l.dx[i], ddt);
            }
    }

    const Group& group_;
    const ChannelsBackwardJob& job_;
    const ScanJob& s_;
    std::int64_t chunk_;
    int samples_, block_ = 0, slice_ = 0;
    float *rows_, *h_tiles_, *sum_tile_;
    typename Group::template PerThread<Thread> threads_;
};

} // namespace serpent::kernels::gpu
