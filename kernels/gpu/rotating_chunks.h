// SPDX-License-Identifier: MIT
// chunk_scan.h for layers with complex states: rotating ones, and time-invariant ones, which are the same with dt = 1, B = 1 and a C
// of each channel's own. A chunk's decays and input gains stay in registers for all its pairs when they are tied.
//
// Shapes    as chunk_scan.h. A pair's two columns of the states are d_state / 2 apart (rotating) or neighbours (time_invariant).
// Source    kernels/equations/rotating_scan.h
#pragma once

#include "gpu/chunk_scan.h"

namespace serpent::kernels::gpu {

/// One chunk of one channel.
template <int kChunk>
class RotatingChunk {
public:
    int channel, count;  ///< count: samples of it
    Index first;
    float dt[kChunk], x[kChunk], q[kChunk], gain[kChunk];

    SERPENT_HD RotatingChunk(const ScanJob& job, Index item)
        : channel(static_cast<int>(item % job.inner())), first(item / job.inner() * kChunk), job_(job) {
        count = first + kChunk <= job.steps ? kChunk : static_cast<int>(job.steps - first);
        load_dt(dt);
    }
    SERPENT_HD void load_x() { load_chunk<kChunk>(job_.x, channel, first, job_.steps, x); }
    SERPENT_HD void load_dt(float* to) const {
        if (!job_.time_invariant()) return load_chunk<kChunk>(job_.dt, channel, first, job_.steps, to);
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) to[i] = i < count ? 1.0f : 0.0f;
    }
    SERPENT_HD float dt_sum() const {
        float total = 0.0f;
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) total += dt[i];
        return total;
    }
    /// Decays of pair m and, where wanted, the gains of its input.
    SERPENT_HD void decays(int m, bool with_gain) {
        if (m > 0 && job_.tied()) return;
        const float rate = job_.rates[job_.rate_index(channel, m)];
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) {
            q[i] = decay(dt[i] * rate);
            if (with_gain) gain[i] = root(equations::input_power(q[i], job_.block.step_ratio));
        }
    }
    SERPENT_HD Turn turn(int m) const { return job_.turns[channel * job_.block.pairs() + m]; }
    /// Columns of pair m within a channel's.
    SERPENT_HD int re(int m) const { return job_.time_invariant() ? 2 * m : m; }
    SERPENT_HD int im(int m) const { return job_.time_invariant() ? 2 * m + 1 : job_.block.pairs() + m; }
    SERPENT_HD void load_B(int m, float* b_re, float* b_im) const { load_pair(job_.B, m, b_re, b_im, 1.0f, 0.0f); }
    SERPENT_HD void load_C(int m, float* c_re, float* c_im) const {
        const float* const fixed = job_.fixed_C ? job_.fixed_C + (channel * job_.block.pairs() + m) * 2 : nullptr;
        load_pair(job_.C, m, c_re, c_im, fixed ? fixed[0] : 0.0f, fixed ? fixed[1] : 0.0f);
    }

private:
    SERPENT_HD void load_pair(ConstRows rows, int m, float* a, float* b, float fixed_a, float fixed_b) const {
        if (!job_.time_invariant()) {
            load_chunk<kChunk>(rows, m, first, job_.steps, a);
            load_chunk<kChunk>(rows, job_.block.pairs() + m, first, job_.steps, b);
            return;
        }
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) a[i] = fixed_a, b[i] = fixed_b;
    }

    const ScanJob& job_;
};

/// Phase 1: states = end states from zero, and dt_sum.
template <int kChunk, class Team>
SERPENT_HD void rotating_ends(const Team& team, const ScanJob& job, float* states, float* dt_sum) {
    each_item(team, chunk_count(job.steps, kChunk) * job.inner(), [&](Index item) {
        RotatingChunk<kChunk> chunk(job, item);
        chunk.load_x();
        dt_sum[item] = chunk.dt_sum();
        for (int m = 0; m < job.block.pairs(); ++m) {
            float b_re[kChunk], b_im[kChunk], re = 0.0f, im = 0.0f;
            chunk.decays(m, true);
            chunk.load_B(m, b_re, b_im);
            const Turn turn = chunk.turn(m);
            SERPENT_UNROLL
            for (int i = 0; i < kChunk; ++i) {
                const float in = chunk.gain[i] * chunk.x[i];
                if (i < chunk.count) equations::rotating_step(chunk.q[i], turn, in * b_re[i], in * b_im[i], re, im);
            }
            states[item * job.state() + chunk.re(m)] = re;
            states[item * job.state() + chunk.im(m)] = im;
        }
    });
}

/// Phase 3: y from the start states.
template <int kChunk, class Team>
SERPENT_HD void rotating_outputs(const Team& team, const ScanJob& job, const float* states, Rows y) {
    each_item(team, chunk_count(job.steps, kChunk) * job.inner(), [&](Index item) {
        RotatingChunk<kChunk> chunk(job, item);
        chunk.load_x();
        float out[kChunk];
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) out[i] = job.skip[chunk.channel] * chunk.x[i];
        for (int m = 0; m < job.block.pairs(); ++m) {
            float b_re[kChunk], b_im[kChunk], c_re[kChunk], c_im[kChunk];
            float re = states[item * job.state() + chunk.re(m)], im = states[item * job.state() + chunk.im(m)];
            chunk.decays(m, true);
            chunk.load_B(m, b_re, b_im);
            chunk.load_C(m, c_re, c_im);
            const Turn turn = chunk.turn(m);
            SERPENT_UNROLL
            for (int i = 0; i < kChunk; ++i) {
                const float in = chunk.gain[i] * chunk.x[i];
                equations::rotating_step(chunk.q[i], turn, in * b_re[i], in * b_im[i], re, im);
                out[i] = fused(c_re[i], re, fused(c_im[i], im, out[i]));
            }
        }
        store_chunk<kChunk>(y, chunk.channel, chunk.first, job.steps, out);
    });
}

/// From the gradient behind a step to that before it.
SERPENT_HD inline void rotating_adjoint_step(float q, Turn turn, float& re, float& im) {
    equations::rotating_step(q, Turn{turn.t, -turn.s}, 0.0f, 0.0f, re, im);
}

/// Backward phase 1: adjoint = the gradient at the start of every chunk when nothing comes from later chunks.
template <int kChunk, class Team>
SERPENT_HD void rotating_adjoint_starts(const Team& team, const ScanJob& job, ConstRows dy, float* adjoint) {
    each_item(team, chunk_count(job.steps, kChunk) * job.inner(), [&](Index item) {
        RotatingChunk<kChunk> chunk(job, item);
        float slope[kChunk];
        load_chunk<kChunk>(dy, chunk.channel, chunk.first, job.steps, slope);
        for (int m = 0; m < job.block.pairs(); ++m) {
            float c_re[kChunk], c_im[kChunk], re = 0.0f, im = 0.0f;
            chunk.decays(m, false);
            chunk.load_C(m, c_re, c_im);
            const Turn turn = chunk.turn(m);
            SERPENT_UNROLL
            for (int back = 1; back <= kChunk; ++back) {
                const int i = kChunk - back;
                re = fused(slope[i], c_re[i], re);
                im = fused(slope[i], c_im[i], im);
                rotating_adjoint_step(chunk.q[i], turn, re, im);
            }
            adjoint[item * job.state() + chunk.re(m)] = re;
            adjoint[item * job.state() + chunk.im(m)] = im;
        }
    });
}

/// Backward phase 3 of one pair: adds to dx and ddt, leaves what B and C are to be given in b_* and c_*; returns dA and dw.
template <int kChunk>
struct RotatingPairBackward {
    float b_re[kChunk], b_im[kChunk], c_re[kChunk], c_im[kChunk];
    float dA = 0.0f, dw = 0.0f;

    SERPENT_HD void run(const RotatingChunk<kChunk>& chunk, Turn turn, float A, float step_ratio, float h_re, float h_im, float g_re,
                        float g_im, const float* slope, float* dx, float* ddt) {
        float re[kChunk + 1], im[kChunk + 1];
        re[0] = h_re, im[0] = h_im;
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) {
            const float in = chunk.gain[i] * chunk.x[i];
            re[i + 1] = re[i], im[i + 1] = im[i];
            equations::rotating_step(chunk.q[i], turn, in * b_re[i], in * b_im[i], re[i + 1], im[i + 1]);
        }
        SERPENT_UNROLL
        for (int back = 1; back <= kChunk; ++back) {
            const int i = kChunk - back;
            const float q = chunk.q[i], b = chunk.gain[i], x = chunk.x[i];
            g_re = fused(slope[i], c_re[i], g_re);
            g_im = fused(slope[i], c_im[i], g_im);
            c_re[i] = slope[i] * re[i + 1], c_im[i] = slope[i] * im[i + 1];  // from here on: dC
            // The state before, turned: what the decay multiplies.
            const float turned_re = re[i] + (turn.t * re[i] - turn.s * im[i]), turned_im = im[i] + (turn.t * im[i] + turn.s * re[i]);
            const float drive = g_re * b_re[i] + g_im * b_im[i];  // gradient of b x
            const float dq = g_re * turned_re + g_im * turned_im + drive * x * equations::input_gain_slope(q, step_ratio, b);
            const float decayed = dq + dq * q;                    // gradient of dt A
            ddt[i] = fused(decayed, A, ddt[i]);
            dA = fused(decayed, chunk.dt[i], dA);
            const float across = g_im * turned_re - g_re * turned_im;
            dw += across + q * across;
            dx[i] = fused(drive, b, dx[i]);
            b_re[i] = g_re * b * x, b_im[i] = g_im * b * x;       // from here on: dB
            rotating_adjoint_step(q, turn, g_re, g_im);
        }
    }
};

/// Backward phase 3. The sums over channels and chunks are left to scan_gradient_parts().
template <int kChunk, class Team>
SERPENT_HD void rotating_backward(const Team& team, const ScanJob& job, const ScanBackward& out) {
    each_item(team, chunk_count(job.steps, kChunk) * job.inner(), [&](Index item) {
        RotatingChunk<kChunk> chunk(job, item);
        chunk.load_x();
        const int c = chunk.channel, pairs = job.block.pairs();
        float slope[kChunk], dx[kChunk], ddt[kChunk];
        load_chunk<kChunk>(out.dy, c, chunk.first, job.steps, slope);
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) dx[i] = job.skip[c] * slope[i], ddt[i] = 0.0f;
        for (int m = 0; m < pairs; ++m) {
            const Index re = item * job.state() + chunk.re(m), im = item * job.state() + chunk.im(m);
            RotatingPairBackward<kChunk> pair;
            chunk.decays(m, true);
            chunk.load_B(m, pair.b_re, pair.b_im);
            chunk.load_C(m, pair.c_re, pair.c_im);
            pair.run(chunk, chunk.turn(m), job.rates[job.rate_index(c, m)] * 0.693147181f, job.block.step_ratio, out.states[re],
                     out.states[im], out.adjoint[re], out.adjoint[im], slope, dx, ddt);
            if (!job.time_invariant()) {
                store_chunk<kChunk>(out.dB_terms, c * job.state() + chunk.re(m), chunk.first, job.steps, pair.b_re);
                store_chunk<kChunk>(out.dB_terms, c * job.state() + chunk.im(m), chunk.first, job.steps, pair.b_im);
            }
            store_chunk<kChunk>(out.dC_terms, c * job.state() + chunk.re(m), chunk.first, job.steps, pair.c_re);
            store_chunk<kChunk>(out.dC_terms, c * job.state() + chunk.im(m), chunk.first, job.steps, pair.c_im);
            out.dA_terms[item * job.state() + m] = pair.dA;
            out.dA_terms[item * job.state() + pairs + m] = pair.dw;
        }
        store_chunk<kChunk>(out.dx, c, chunk.first, job.steps, dx);
        store_chunk<kChunk>(out.ddt, c, chunk.first, job.steps, ddt);
    });
}

} // namespace serpent::kernels::gpu
