// SPDX-License-Identifier: GPL-3.0-or-later
// The selective scan as an operator, in the three phases of kernels/equations/selective_scan_chunked.h, by warps. A thread holds
// scan_states states of one channel; the threads of a channel are neighbours and add up what they read out.
//
// Shapes    x, dt, y, dy (length, d_inner); B, C (length, d_state); states and adjoint (chunks, d_inner, d_state); dt_sum
//           (chunks, d_inner); rates: A log2(e).
// Source    kernels/equations/selective_scan_chunked.h, scan_step.h
#pragma once

#include "gpu/carry.h"
#include "gpu/group.h"
#include "gpu/math.h"

namespace serpent::kernels::gpu {

inline constexpr int scan_states = 4;           ///< of a thread
inline constexpr int scan_warp_threads = 32;           ///< of a warp
inline constexpr int scan_sum_stride = 36;      ///< of a thread's 32 values in a tile for sums over channels: banks differ

struct ScanJob {
    std::int64_t length;
    int inner, state, chunk;
    const float *rates, *skip;  ///< skip may be null
    const float *x, *dt, *B, *C;
    float *states, *dt_sum;     ///< phase 1 writes them, phase 3 reads states; null for one phase
    float *y;
    const float* h_start;       ///< one phase: may be null (zeros)
    float* h_end;               ///< one phase: may be null (not wanted)

    SERPENT_HD int threads_per_channel() const {
        int n = 1;
        while (n * scan_states < state) n *= 2;
        return n;
    }
    SERPENT_HD int channels_per_warp() const { return scan_warp_threads / threads_per_channel(); }
    SERPENT_HD int channel_blocks() const { return (inner + channels_per_warp() - 1) / channels_per_warp(); }
    SERPENT_HD std::int64_t chunks() const { return (length + chunk - 1) / chunk; }
    SERPENT_HD int samples(std::int64_t k) const {
        const std::int64_t left = length - k * chunk;
        return left < chunk ? static_cast<int>(left) : chunk;
    }
};

/// What kernels are made for. kVector: d_state is a multiple of 4, so that a thread's states move 16 bytes at a time.
template <bool kTied, bool kEma, bool kVector>
struct ScanKind {
    static constexpr bool tied = kTied, vector = kVector;
    static constexpr auto rule = kEma ? equations::InputRule::ema : equations::InputRule::euler;
};

/// Where a thread's states are: channel and first state; they may not exist.
struct ScanPlace {
    int channel, first_state;
    bool exists;
};

SERPENT_HD inline ScanPlace scan_place(const ScanJob& job, int block, int thread) {
    const int per_channel = job.threads_per_channel();
    const int c = block * job.channels_per_warp() + thread / per_channel, n = thread % per_channel * scan_states;
    return {c, n, c < job.inner && n < job.state};
}

/// Values of `scan_states` states from a row of d_state; zeros for states that are not there or not wanted.
template <class Kind>
SERPENT_HD inline Float4 load_states(const float* row, const ScanPlace& p, int state, bool wanted = true) {
    if (!p.exists || !wanted) return {};
    if constexpr (Kind::vector) {
        return load4(row + p.first_state);
    } else {
        Float4 v{};
        SERPENT_UNROLL
        for (int k = 0; k < scan_states; ++k)
            if (p.first_state + k < state) v.v[k] = row[p.first_state + k];
        return v;
    }
}
template <class Kind>
SERPENT_HD inline void store_states(float* row, const ScanPlace& p, int state, const Float4& v) {
    if (!p.exists) return;
    if constexpr (Kind::vector) {
        store4(row + p.first_state, v);
    } else {
        SERPENT_UNROLL
        for (int k = 0; k < scan_states; ++k)
            if (p.first_state + k < state) row[p.first_state + k] = v.v[k];
    }
}

template <class Kind>
SERPENT_HD inline Float4 load_rates(const ScanJob& job, const ScanPlace& p) {
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

/// Threads walk `steps` samples at a time and fetch the next ones meanwhile.
struct ScanForwardThread {
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
SERPENT_HD inline void begin_thread(const ScanJob& job, std::int64_t first, int block, int thread, ScanForwardThread& l) {
    l.place = scan_place(job, block, thread);
    l.rate = load_rates<Kind>(job, l.place);
    const std::int64_t channel = first * job.inner + l.place.channel;
    l.x_at = job.x + channel, l.dt_at = job.dt + channel, l.y_at = job.y + channel;
    l.B_at = job.B + first * job.state, l.C_at = job.C + first * job.state;
    l.dt_sum = 0.0f;
}

/// Samples that are not there get dt = 0, which leaves the state as it is. left: samples to the chunk's end.
template <class Kind, bool kInput, bool kOutput>
SERPENT_HD inline void fetch_samples(const ScanJob& job, int left, ScanForwardThread& l) {
    SERPENT_UNROLL
    for (int i = 0; i < ScanForwardThread::steps; ++i) {
        const bool valid = i < left && l.place.exists;
        l.next.dt[i] = valid ? l.dt_at[i * job.inner] : 0.0f;
        if constexpr (kInput) {
            l.next.x[i] = valid ? l.x_at[i * job.inner] : 0.0f;
            l.next.B[i] = load_states<Kind>(l.B_at + i * job.state, l.place, job.state, valid);
        }
        if constexpr (kOutput) l.next.C[i] = load_states<Kind>(l.C_at + i * job.state, l.place, job.state, valid);
    }
    const int channels = ScanForwardThread::steps * job.inner, states = ScanForwardThread::steps * job.state;
    l.dt_at += channels, l.x_at += channels, l.B_at += states, l.C_at += states;
}

/// Phase 1 of one chunk of the channels of `block`, from h = 0; kOutput: also what it answers. Without job.states the only phase,
/// from job.h_start.
template <class Kind, bool kOutput, class Group>
SERPENT_HD void scan_forward_chunk(const Group& group, const ScanJob& job, std::int64_t chunk, int block) {
    constexpr int steps = ScanForwardThread::steps;
    typename Group::template PerThread<ScanForwardThread> threads;
    const int samples = job.samples(chunk), per_channel = job.threads_per_channel();
    group.each(threads, [&](int thread, ScanForwardThread& l) {
        begin_thread<Kind>(job, chunk * job.chunk, block, thread, l);
        l.skip = kOutput && job.skip && l.place.exists && l.place.first_state == 0 ? job.skip[l.place.channel] : 0.0f;
        l.h = load_states<Kind>(job.h_start + std::int64_t{l.place.channel} * job.state, l.place, job.state,
                          !job.states && job.h_start);
        fetch_samples<Kind, true, kOutput>(job, samples, l);
    });
    for (int t = 0; t < samples; t += steps) {
        group.each(threads, [&](int, ScanForwardThread& l) {
            l.now = l.next;
            fetch_samples<Kind, true, kOutput>(job, samples - t - steps, l);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const Float4 q = decays<Kind>(l.now.dt[i], l.rate);
                l.dt_sum += l.now.dt[i];
                l.y[i] = l.skip * l.now.x[i];
                SERPENT_UNROLL
                for (int k = 0; k < scan_states; ++k) {
                    l.h.v[k] = equations::scan_step(Kind::rule, l.h.v[k], q.v[k], l.now.dt[i], l.now.B[i].v[k], l.now.x[i]);
                    if constexpr (kOutput) l.y[i] = fused(l.now.C[i].v[k], l.h.v[k], l.y[i]);
                }
            }
        });
        if constexpr (kOutput) {
            group.template sum_below<steps>(per_channel, threads, [](ScanForwardThread& l) { return l.y; });
            group.each(threads, [&](int, ScanForwardThread& l) {
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i)
                    if (l.place.exists && l.place.first_state == 0 && i < samples - t) l.y_at[i * job.inner] = l.y[i];
                l.y_at += steps * job.inner;
            });
        }
    }
    group.each(threads, [&](int, ScanForwardThread& l) {
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
SERPENT_HD void scan_add_start_states(const Group& group, const ScanJob& job, std::int64_t chunk, int block) {
    constexpr int steps = ScanForwardThread::steps;
    typename Group::template PerThread<ScanForwardThread> threads;
    const int samples = job.samples(chunk), per_channel = job.threads_per_channel();
    group.each(threads, [&](int thread, ScanForwardThread& l) {
        begin_thread<Kind>(job, chunk * job.chunk, block, thread, l);
        l.h = load_states<Kind>(job.states + (chunk * job.inner + l.place.channel) * job.state, l.place, job.state);
        fetch_samples<Kind, false, true>(job, samples, l);
    });
    for (int t = 0; t < samples; t += steps) {
        group.each(threads, [&](int, ScanForwardThread& l) {
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
        group.template sum_below<steps>(per_channel, threads, [](ScanForwardThread& l) { return l.y; });
        group.each(threads, [&](int, ScanForwardThread& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                if (l.place.exists && l.place.first_state == 0 && i < samples - t) l.y_at[i * job.inner] += l.y[i];
            l.y_at += steps * job.inner;
        });
    }
}

} // namespace serpent::kernels::gpu
