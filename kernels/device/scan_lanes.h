// SPDX-License-Identifier: MIT
// The selective scan as an operator, in the three phases of kernels/reference/selective_scan_chunked.h, by warps. A lane holds
// scan_states states of one channel; the lanes of a channel are neighbours and add up what they read out.
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
    float *states, *dt_sum;     ///< phase 1 writes them, phase 3 reads states; null for one phase
    float *y;
    const float* h_start;       ///< one phase: may be null (zeros)
    float* h_end;               ///< one phase: may be null (not wanted)

    SERPENT_HD int lanes_per_channel() const {
        int n = 1;
        while (n * scan_states < state) n *= 2;
        return n;
    }
    SERPENT_HD int channels_per_warp() const { return scan_lanes / lanes_per_channel(); }
    SERPENT_HD int channel_blocks() const { return (inner + channels_per_warp() - 1) / channels_per_warp(); }
    SERPENT_HD std::int64_t chunks() const { return (length + chunk - 1) / chunk; }
    SERPENT_HD int samples(std::int64_t k) const {
        const std::int64_t left = length - k * chunk;
        return left < chunk ? static_cast<int>(left) : chunk;
    }
};

/// What kernels are made for. kVector: d_state is a multiple of 4, so that a lane's states move 16 bytes at a time.
template <bool kTied, bool kEma, bool kVector>
struct ScanKind {
    static constexpr bool tied = kTied, vector = kVector;
    static constexpr auto rule = kEma ? reference::InputRule::ema : reference::InputRule::euler;
};

/// Where a lane's states are: channel and first state; they may not exist.
struct ScanPlace {
    int channel, first_state;
    bool exists;
};

SERPENT_HD inline ScanPlace scan_place(const ScanLanesJob& job, int block, int lane) {
    const int per_channel = job.lanes_per_channel();
    const int c = block * job.channels_per_warp() + lane / per_channel, n = lane % per_channel * scan_states;
    return {c, n, c < job.inner && n < job.state};
}

/// Values of `scan_states` states from a row of d_state; zeros for states that are not there or not wanted.
template <class Kind>
SERPENT_HD inline Float4 load_states(const float* row, const ScanPlace& p, int state, bool wanted = true) {
    if (!p.exists || !wanted) return {};
    if constexpr (Kind::vector) return load4(row + p.first_state);
    Float4 v{};
    SERPENT_UNROLL
    for (int k = 0; k < scan_states; ++k)
        if (p.first_state + k < state) v.v[k] = row[p.first_state + k];
    return v;
}
template <class Kind>
SERPENT_HD inline void store_states(float* row, const ScanPlace& p, int state, const Float4& v) {
    if (!p.exists) return;
    if constexpr (Kind::vector) return store4(row + p.first_state, v);
    SERPENT_UNROLL
    for (int k = 0; k < scan_states; ++k)
        if (p.first_state + k < state) row[p.first_state + k] = v.v[k];
}

template <class Kind>
SERPENT_HD inline Float4 load_rates(const ScanLanesJob& job, const ScanPlace& p) {
    if constexpr (!Kind::tied) return load_states<Kind>(job.rates + std::int64_t{p.channel} * job.state, p, job.state);
    const float rate = p.exists ? job.rates[p.channel] : 0.0f;
    return {{rate, rate, rate, rate}};
}

template <class Kind>
SERPENT_HD inline Float4 decays(float dt, const Float4& rate) {
    Float4 q;
    q.v[0] = decay(dt * rate.v[0]);
    SERPENT_UNROLL
    for (int k = 1; k < scan_states; ++k) q.v[k] = Kind::tied ? q.v[0] : decay(dt * rate.v[k]);
    return q;
}

/// Lanes walk `steps` samples at a time and fetch the next ones meanwhile.
struct ScanForwardLane {
    static constexpr int steps = 4;
    struct Samples {
        float x[steps], dt[steps];
        Float4 B[steps], C[steps];
    };
    ScanPlace place;
    const float *x_at, *dt_at, *B_at, *C_at;  ///< of what is fetched next
    float* y_at;
    Samples now, next;
    Float4 rate, h;
    float y[steps], dt_sum, skip;
};

/// Places of a chunk's first sample.
template <class Kind>
SERPENT_HD inline void begin_lane(const ScanLanesJob& job, std::int64_t first, int block, int lane, ScanForwardLane& l) {
    l.place = scan_place(job, block, lane);
    l.rate = load_rates<Kind>(job, l.place);
    const std::int64_t channel = first * job.inner + l.place.channel;
    l.x_at = job.x + channel, l.dt_at = job.dt + channel, l.y_at = job.y + channel;
    l.B_at = job.B + first * job.state, l.C_at = job.C + first * job.state;
    l.dt_sum = 0.0f;
}

/// Samples that are not there get dt = 0, which leaves the state as it is. left: samples to the chunk's end.
template <class Kind, bool kInput, bool kOutput>
SERPENT_HD inline void fetch_samples(const ScanLanesJob& job, int left, ScanForwardLane& l) {
    SERPENT_UNROLL
    for (int i = 0; i < ScanForwardLane::steps; ++i) {
        const bool valid = i < left && l.place.exists;
        l.next.dt[i] = valid ? l.dt_at[i * job.inner] : 0.0f;
        if constexpr (kInput) {
            l.next.x[i] = valid ? l.x_at[i * job.inner] : 0.0f;
            l.next.B[i] = load_states<Kind>(l.B_at + i * job.state, l.place, job.state, valid);
        }
        if constexpr (kOutput) l.next.C[i] = load_states<Kind>(l.C_at + i * job.state, l.place, job.state, valid);
    }
    const int channels = ScanForwardLane::steps * job.inner, states = ScanForwardLane::steps * job.state;
    l.dt_at += channels, l.x_at += channels, l.B_at += states, l.C_at += states;
}

/// Phase 1 of one chunk of the channels of `block`, from h = 0; kOutput: also what it answers. Without job.states the only phase,
/// from job.h_start.
template <class Kind, bool kOutput, class Group>
SERPENT_HD void scan_forward_chunk(const Group& group, const ScanLanesJob& job, std::int64_t chunk, int block) {
    constexpr int steps = ScanForwardLane::steps;
    typename Group::template PerLane<ScanForwardLane> lanes;
    const int samples = job.samples(chunk), per_channel = job.lanes_per_channel();
    group.each(lanes, [&](int lane, ScanForwardLane& l) {
        begin_lane<Kind>(job, chunk * job.chunk, block, lane, l);
        l.skip = kOutput && job.skip && l.place.exists && l.place.first_state == 0 ? job.skip[l.place.channel] : 0.0f;
        l.h = load_states<Kind>(job.h_start + std::int64_t{l.place.channel} * job.state, l.place, job.state,
                          !job.states && job.h_start);
        fetch_samples<Kind, true, kOutput>(job, samples, l);
    });
    for (int t = 0; t < samples; t += steps) {
        group.each(lanes, [&](int, ScanForwardLane& l) {
            l.now = l.next;
            fetch_samples<Kind, true, kOutput>(job, samples - t - steps, l);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const Float4 q = decays<Kind>(l.now.dt[i], l.rate);
                l.dt_sum += l.now.dt[i];
                l.y[i] = l.skip * l.now.x[i];
                SERPENT_UNROLL
                for (int k = 0; k < scan_states; ++k) {
                    l.h.v[k] = reference::scan_step(Kind::rule, l.h.v[k], q.v[k], l.now.dt[i], l.now.B[i].v[k], l.now.x[i]);
                    if constexpr (kOutput) l.y[i] = fused(l.now.C[i].v[k], l.h.v[k], l.y[i]);
                }
            }
        });
        if constexpr (kOutput) {
            group.template sum_below<steps>(per_channel, lanes, [](ScanForwardLane& l) { return l.y; });
            group.each(lanes, [&](int, ScanForwardLane& l) {
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i)
                    if (l.place.exists && l.place.first_state == 0 && i < samples - t) l.y_at[i * job.inner] = l.y[i];
                l.y_at += steps * job.inner;
            });
        }
    }
    group.each(lanes, [&](int, ScanForwardLane& l) {
        if (job.states) {
            store_states<Kind>(job.states + (chunk * job.inner + l.place.channel) * job.state, l.place, job.state, l.h);
            if (l.place.exists && l.place.first_state == 0) job.dt_sum[chunk * job.inner + l.place.channel] = l.dt_sum;
        } else if (job.h_end) {
            store_states<Kind>(job.h_end + std::int64_t{l.place.channel} * job.state, l.place, job.state, l.h);
        }
    });
}

/// Phase 3: the scan is linear in its state, so that what phase 1 answered from zero lacks C exp(A sum dt) h_start, with the
/// chunk's start states in job.states. The hardware's exp will do: nothing amplifies its error.
template <class Kind, class Group>
SERPENT_HD void scan_add_start_states(const Group& group, const ScanLanesJob& job, std::int64_t chunk, int block) {
    constexpr int steps = ScanForwardLane::steps;
    typename Group::template PerLane<ScanForwardLane> lanes;
    const int samples = job.samples(chunk), per_channel = job.lanes_per_channel();
    group.each(lanes, [&](int lane, ScanForwardLane& l) {
        begin_lane<Kind>(job, chunk * job.chunk, block, lane, l);
        l.h = load_states<Kind>(job.states + (chunk * job.inner + l.place.channel) * job.state, l.place, job.state);
        fetch_samples<Kind, false, true>(job, samples, l);
    });
    for (int t = 0; t < samples; t += steps) {
        group.each(lanes, [&](int, ScanForwardLane& l) {
            l.now = l.next;
            fetch_samples<Kind, false, true>(job, samples - t - steps, l);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                l.dt_sum += l.now.dt[i];
                l.y[i] = 0.0f;
                SERPENT_UNROLL
                for (int k = 0; k < scan_states; ++k) {
                    const float left = Kind::tied ? l.h.v[k] : exp2_fast(l.dt_sum * l.rate.v[k]) * l.h.v[k];
                    l.y[i] = fused(l.now.C[i].v[k], left, l.y[i]);
                }
                if constexpr (Kind::tied) l.y[i] *= exp2_fast(l.dt_sum * l.rate.v[0]);
            }
        });
        group.template sum_below<steps>(per_channel, lanes, [](ScanForwardLane& l) { return l.y; });
        group.each(lanes, [&](int, ScanForwardLane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                if (l.place.exists && l.place.first_state == 0 && i < samples - t) l.y_at[i * job.inner] += l.y[i];
            l.y_at += steps * job.inner;
        });
    }
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
template <class Kind, class Group>
SERPENT_HD void scan_adjoint_chunk(const Group& group, const ScanBackwardJob& job, std::int64_t chunk, int block) {
    const ScanLanesJob& s = job.scan;
    typename Group::template PerLane<ScanForwardLane> lanes;
    const std::int64_t begin = chunk * s.chunk, end = begin + s.chunk < s.length ? begin + s.chunk : s.length;
    group.each(lanes, [&](int lane, ScanForwardLane& l) {
        l.place = scan_place(s, block, lane);
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
            for (int k = 0; k < scan_states; ++k) g.v[k] = reference::adjoint_step(fused(slope, C.v[k], g.v[k]), q.v[k]);
        }
        store_states<Kind>(job.adjoint + (chunk * s.inner + l.place.channel) * s.state, l.place, s.state, g);
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
template <class Kind, class Group>
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
                l.rate = load_rates<Kind>(s_, l.place);
                l.dA = Float4{};
                l.dD = 0.0f;
            });
            const bool every_lane = (block + 1) * s_.channels_per_warp() <= s_.inner && (per_channel_ - 1) * scan_states < s_.state;
            for (std::int64_t chunk = first; chunk < last; ++chunk) {
                if (every_lane && (chunk + 1) * s_.chunk <= s_.length) run_chunk<true>(chunk, block == first_block);
                else run_chunk<false>(chunk, block == first_block);
            }
            group_.each(lanes_, [&](int, ScanBackwardLane& l) {
                store_states<Kind>(job_.dA + (span_ * s_.inner + l.place.channel) * s_.state, l.place, s_.state, l.dA);
                if (l.place.exists && l.place.first_state == 0) job_.dD[span_ * s_.inner + l.place.channel] = l.dD;
            });
        }
    }

private:
    /// kWhole: every lane and every sample of the chunk is there, so that loads can be issued ahead of their use.
    template <bool kWhole>
    SERPENT_HD void run_chunk(std::int64_t chunk, bool first_block) {
        const std::int64_t begin = chunk * s_.chunk, end = begin + s_.chunk < s_.length ? begin + s_.chunk : s_.length;
        group_.each(lanes_, [&](int lane, ScanBackwardLane& l) {
            const std::int64_t at = (chunk * s_.inner + l.place.channel) * s_.state;
            l.h = load_states<Kind>(s_.states + at, l.place, s_.state);
            l.g = load_states<Kind>(job_.adjoint + at, l.place, s_.state);
            SERPENT_UNROLL
            for (int i = 0; i < scan_backward_chunk; ++i) {
                store4(h_tile_ + (i * scan_lanes + lane) * scan_states, l.h);
                if (kWhole || (begin + i < end && l.place.exists)) step<kWhole>(l, begin + i);
            }
        });
        for (int tile = scan_backward_chunk - 4; tile >= 0; tile -= 4) {
            group_.each(lanes_, [&](int lane, ScanBackwardLane& l) {
                SERPENT_UNROLL
                for (int back = 1; back <= 4; ++back) step_back<kWhole>(l, lane, begin + tile, 4 - back, tile + 4 - back, end);
            });
            group_.template sum_below<4>(per_channel_, lanes_, [](ScanBackwardLane& l) { return l.dx; });
            group_.template sum_below<4>(per_channel_, lanes_, [](ScanBackwardLane& l) { return l.ddt; });
            group_.sync();
            group_.each(lanes_, [&](int lane, ScanBackwardLane& l) {
                store_channel(l, begin + tile, end);
                add_over_channels(lane, begin + tile, end, first_block);
            });
            group_.sync();
        }
    }

    template <bool kWhole>
    SERPENT_HD static ScanPlace place(const ScanBackwardLane& l) {
        return {l.place.channel, l.place.first_state, kWhole || l.place.exists};
    }

    template <bool kWhole>
    SERPENT_HD void step(ScanBackwardLane& l, std::int64_t t) const {
        const std::int64_t at = t * s_.inner + l.place.channel;
        const float dt = s_.dt[at], x = s_.x[at];
        const Float4 B = load_states<Kind>(s_.B + t * s_.state, place<kWhole>(l), s_.state), q = decays<Kind>(dt, l.rate);
        SERPENT_UNROLL
        for (int k = 0; k < scan_states; ++k) l.h.v[k] = reference::scan_step(Kind::rule, l.h.v[k], q.v[k], dt, B.v[k], x);
    }

    /// Sample first + i, whose h before it is row `row` of the tile. l.h: the state behind it.
    template <bool kWhole>
    SERPENT_HD void step_back(ScanBackwardLane& l, int lane, std::int64_t first, int i, int row, std::int64_t end) const {
        const std::int64_t t = first + i, at = t * s_.inner + l.place.channel;
        const Float4 before = load4(h_tile_ + (row * scan_lanes + lane) * scan_states);
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
                const auto d = reference::scan_step_gradients(Kind::rule, before.v[k], g, q.v[k], dt, A, B.v[k], x);
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
