// SPDX-License-Identifier: MIT
// Phase 2 of a time-parallel scan: from every chunk's end state from zero to its true start state, over segments of chunks.
//
//   start of the next chunk = join_chunks(start, q(A sum dt), end from zero)
//
// Every segment is first walked from zero, then the segments are joined in the same way, by runs of 16, then each is walked from
// its true start: short walks instead of a long one. In reverse the same joins the adjoint, from the last chunk to the first.
// Shapes    states (chunks, d_inner, d_state): ends from zero in, starts out. dt_sum (chunks, d_inner). rates (d_inner, d_state), or
//           (d_inner) when tied: A log2(e). start, end (d_inner, d_state) or null (zeros; not wanted); end may be start.
// Source    kernels/reference/selective_scan_chunked.h
#pragma once

#include "device/math.h"
#include "reference/scan_step.h"

#include <cstdint>

namespace serpent::kernels::device {

struct CarryJob {
    float* states;
    const float* dt_sum;
    const float* rates;
    const float* start;
    float* end;
    std::int64_t chunks;
    int inner, state;
    bool tied, reverse;

    SERPENT_HD int columns() const { return inner * state; }
};

/// Walks column `column` over chunks [first, last) in the job's direction. With kStore, ends become starts.
template <bool kStore>
SERPENT_HD inline void carry_walk(const CarryJob& job, int column, std::int64_t first, std::int64_t last, float& h,
                                  float& dt_total) {
    const int channel = column / job.state;
    const float rate = job.rates[job.tied ? channel : column];
    constexpr int batch = 8;  // what is read ahead of the chain of joins, and of the stores that the compiler cannot pass
    const auto chunk_of = [&](std::int64_t i) { return job.reverse ? job.chunks - 1 - i : i; };
    for (std::int64_t i = first; i < last; i += batch) {
        float from_zero[batch], dt[batch];
        SERPENT_UNROLL
        for (int k = 0; k < batch; ++k) {
            const std::int64_t chunk = chunk_of(i + k < last ? i + k : last - 1);
            from_zero[k] = job.states[chunk * job.columns() + column];
            dt[k] = job.dt_sum[chunk * job.inner + channel];
        }
        SERPENT_UNROLL
        for (int k = 0; k < batch; ++k) {
            if (i + k >= last) continue;
            if constexpr (kStore) job.states[chunk_of(i + k) * job.columns() + column] = h;
            h = reference::join_chunks(h, decay(dt[k] * rate), from_zero[k]);
            dt_total += dt[k];
        }
    }
}

/// The same over segments in a team's scratch, [segment][column].
struct CarrySegments {
    float *ends, *totals;
    int columns;

    template <bool kStore>
    SERPENT_HD void walk(int column, int first, int last, float rate, float& h, float& dt_total) const {
        constexpr int batch = 8;  // read, and their decays computed, ahead of the chain of joins
        for (int s = first; s < last; s += batch) {
            float from_zero[batch], dt[batch], q[batch];
            SERPENT_UNROLL
            for (int k = 0; k < batch; ++k) {
                const int at = (s + k < last ? s + k : last - 1) * columns + column;
                from_zero[k] = ends[at], dt[k] = totals[at];
                q[k] = decay(dt[k] * rate);
            }
            SERPENT_UNROLL
            for (int k = 0; k < batch; ++k) {
                if (s + k >= last) continue;
                if constexpr (kStore) ends[(s + k) * columns + column] = h;
                h = reference::join_chunks(h, q[k], from_zero[k]);
                dt_total += dt[k];
            }
        }
    }
};

inline constexpr int carry_run = 16;  ///< segments
SERPENT_HD constexpr int carry_runs(int segments) { return (segments + carry_run - 1) / carry_run; }
SERPENT_HD constexpr int carry_scratch_floats(int columns, int segments) { return 2 * columns * (segments + carry_runs(segments)); }

/// Columns [first_column, first_column + columns) by one team. scratch: carry_scratch_floats() that the team shares.
template <class Team>
SERPENT_HD void join_chunk_states(const Team& team, const CarryJob& job, int first_column, int columns, int segments,
                                  float* scratch) {
    const std::int64_t length = (job.chunks + segments - 1) / segments;
    const int runs = carry_runs(segments);
    const CarrySegments each{scratch, scratch + columns * segments, columns};
    const CarrySegments run{each.totals + columns * segments, each.totals + columns * (segments + runs), columns};
    const auto from = [&](int segment) { return segment * length < job.chunks ? segment * length : job.chunks; };
    const auto last_of = [&](int r) { return (r + 1) * carry_run < segments ? (r + 1) * carry_run : segments; };
    const auto rate = [&](int i) { return job.rates[job.tied ? (first_column + i) / job.state : first_column + i]; };
    for (int i = team.rank(); i < columns * segments; i += team.size()) {
        float h = 0.0f, dt_total = 0.0f;
        carry_walk<false>(job, first_column + i % columns, from(i / columns), from(i / columns + 1), h, dt_total);
        each.ends[i] = h;
        each.totals[i] = dt_total;
    }
    team.sync();
    for (int i = team.rank(); i < columns * runs; i += team.size()) {
        float h = 0.0f, dt_total = 0.0f;
        each.walk<false>(i % columns, i / columns * carry_run, last_of(i / columns), rate(i % columns), h, dt_total);
        run.ends[i] = h;
        run.totals[i] = dt_total;
    }
    team.sync();
    for (int i = team.rank(); i < columns; i += team.size()) {
        float h = job.start ? job.start[first_column + i] : 0.0f, dt_total = 0.0f;
        run.walk<true>(i, 0, runs, rate(i), h, dt_total);
        if (job.end) job.end[first_column + i] = h;
    }
    team.sync();
    for (int i = team.rank(); i < columns * runs; i += team.size()) {
        float h = run.ends[i], dt_total = 0.0f;
        each.walk<true>(i % columns, i / columns * carry_run, last_of(i / columns), rate(i % columns), h, dt_total);
    }
    team.sync();
    for (int i = team.rank(); i < columns * segments; i += team.size()) {
        float h = each.ends[i], dt_total = 0.0f;
        carry_walk<true>(job, first_column + i % columns, from(i / columns), from(i / columns + 1), h, dt_total);
    }
}

} // namespace serpent::kernels::device
