// SPDX-License-Identifier: MIT
// Phases 1 and 3 of the time-parallel scan for a team, one item per chunk and channel, forward and backward. A chunk's dt and
// x stay in registers while its states are walked one after the other.
//
// Shapes    x, dt, y: d_inner rows; B, C: d_state rows; states (chunks, d_inner, d_state); dt_sum (chunks, d_inner); kChunk
//           samples per chunk. Strides are multiples of 4 and data is aligned to 16 bytes when kChunk is a multiple of 4.
// Source    kernels/equations/selective_scan_chunked.h; the arithmetic of a step is kernels/equations/scan_step.h
#pragma once

#include "gpu/carry.h"
#include "gpu/layers.h"
#include "gpu/rows.h"

namespace serpent::kernels::gpu {

/// dt, B and C are not read where a layer is time-invariant: dt is 1, B is 1.
struct ScanJob {
    BlockShape block;
    Index steps;
    const float* rates;  ///< A log2(e)
    const float* skip;   ///< D
    ConstRows x, dt, B, C;
    const Turn* turns = nullptr;       ///< (d_inner, pairs) of complex states
    const float* fixed_C = nullptr;    ///< (d_inner, pairs, 2) of a time-invariant layer

    SERPENT_HD int inner() const { return block.d_inner; }
    SERPENT_HD int state() const { return block.d_state; }
    SERPENT_HD bool tied() const { return block.decays() == 1; }
    SERPENT_HD int columns() const { return block.h_floats(); }
    SERPENT_HD int rate_index(int c, int n) const { return tied() ? c : c * block.decays() + n; }
    SERPENT_HD bool time_invariant() const { return block.kind == BlockKind::time_invariant; }
    SERPENT_HD equations::InputRule rule() const { return block.ema ? equations::InputRule::ema : equations::InputRule::euler; }
};

SERPENT_HD inline Index chunk_count(Index steps, int chunk) { return (steps + chunk - 1) / chunk; }

/// Samples [first, first + kChunk) of a row; zeros from `steps` on.
template <int kChunk>
SERPENT_HD void load_chunk(ConstRows rows, int row, Index first, Index steps, float* to) {
    if (kChunk % 4 == 0 && first + kChunk <= steps) {
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; i += 4) {
            const Float4 v = load4(&rows(row, first + i));
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) to[i + k] = v.v[k];
        }
        return;
    }
    SERPENT_UNROLL
    for (int i = 0; i < kChunk; ++i) to[i] = first + i < steps ? rows(row, first + i) : 0.0f;
}

template <int kChunk>
SERPENT_HD void store_chunk(Rows rows, int row, Index first, Index steps, const float* from) {
    if (kChunk % 4 == 0 && first + kChunk <= steps) {
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; i += 4) store4(&rows(row, first + i), {{from[i], from[i + 1], from[i + 2], from[i + 3]}});
        return;
    }
    SERPENT_UNROLL
    for (int i = 0; i < kChunk; ++i)
        if (first + i < steps) rows(row, first + i) = from[i];
}

template <int kChunk>
SERPENT_HD void chunk_decays(const ScanJob& job, int c, int n, const float* dt, float* q) {
    const float rate = job.rates[job.rate_index(c, n)];
    SERPENT_UNROLL
    for (int i = 0; i < kChunk; ++i) q[i] = decay(dt[i] * rate);
}

/// Phase 1: states = end states from zero, and dt_sum.
template <int kChunk, class Team>
SERPENT_HD void scan_ends(const Team& team, const ScanJob& job, float* states, float* dt_sum) {
    each_item(team, chunk_count(job.steps, kChunk) * job.inner(), [&](Index item) {
        const int c = static_cast<int>(item % job.inner());
        const Index first = item / job.inner() * kChunk;
        float dt[kChunk], x[kChunk], q[kChunk], b[kChunk], total = 0.0f;
        load_chunk<kChunk>(job.dt, c, first, job.steps, dt);
        load_chunk<kChunk>(job.x, c, first, job.steps, x);
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) total += dt[i];
        dt_sum[item] = total;
        for (int n = 0; n < job.state(); ++n) {
            if (n == 0 || !job.tied()) chunk_decays<kChunk>(job, c, n, dt, q);
            load_chunk<kChunk>(job.B, n, first, job.steps, b);
            float h = 0.0f;
            SERPENT_UNROLL
            for (int i = 0; i < kChunk; ++i) h = equations::scan_step(job.rule(), h, q[i], dt[i], b[i], x[i]);
            states[item * job.state() + n] = h;
        }
    });
}

/// Phase 3: y from the start states.
template <int kChunk, class Team>
SERPENT_HD void scan_outputs(const Team& team, const ScanJob& job, const float* states, Rows y) {
    each_item(team, chunk_count(job.steps, kChunk) * job.inner(), [&](Index item) {
        const int c = static_cast<int>(item % job.inner());
        const Index first = item / job.inner() * kChunk;
        float dt[kChunk], x[kChunk], q[kChunk], b[kChunk], out[kChunk];
        load_chunk<kChunk>(job.dt, c, first, job.steps, dt);
        load_chunk<kChunk>(job.x, c, first, job.steps, x);
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) out[i] = job.skip[c] * x[i];
        for (int n = 0; n < job.state(); ++n) {
            if (n == 0 || !job.tied()) chunk_decays<kChunk>(job, c, n, dt, q);
            load_chunk<kChunk>(job.B, n, first, job.steps, b);
            float h = states[item * job.state() + n], read[kChunk];
            load_chunk<kChunk>(job.C, n, first, job.steps, read);
            SERPENT_UNROLL
            for (int i = 0; i < kChunk; ++i) {
                h = equations::scan_step(job.rule(), h, q[i], dt[i], b[i], x[i]);
                out[i] = fused(read[i], h, out[i]);
            }
        }
        store_chunk<kChunk>(y, c, first, job.steps, out);
    });
}

/// Backward phase 1: adjoint = the gradient at the start of every chunk when nothing comes from later chunks.
template <int kChunk, class Team>
SERPENT_HD void adjoint_starts(const Team& team, const ScanJob& job, ConstRows dy, float* adjoint) {
    each_item(team, chunk_count(job.steps, kChunk) * job.inner(), [&](Index item) {
        const int c = static_cast<int>(item % job.inner());
        const Index first = item / job.inner() * kChunk;
        float dt[kChunk], slope[kChunk], q[kChunk], read[kChunk];
        load_chunk<kChunk>(job.dt, c, first, job.steps, dt);
        load_chunk<kChunk>(dy, c, first, job.steps, slope);
        for (int n = 0; n < job.state(); ++n) {
            if (n == 0 || !job.tied()) chunk_decays<kChunk>(job, c, n, dt, q);
            load_chunk<kChunk>(job.C, n, first, job.steps, read);
            float g = 0.0f;
            SERPENT_UNROLL
            for (int back = 1; back <= kChunk; ++back)
                g = equations::adjoint_step(fused(slope[kChunk - back], read[kChunk - back], g), q[kChunk - back]);
            adjoint[item * job.state() + n] = g;
        }
    });
}

struct ScanBackward {
    const float* states;   ///< start state of every chunk
    const float* adjoint;  ///< gradient with respect to every chunk's end state
    ConstRows dy;
    Rows dx, ddt;          ///< written
    Rows dB_terms, dC_terms;  ///< d_inner * d_state rows: what each channel adds to dB and dC
    float* dA_terms;       ///< (chunks, d_inner, d_state); of complex states dA in d_state / 2 columns, then dw
};

/// Backward phase 3. The sums over channels and chunks are left to sum_scan_gradients().
template <int kChunk, class Team>
SERPENT_HD void scan_backward(const Team& team, const ScanJob& job, const ScanBackward& out) {
    each_item(team, chunk_count(job.steps, kChunk) * job.inner(), [&](Index item) {
        const int c = static_cast<int>(item % job.inner());
        const Index first = item / job.inner() * kChunk;
        float dt[kChunk], x[kChunk], q[kChunk], slope[kChunk], dx[kChunk], ddt[kChunk];
        load_chunk<kChunk>(job.dt, c, first, job.steps, dt);
        load_chunk<kChunk>(job.x, c, first, job.steps, x);
        load_chunk<kChunk>(out.dy, c, first, job.steps, slope);
        SERPENT_UNROLL
        for (int i = 0; i < kChunk; ++i) dx[i] = job.skip[c] * slope[i], ddt[i] = 0.0f;
        for (int n = 0; n < job.state(); ++n) {
            const int column = c * job.state() + n;
            const float A = job.rates[job.rate_index(c, n)] * 0.693147181f;
            float h[kChunk + 1], b[kChunk], read[kChunk], g = out.adjoint[item * job.state() + n], dA = 0.0f;
            if (n == 0 || !job.tied()) chunk_decays<kChunk>(job, c, n, dt, q);
            load_chunk<kChunk>(job.B, n, first, job.steps, b);
            load_chunk<kChunk>(job.C, n, first, job.steps, read);
            h[0] = out.states[item * job.state() + n];
            SERPENT_UNROLL
            for (int i = 0; i < kChunk; ++i) h[i + 1] = equations::scan_step(job.rule(), h[i], q[i], dt[i], b[i], x[i]);
            SERPENT_UNROLL
            for (int back = 1; back <= kChunk; ++back) {
                const int i = kChunk - back;
                g = fused(slope[i], read[i], g);
                read[i] = slope[i] * h[i + 1];  // from here on: dC
                const auto step = equations::scan_step_gradients(job.rule(), h[i], g, q[i], dt[i], A, b[i], x[i]);
                dx[i] += step.x;
                ddt[i] += step.dt;
                dA += step.A;
                b[i] = step.B;  // from here on: dB
                g = equations::adjoint_step(g, q[i]);
            }
            store_chunk<kChunk>(out.dB_terms, column, first, job.steps, b);
            store_chunk<kChunk>(out.dC_terms, column, first, job.steps, read);
            out.dA_terms[item * job.state() + n] = dA;
        }
        store_chunk<kChunk>(out.dx, c, first, job.steps, dx);
        store_chunk<kChunk>(out.ddt, c, first, job.steps, ddt);
    });
}

/// The rest of a backward phase 3, in two halves with a sync() of the caller's between them. partial: d_inner d_state sum_parts floats.
/// dB, dC: d_state rows each, written, where the layer has them.
template <class Team>
SERPENT_HD void scan_gradient_parts(const Team& team, const ScanJob& job, const ScanBackward& terms, Index chunks, Rows dB, Rows dC,
                                    float* partial) {
    if (!job.time_invariant())
        each_sample(team, job.state(), job.steps, [&](int n, Index t) {
            float b = 0.0f, c = 0.0f;
            for (int channel = 0; channel < job.inner(); ++channel) {
                b += terms.dB_terms(channel * job.state() + n, t);
                c += terms.dC_terms(channel * job.state() + n, t);
            }
            dB(n, t) = b;
            dC(n, t) = c;
        });
    sum_in_parts(team, job.columns(), chunks, partial, [&](Index column, Index chunk) { return terms.dA_terms[chunk * job.columns() + column]; });
}

/// dA_log = A dA, and of complex states dw, from their columns: those of real parts hold dA, those of imaginary ones dw.
template <class Team>
SERPENT_HD void scan_gradient_sums(const Team& team, const ScanJob& job, const float* partial, float* dA_log, float* dw) {
    const bool complex = job.block.kind != BlockKind::selective;
    const int apart = complex ? job.block.pairs() : job.state(), together = job.tied() ? apart : 1, decays = job.block.decays();
    each_item(team, Index{job.inner()} * decays, [&](Index i) {
        const Index first = i / decays * job.state() + i % decays;
        float sum = 0.0f;
        for (int n = 0; n < together; ++n) sum += sum_of_parts(partial, first + n);
        dA_log[i] = sum * job.rates[i] * 0.693147181f;
    });
    if (!complex) return;
    each_item(team, Index{job.inner()} * apart, [&](Index i) { dw[i] = sum_of_parts(partial, i / apart * job.state() + apart + i % apart); });
}

} // namespace serpent::kernels::gpu
