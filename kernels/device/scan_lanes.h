// SPDX-License-Identifier: MIT
// The selective scan as an operator, in the three phases of kernels/reference/selective_scan_chunked.h, by warps. A lane holds
// kScanStates states of one channel; the lanes of a channel are neighbours and add up what they read out.
//
// Shapes    x, dt, y, dy (length, d_inner); B, C (length, d_state); states and adjoint (chunks, d_inner, d_state); dt_sum
//           (chunks, d_inner); rates: A log2(e).
// Source    kernels/reference/selective_scan_chunked.h, scan_step.h
#pragma once

#include "device/carry.h"
#include "device/group.h"
#include "device/math.h"

namespace serpent::kernels::device {

inline constexpr int scan_states = 4;           ///< of a lane
inline constexpr int scan_lanes = 32;           ///< of a warp
inline constexpr int scan_backward_chunk = 16;  ///< samples whose states the backward pass computes again together

struct ScanLanesJob {
    std::int64_t length;
    int inner, state, chunk;
    const float *rates, *skip;  ///< skip may be null
    const float *x, *dt, *B, *C;
    float *states, *dt_sum;     ///< phase 1 writes them, phase 3 reads states (null: zeros)
    float *y, *h_end;           ///< phase 3; h_end may be null

    SERPENT_HD int lanes_per_channel() const {
        int n = 1;
        while (n * scan_states < state) n *= 2;
        return n;
    }
    SERPENT_HD int channels_per_warp() const { return scan_lanes / lanes_per_channel(); }
    SERPENT_HD int channel_blocks() const { return (inner + channels_per_warp() - 1) / channels_per_warp(); }
    SERPENT_HD std::int64_t chunks() const { return (length + chunk - 1) / chunk; }
};

/// Where a lane's states are: channel and first state; neither may exist.
struct ScanPlace {
    int channel, first_state;
    bool exists;      ///< the channel does
    bool aligned;     ///< its states can be moved 16 bytes at a time
};

SERPENT_HD inline ScanPlace scan_place(const ScanLanesJob& job, int block, int lane) {
    const int per_channel = job.lanes_per_channel();
    const int c = block * job.channels_per_warp() + lane / per_channel, n = lane % per_channel * scan_states;
    return {c, n, c < job.inner, job.state % 4 == 0 && n < job.state};
}

/// Values of `scan_states` states from a row of d_state; zeros for states that are not there.
SERPENT_HD inline Float4 load_states(const float* row, const ScanPlace& p, int state, bool wanted) {
    Float4 v{};
    if (!wanted) return v;
    if (p.aligned) return load4(row + p.first_state);
    SERPENT_UNROLL
    for (int k = 0; k < scan_states; ++k)
        if (p.first_state + k < state) v.v[k] = row[p.first_state + k];
    return v;
}
SERPENT_HD inline void store_states(float* row, const ScanPlace& p, int state, const Float4& v) {
    if (!p.exists) return;
    if (p.aligned) return store4(row + p.first_state, v);
    SERPENT_UNROLL
    for (int k = 0; k < scan_states; ++k)
        if (p.first_state + k < state) row[p.first_state + k] = v.v[k];
}

SERPENT_HD inline Float4 load_rates(const ScanLanesJob& job, const ScanPlace& p, bool tied) {
    Float4 v{};
    if (!p.exists) return v;
    if (!tied) return load_states(job.rates + std::int64_t{p.channel} * job.state, p, job.state, true);
    SERPENT_UNROLL
    for (int k = 0; k < scan_states; ++k) v.v[k] = job.rates[p.channel];
    return v;
}

template <bool kTied>
SERPENT_HD inline Float4 decays(float dt, const Float4& rate) {
    Float4 q;
    q.v[0] = decay(dt * rate.v[0]);
    SERPENT_UNROLL
    for (int k = 1; k < scan_states; ++k) q.v[k] = kTied ? q.v[0] : decay(dt * rate.v[k]);
    return q;
}

struct ScanForwardLane {
    static constexpr int steps = 4;
    ScanPlace place;
    Float4 rate, h, B[steps], C[steps];
    float x[steps], dt[steps], y[steps], dt_sum, skip;
};

/// One chunk of the channels of `block`. kOutput: phase 3, else phase 1.
template <bool kTied, bool kEma, bool kOutput, class Group>
SERPENT_HD void scan_forward_chunk(const Group& group, const ScanLanesJob& job, std::int64_t chunk, int block) {
    constexpr auto rule = kEma ? reference::InputRule::ema : reference::InputRule::euler;
    constexpr int steps = ScanForwardLane::steps;
    typename Group::template PerLane<ScanForwardLane> lanes;
    const std::int64_t begin = chunk * job.chunk, end = begin + job.chunk < job.length ? begin + job.chunk : job.length;
    const int per_channel = job.lanes_per_channel();
    group.each(lanes, [&](int lane, ScanForwardLane& l) {
        l.place = scan_place(job, block, lane);
        l.rate = load_rates(job, l.place, kTied);
        l.skip = kOutput && job.skip && l.place.exists && l.place.first_state == 0 ? job.skip[l.place.channel] : 0.0f;
        l.dt_sum = 0.0f;
        l.h = load_states(job.states + (chunk * job.inner + l.place.channel) * job.state, l.place, job.state,
                          kOutput && job.states && l.place.exists);
    });
    for (std::int64_t t = begin; t < end; t += steps) {
        group.each(lanes, [&](int, ScanForwardLane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const bool valid = t + i < end && l.place.exists;  // else dt = 0, which leaves the state as it is
                l.x[i] = valid ? job.x[(t + i) * job.inner + l.place.channel] : 0.0f;
                l.dt[i] = valid ? job.dt[(t + i) * job.inner + l.place.channel] : 0.0f;
                l.B[i] = load_states(job.B + (t + i) * job.state, l.place, job.state, valid);
                if constexpr (kOutput) l.C[i] = load_states(job.C + (t + i) * job.state, l.place, job.state, valid);
            }
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const Float4 q = decays<kTied>(l.dt[i], l.rate);
                l.dt_sum += l.dt[i];
                l.y[i] = l.skip * l.x[i];
                SERPENT_UNROLL
                for (int k = 0; k < scan_states; ++k) {
                    l.h.v[k] = reference::scan_step(rule, l.h.v[k], q.v[k], l.dt[i], l.B[i].v[k], l.x[i]);
                    if constexpr (kOutput) l.y[i] = fused(l.C[i].v[k], l.h.v[k], l.y[i]);
                }
            }
        });
        if constexpr (kOutput) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) group.sum_below(per_channel, lanes, [i](ScanForwardLane& l) -> float& { return l.y[i]; });
            group.each(lanes, [&](int, ScanForwardLane& l) {
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i)
                    if (l.place.exists && l.place.first_state == 0 && t + i < end)
                        job.y[(t + i) * job.inner + l.place.channel] = l.y[i];
            });
        }
    }
    group.each(lanes, [&](int, ScanForwardLane& l) {
        if constexpr (!kOutput) {
            store_states(job.states + (chunk * job.inner + l.place.channel) * job.state, l.place, job.state, l.h);
            if (l.place.exists && l.place.first_state == 0) job.dt_sum[chunk * job.inner + l.place.channel] = l.dt_sum;
        } else if (job.h_end && end == job.length) {
            store_states(job.h_end + std::int64_t{l.place.channel} * job.state, l.place, job.state, l.h);
        }
    });
}

struct ScanBackwardJob {
    ScanLanesJob scan;          ///< chunk = scan_backward_chunk; states: start state of every chunk
    const float* dy;
    float* adjoint;             ///< (chunks, d_inner, d_state): first from zero at every start, after joining at every end
    float *dx, *ddt;            ///< written
    float *dB, *dC;             ///< (slices, length, d_state): every slice of channels writes its own
    float *dA, *dD;             ///< (spans, d_inner, d_state), (spans, d_inner): every span of chunks writes its own
    int blocks_per_slice, chunks_per_span;
};

/// Backward phase 1: the gradient at the chunk's start when nothing comes from later chunks.
template <bool kTied, class Group>
SERPENT_HD void scan_adjoint_chunk(const Group& group, const ScanBackwardJob& job, std::int64_t chunk, int block) {
    const ScanLanesJob& s = job.scan;
    typename Group::template PerLane<ScanForwardLane> lanes;
    const std::int64_t begin = chunk * s.chunk, end = begin + s.chunk < s.length ? begin + s.chunk : s.length;
    group.each(lanes, [&](int lane, ScanForwardLane& l) {
        l.place = scan_place(s, block, lane);
        l.rate = load_rates(s, l.place, kTied);
        Float4 g{};
#ifdef __CUDA_ARCH__
#pragma unroll 4
#endif
        for (std::int64_t t = end - 1; t >= begin; --t) {
            const bool valid = l.place.exists;
            const std::int64_t at = t * s.inner + l.place.channel;
            const float dt = valid ? s.dt[at] : 0.0f, slope = valid ? job.dy[at] : 0.0f;
            const Float4 C = load_states(s.C + t * s.state, l.place, s.state, valid), q = decays<kTied>(dt, l.rate);
            SERPENT_UNROLL
            for (int k = 0; k < scan_states; ++k) g.v[k] = reference::adjoint_step(fused(slope, C.v[k], g.v[k]), q.v[k]);
        }
        store_states(job.adjoint + (chunk * s.inner + l.place.channel) * s.state, l.place, s.state, g);
    });
}

struct ScanBackwardLane {
    ScanPlace place;
    Float4 rate, h, g, dA;
    float dx[4], ddt[4], dD;
};

/// Shared memory of a group in the backward pass: h before every sample, and a tile for sums over channels.
inline constexpr int scan_sum_stride = 36;
inline constexpr int scan_backward_floats = scan_backward_chunk * scan_lanes * scan_states + scan_lanes * scan_sum_stride;

/// Backward phase 3 for one span of chunks and one slice of channels.
template <bool kTied, bool kEma, class Group>
class ScanBackwardSpan {
public:
    SERPENT_HD ScanBackwardSpan(const Group& group, const ScanBackwardJob& job, std::int64_t span, int slice, float* tile)
        : group_(group), job_(job), s_(job.scan), span_(span), slice_(slice), h_tile_(tile),
          sum_tile_(tile + scan_backward_chunk * scan_lanes * scan_states), per_channel_(job.scan.lanes_per_channel()) {}

    SERPENT_HD void run() {
        const std::int64_t first = span_ * job_.chunks_per_span, chunks = s_.chunks();
        const std::int64_t last = first + job_.chunks_per_span < chunks ? first + job_.chunks_per_span : chunks;
        const int first_block = slice_ * job_.blocks_per_slice, blocks = s_.channel_blocks();
        for (int block = first_block; block < blocks && block < first_block + job_.blocks_per_slice; ++block) {
            group_.each(lanes_, [&](int lane, ScanBackwardLane& l) {
                l.place = scan_place(s_, block, lane);
                l.rate = load_rates(s_, l.place, kTied);
                l.dA = Float4{};
                l.dD = 0.0f;
            });
            for (std::int64_t chunk = first; chunk < last; ++chunk) run_chunk(chunk, block == first_block);
            group_.each(lanes_, [&](int, ScanBackwardLane& l) {
                store_states(job_.dA + (span_ * s_.inner + l.place.channel) * s_.state, l.place, s_.state, l.dA);
                if (l.place.exists && l.place.first_state == 0) job_.dD[span_ * s_.inner + l.place.channel] = l.dD;
            });
        }
    }

private:
    static constexpr auto rule = kEma ? reference::InputRule::ema : reference::InputRule::euler;

    SERPENT_HD void run_chunk(std::int64_t chunk, bool first_block) {
        const std::int64_t begin = chunk * s_.chunk, end = begin + s_.chunk < s_.length ? begin + s_.chunk : s_.length;
        group_.each(lanes_, [&](int lane, ScanBackwardLane& l) {
            const std::int64_t at = (chunk * s_.inner + l.place.channel) * s_.state;
            l.h = load_states(s_.states + at, l.place, s_.state, l.place.exists);
            l.g = load_states(job_.adjoint + at, l.place, s_.state, l.place.exists);
            SERPENT_UNROLL
            for (int i = 0; i < scan_backward_chunk; ++i) {
                store4(h_tile_ + (i * scan_lanes + lane) * scan_states, l.h);
                if (begin + i < end && l.place.exists) step(l, begin + i);
            }
        });
        for (int tile = scan_backward_chunk - 4; tile >= 0; tile -= 4) {
            group_.each(lanes_, [&](int lane, ScanBackwardLane& l) {
                SERPENT_UNROLL
                for (int back = 1; back <= 4; ++back) step_back(l, lane, begin + tile, 4 - back, tile + 4 - back, end);
            });
            SERPENT_UNROLL
            for (int i = 0; i < 4; ++i) {
                group_.sum_below(per_channel_, lanes_, [i](ScanBackwardLane& l) -> float& { return l.dx[i]; });
                group_.sum_below(per_channel_, lanes_, [i](ScanBackwardLane& l) -> float& { return l.ddt[i]; });
            }
            group_.sync();
            group_.each(lanes_, [&](int lane, ScanBackwardLane& l) {
                store_channel(l, begin + tile, end);
                add_over_channels(lane, begin + tile, end, first_block);
            });
            group_.sync();
        }
    }

    SERPENT_HD void step(ScanBackwardLane& l, std::int64_t t) const {
        const std::int64_t at = t * s_.inner + l.place.channel;
        const float dt = s_.dt[at], x = s_.x[at];
        const Float4 B = load_states(s_.B + t * s_.state, l.place, s_.state, true), q = decays<kTied>(dt, l.rate);
        SERPENT_UNROLL
        for (int k = 0; k < scan_states; ++k) l.h.v[k] = reference::scan_step(rule, l.h.v[k], q.v[k], dt, B.v[k], x);
    }

    /// Sample first + i, whose h before it is row `row` of the tile. l.h: the state behind it.
    SERPENT_HD void step_back(ScanBackwardLane& l, int lane, std::int64_t first, int i, int row, std::int64_t end) const {
        const std::int64_t t = first + i, at = t * s_.inner + l.place.channel;
        const Float4 before = load4(h_tile_ + (row * scan_lanes + lane) * scan_states);
        Float4 dB{}, dC{};
        l.dx[i] = l.ddt[i] = 0.0f;
        if (t < end && l.place.exists) {
            const float dt = s_.dt[at], x = s_.x[at], slope = job_.dy[at];
            const Float4 B = load_states(s_.B + t * s_.state, l.place, s_.state, true), q = decays<kTied>(dt, l.rate);
            const Float4 C = load_states(s_.C + t * s_.state, l.place, s_.state, true);
            if (l.place.first_state == 0) {
                if (s_.skip) l.dx[i] = slope * s_.skip[l.place.channel];
                l.dD = fused(slope, x, l.dD);
            }
            SERPENT_UNROLL
            for (int k = 0; k < scan_states; ++k) {
                const float A = l.rate.v[k] * 0.693147181f, g = fused(slope, C.v[k], l.g.v[k]);
                const auto d = reference::scan_step_gradients(rule, before.v[k], g, q.v[k], dt, A, B.v[k], x);
                l.dx[i] += d.x;
                l.ddt[i] += d.dt;
                l.dA.v[k] += d.A;
                dB.v[k] = d.B;
                dC.v[k] = slope * l.h.v[k];
                l.g.v[k] = reference::adjoint_step(g, q.v[k]);
            }
            l.h = before;
        }
        store4(sum_tile_ + lane * scan_sum_stride + i * 8, dB);
        store4(sum_tile_ + lane * scan_sum_stride + i * 8 + 4, dC);
    }

    SERPENT_HD void store_channel(const ScanBackwardLane& l, std::int64_t first, std::int64_t end) const {
        SERPENT_UNROLL
        for (int i = 0; i < 4; ++i)
            if (l.place.exists && l.place.first_state == 0 && first + i < end) {
                job_.dx[(first + i) * s_.inner + l.place.channel] = l.dx[i];
                job_.ddt[(first + i) * s_.inner + l.place.channel] = l.ddt[i];
            }
    }

    /// Lane 8 i + v adds up dB (v < 4) or dC of sample i over the warp's channels, for all states v % 4 + 4 b.
    SERPENT_HD void add_over_channels(int lane, std::int64_t first, std::int64_t end, bool first_block) const {
        const std::int64_t t = first + lane / 8;
        if (t >= end) return;
        float* const to = (lane % 8 < 4 ? job_.dB : job_.dC) + (slice_ * s_.length + t) * s_.state;
        for (int b = 0; b < per_channel_; ++b) {
            const int n = b * scan_states + lane % 4;
            if (n >= s_.state) continue;
            float sum = 0.0f;
            for (int c = 0; c < scan_lanes / per_channel_; ++c) sum += sum_tile_[(c * per_channel_ + b) * scan_sum_stride + lane];
            to[n] = first_block ? sum : to[n] + sum;
        }
    }

    const Group& group_;
    const ScanBackwardJob& job_;
    const ScanLanesJob& s_;
    std::int64_t span_;
    int slice_;
    float *h_tile_, *sum_tile_;
    int per_channel_;
    typename Group::template PerLane<ScanBackwardLane> lanes_;
};

} // namespace serpent::kernels::device
