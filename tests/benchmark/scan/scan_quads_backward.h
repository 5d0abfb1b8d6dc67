// SPDX-License-Identifier: GPL-3.0-or-later
// Backward of scan_quads.h, in chunks of 16 samples, whose states the last phase computes again.
//
// Shapes    dy, dx, ddt (length, d_inner); adjoint (chunks, d_inner, d_state); dB, dC per slice of channels, dA, dD per span of chunks
// Source    kernels/equations/selective_scan_chunked.h, scan_step.h
#pragma once

#include "benchmark/scan/scan_quads.h"

namespace serpent::kernels::gpu {

inline constexpr int scan_backward_chunk = 16;  ///< samples whose states the backward pass computes again together

struct ScanBackwardJob {
    ScanJob scan;          ///< chunk = scan_backward_chunk; states: start state of every chunk
    const float* dy;
    float* adjoint;             ///< (chunks, d_inner, d_state): first from zero at every start, after joining at every end
    float *dx, *ddt;            ///< written
    float *dB, *dC;             ///< (slices, length, d_state): every slice of channels writes its own
    float *dA, *dD;             ///< (spans, d_inner, d_state), (spans, d_inner): every span of chunks writes its own
    int blocks_per_slice, chunks_per_span;
};

/// Backward phase 1: the gradient at the chunk's start when nothing comes from later chunks.
template <class Kind, class Group>
SERPENT_HD void scan_adjoint_chunk(const Group& group, const ScanBackwardJob& job, std::int64_t chunk, int block) {
    const ScanJob& s = job.scan;
    typename Group::template PerThread<ScanForwardThread> threads;
    const std::int64_t begin = chunk * s.chunk, end = begin + s.chunk < s.length ? begin + s.chunk : s.length;
    group.each(threads, [&](int thread, ScanForwardThread& l) {
        l.place = scan_place(s, block, thread);
        l.rate = load_rates<Kind>(s, l.place);
        Float4 g{};
#ifdef __CUDA_ARCH__
#pragma unroll 4
#endif
        for (std::int64_t t = end - 1; t >= begin; --t) {
            const bool valid = l.place.exists;
            const std::int64_t at = t * s.inner + l.place.channel;
            const float dt = valid ? s.dt[at] : 0.0f, slope = valid ? job.dy[at] : 0.0f;
            const Float4 C = load_states<Kind>(s.C + t * s.state, l.place, s.state), q = decays<Kind>(dt, l.rate);
            SERPENT_UNROLL
            for (int k = 0; k < scan_states; ++k) g.v[k] = equations::adjoint_step(fused(slope, C.v[k], g.v[k]), q.v[k]);
        }
        store_states<Kind>(job.adjoint + (chunk * s.inner + l.place.channel) * s.state, l.place, s.state, g);
    });
}

struct ScanBackwardThread {
    ScanPlace place;
    Float4 rate, h, g, dA;
    float dx[4], ddt[4], dD;
};

/// Shared memory of a group in the backward pass: h before every sample, and a tile for sums over channels.
inline constexpr int scan_backward_floats = scan_backward_chunk * scan_warp_threads * scan_states + scan_warp_threads * scan_sum_stride;

/// Backward phase 3 for one span of chunks and one slice of channels.
template <class Kind, class Group>
class ScanBackwardSpan {
public:
    SERPENT_HD ScanBackwardSpan(const Group& group, const ScanBackwardJob& job, std::int64_t span, int slice, float* tile)
        : group_(group), job_(job), s_(job.scan), span_(span), slice_(slice), h_tile_(tile),
          sum_tile_(tile + scan_backward_chunk * scan_warp_threads * scan_states), per_channel_(job.scan.threads_per_channel()) {}

    SERPENT_HD void run() {
        const std::int64_t first = span_ * job_.chunks_per_span, chunks = s_.chunks();
        const std::int64_t last = first + job_.chunks_per_span < chunks ? first + job_.chunks_per_span : chunks;
        const int first_block = slice_ * job_.blocks_per_slice, blocks = s_.channel_blocks();
        for (int block = first_block; block < blocks && block < first_block + job_.blocks_per_slice; ++block) {
            group_.each(threads_, [&](int thread, ScanBackwardThread& l) {
                l.place = scan_place(s_, block, thread);
                l.rate = load_rates<Kind>(s_, l.place);
                l.dA = Float4{};
                l.dD = 0.0f;
            });
            const bool every_thread = (block + 1) * s_.channels_per_warp() <= s_.inner && (per_channel_ - 1) * scan_states < s_.state;
            for (std::int64_t chunk = first; chunk < last; ++chunk) {
                if (every_thread && (chunk + 1) * s_.chunk <= s_.length) run_chunk<true>(chunk, block == first_block);
                else run_chunk<false>(chunk, block == first_block);
            }
            group_.each(threads_, [&](int, ScanBackwardThread& l) {
                store_states<Kind>(job_.dA + (span_ * s_.inner + l.place.channel) * s_.state, l.place, s_.state, l.dA);
                if (l.place.exists && l.place.first_state == 0) job_.dD[span_ * s_.inner + l.place.channel] = l.dD;
            });
        }
    }

private:
    /// kWhole: every thread and every sample of the chunk is there, so that loads can be issued ahead of their use.
    template <bool kWhole>
    SERPENT_HD void run_chunk(std::int64_t chunk, bool first_block) {
        const std::int64_t begin = chunk * s_.chunk, end = begin + s_.chunk < s_.length ? begin + s_.chunk : s_.length;
        group_.each(threads_, [&](int thread, ScanBackwardThread& l) {
            const std::int64_t at = (chunk * s_.inner + l.place.channel) * s_.state;
            l.h = load_states<Kind>(s_.states + at, l.place, s_.state);
            l.g = load_states<Kind>(job_.adjoint + at, l.place, s_.state);
            SERPENT_UNROLL
            for (int i = 0; i < scan_backward_chunk; ++i) {
                store4(h_tile_ + (i * scan_warp_threads + thread) * scan_states, l.h);
                if (kWhole || (begin + i < end && l.place.exists)) step<kWhole>(l, begin + i);
            }
        });
        for (int tile = scan_backward_chunk - 4; tile >= 0; tile -= 4) {
            group_.each(threads_, [&](int thread, ScanBackwardThread& l) {
                SERPENT_UNROLL
                for (int back = 1; back <= 4; ++back) step_back<kWhole>(l, thread, begin + tile, 4 - back, tile + 4 - back, end);
            });
            group_.template sum_below<4>(per_channel_, threads_, [](ScanBackwardThread& l) { return l.dx; });
            group_.template sum_below<4>(per_channel_, threads_, [](ScanBackwardThread& l) { return l.ddt; });
            group_.sync();
            group_.each(threads_, [&](int thread, ScanBackwardThread& l) {
                store_channel(l, begin + tile, end);
                add_over_channels(thread, begin + tile, end, first_block);
            });
            group_.sync();
        }
    }

    template <bool kWhole>
    SERPENT_HD static ScanPlace place(const ScanBackwardThread& l) {
        return {l.place.channel, l.place.first_state, kWhole || l.place.exists};
    }

    template <bool kWhole>
    SERPENT_HD void step(ScanBackwardThread& l, std::int64_t t) const {
        const std::int64_t at = t * s_.inner + l.place.channel;
        const float dt = s_.dt[at], x = s_.x[at];
        const Float4 B = load_states<Kind>(s_.B + t * s_.state, place<kWhole>(l), s_.state), q = decays<Kind>(dt, l.rate);
        SERPENT_UNROLL
        for (int k = 0; k < scan_states; ++k) l.h.v[k] = equations::scan_step(Kind::rule, l.h.v[k], q.v[k], dt, B.v[k], x);
    }

    /// Sample first + i, whose h before it is row `row` of the tile. l.h: the state behind it.
    template <bool kWhole>
    SERPENT_HD void step_back(ScanBackwardThread& l, int thread, std::int64_t first, int i, int row, std::int64_t end) const {
        const std::int64_t t = first + i, at = t * s_.inner + l.place.channel;
        const Float4 before = load4(h_tile_ + (row * scan_warp_threads + thread) * scan_states);
        Float4 dB{}, dC{};
        l.dx[i] = l.ddt[i] = 0.0f;
        if (kWhole || (t < end && l.place.exists)) {
            const float dt = s_.dt[at], x = s_.x[at], slope = job_.dy[at];
            const Float4 B = load_states<Kind>(s_.B + t * s_.state, place<kWhole>(l), s_.state), q = decays<Kind>(dt, l.rate);
            const Float4 C = load_states<Kind>(s_.C + t * s_.state, place<kWhole>(l), s_.state);
            if (l.place.first_state == 0) {
                if (s_.skip) l.dx[i] = slope * s_.skip[l.place.channel];
                l.dD = fused(slope, x, l.dD);
            }
            SERPENT_UNROLL
            for (int k = 0; k < scan_states; ++k) {
                const float A = l.rate.v[k] * 0.693147181f, g = fused(slope, C.v[k], l.g.v[k]);
                const auto d = equations::scan_step_gradients(Kind::rule, before.v[k], g, q.v[k], dt, A, B.v[k], x);
                l.dx[i] += d.x;
                l.ddt[i] += d.dt;
                l.dA.v[k] += d.A;
                dB.v[k] = d.B;
                dC.v[k] = slope * l.h.v[k];
                l.g.v[k] = equations::adjoint_step(g, q.v[k]);
            }
            l.h = before;
        }
        store4(sum_tile_ + thread * scan_sum_stride + i * 8, dB);
        store4(sum_tile_ + thread * scan_sum_stride + i * 8 + 4, dC);
    }

    SERPENT_HD void store_channel(const ScanBackwardThread& l, std::int64_t first, std::int64_t end) const {
        SERPENT_UNROLL
        for (int i = 0; i < 4; ++i)
            if (l.place.exists && l.place.first_state == 0 && first + i < end) {
                job_.dx[(first + i) * s_.inner + l.place.channel] = l.dx[i];
                job_.ddt[(first + i) * s_.inner + l.place.channel] = l.ddt[i];
            }
    }

    /// Thread 8 i + v adds up dB (v < 4) or dC of sample i over the warp's channels, for all states v % 4 + 4 b.
    SERPENT_HD void add_over_channels(int thread, std::int64_t first, std::int64_t end, bool first_block) const {
        const std::int64_t t = first + thread / 8;
        if (t >= end) return;
        float* const to = (thread % 8 < 4 ? job_.dB : job_.dC) + (slice_ * s_.length + t) * s_.state;
        for (int b = 0; b < per_channel_; ++b) {
            const int n = b * scan_states + thread % 4;
            if (n >= s_.state) continue;
            float sum = 0.0f;
            for (int c = 0; c < scan_warp_threads / per_channel_; ++c) sum += sum_tile_[(c * per_channel_ + b) * scan_sum_stride + thread];
            to[n] = first_block ? sum : to[n] + sum;
        }
    }

    const Group& group_;
    const ScanBackwardJob& job_;
    const ScanJob& s_;
    std::int64_t span_;
    int slice_;
    float *h_tile_, *sum_tile_;
    int per_channel_;
    typename Group::template PerThread<ScanBackwardThread> threads_;
};

} // namespace serpent::kernels::gpu
