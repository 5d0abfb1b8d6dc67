// SPDX-License-Identifier: MIT
// Phase 2 of a time-parallel scan: from every chunk's end state from zero to its true start state, over segments of chunks.
//
//   start of the next chunk = join_chunks(start, q(A sum dt), end from zero)
//
// and for complex states the start also turns, by the angle of all the chunk's samples, taken from n w in float64: a long way
// that turns by n roundings of w would end somewhere else.
// Every segment is first walked from zero, then the segments are joined in the same way, by runs of 16, then each is walked from
// its true start: short walks instead of a long one. In reverse the same joins the adjoint, from the last chunk to the first.
// Shapes    states (chunks, d_inner, d_state): ends from zero in, starts out. dt_sum (chunks, d_inner). rates (d_inner, decays), or
//           (d_inner) when tied: A log2(e). start, end (d_inner, d_state) or null (zeros; not wanted); end may be start.
// Source    kernels/equations/selective_scan_chunked.h
#pragma once

#include "equations/rotating_scan.h"
#include "equations/scan_step.h"
#include "gpu/math.h"

#include <cstdint>

namespace serpent::kernels::gpu {

struct CarryJob {
    float* states;
    const float* dt_sum;
    const float* rates;
    const float* start;
    float* end;
    std::int64_t chunks;
    int inner, state;
    bool tied, reverse;
    // Of complex states:
    const float* angles = nullptr;        ///< (d_inner, d_state / 2), radians per sample; null: states are real
    const equations::Turn<float>* turns = nullptr;  ///< (d_inner, d_state / 2), over a whole chunk; null: computed from the angles
    bool neighbours = false;              ///< real and imaginary part of a state lie side by side, else d_state / 2 apart
    std::int64_t chunk = 0, steps = 0;    ///< samples of a chunk and of all: the last chunk may be shorter

    SERPENT_HD int columns() const { return inner * state; }
    /// Samples of the chunks [first, last) in the job's direction.
    SERPENT_HD std::int64_t samples(std::int64_t first, std::int64_t last) const {
        if (first >= last) return 0;
        const std::int64_t begin = (reverse ? chunks - last : first) * chunk, end_of = (reverse ? chunks - first : last) * chunk;
        return (end_of < steps ? end_of : steps) - begin;
    }
};

/// A state of one channel as a value that chunks are joined by.
struct RealCarry {
    using Value = float;
    static constexpr int floats = 1;
    static SERPENT_HD int count(const CarryJob& job) { return job.columns(); }

    int column, channel;
    float rate;

    SERPENT_HD RealCarry(const CarryJob& job, int index)
        : column(index), channel(index / job.state), rate(job.rates[job.tied ? channel : index]) {}
    SERPENT_HD static Value zero() { return 0.0f; }
    SERPENT_HD Value load(const float* states) const { return states[column]; }
    SERPENT_HD void store(float* states, Value h) const { states[column] = h; }
    SERPENT_HD void expect(std::int64_t) {}
    SERPENT_HD Value join(Value h, float q, std::int64_t, Value from_zero) const { return equations::join_chunks(h, q, from_zero); }
};

struct ComplexCarry {
    struct Value {
        float re, im;
    };
    static constexpr int floats = 2;
    static SERPENT_HD int count(const CarryJob& job) { return job.columns() / 2; }

    int re, im, channel;
    float rate;
    double angle;  ///< in the job's direction: the adjoint turns back
    bool back;
    const equations::Turn<float>* chunk_turn;
    std::int64_t chunk, usual = 0;
    equations::Turn<float> usual_turn{0.0f, 0.0f};

    SERPENT_HD ComplexCarry(const CarryJob& job, int index) {
        const int pairs = job.state / 2, m = index % pairs;
        channel = index / pairs;
        re = channel * job.state + (job.neighbours ? 2 * m : m);
        im = re + (job.neighbours ? 1 : pairs);
        rate = job.rates[job.tied ? channel : index];
        back = job.reverse;
        angle = static_cast<double>(job.angles[index]) * (back ? -1 : 1);
        chunk_turn = job.turns ? job.turns + index : nullptr;
        chunk = job.chunk;
    }
    SERPENT_HD static Value zero() { return {0.0f, 0.0f}; }
    SERPENT_HD Value load(const float* states) const { return {states[re], states[im]}; }
    SERPENT_HD void store(float* states, Value h) const { states[re] = h.re, states[im] = h.im; }
    /// Most joins will be over so many samples.
    SERPENT_HD void expect(std::int64_t samples) {
        usual = samples;
        if (chunk_turn && samples == chunk) usual_turn = {chunk_turn->t, back ? -chunk_turn->s : chunk_turn->s};
        else usual_turn = turn(samples);
    }
    SERPENT_HD Value join(Value h, float q, std::int64_t samples, Value from_zero) const {
        equations::rotating_step(q, samples == usual ? usual_turn : turn(samples), from_zero.re, from_zero.im, h.re, h.im);
        return h;
    }

private:
    SERPENT_HD equations::Turn<float> turn(std::int64_t samples) const {
        return equations::Turn<float>::of(angle * static_cast<double>(samples));
    }
};

/// Walks a state over chunks [first, last) in the job's direction. With kStore, ends become starts.
template <bool kStore, class Carry>
SERPENT_HD inline void carry_walk(const CarryJob& job, Carry state, std::int64_t first, std::int64_t last,
                                  typename Carry::Value& h, float& dt_total) {
    constexpr int batch = 8;  // what is read ahead of the chain of joins, and of the stores that the compiler cannot pass
    const auto chunk_of = [&](std::int64_t i) { return job.reverse ? job.chunks - 1 - i : i; };
    state.expect(job.chunk);
    for (std::int64_t i = first; i < last; i += batch) {
        typename Carry::Value from_zero[batch];
        float dt[batch];
        SERPENT_UNROLL
        for (int k = 0; k < batch; ++k) {
            const std::int64_t chunk = chunk_of(i + k < last ? i + k : last - 1);
            from_zero[k] = state.load(job.states + chunk * job.columns());
            dt[k] = job.dt_sum[chunk * job.inner + state.channel];
        }
        SERPENT_UNROLL
        for (int k = 0; k < batch; ++k) {
            if (i + k >= last) continue;
            if constexpr (kStore) state.store(job.states + chunk_of(i + k) * job.columns(), h);
            h = state.join(h, decay(dt[k] * state.rate), job.samples(i + k, i + k + 1), from_zero[k]);
            dt_total += dt[k];
        }
    }
}

/// The same over segments in a team's scratch, [segment][state].
template <class Carry>
struct CarrySegments {
    typename Carry::Value* ends;
    float* totals;
    int states;

    /// samples(s): of segment s; `usual` of most.
    template <bool kStore, class Samples>
    SERPENT_HD void walk(int index, Carry state, int first, int last, std::int64_t usual, const Samples& samples,
                         typename Carry::Value& h, float& dt_total) const {
        constexpr int batch = 8;  // read, and their decays computed, ahead of the chain of joins
        state.expect(usual);
        for (int s = first; s < last; s += batch) {
            typename Carry::Value from_zero[batch];
            float dt[batch], q[batch];
            SERPENT_UNROLL
            for (int k = 0; k < batch; ++k) {
                const int at = (s + k < last ? s + k : last - 1) * states + index;
                from_zero[k] = ends[at], dt[k] = totals[at];
                q[k] = decay(dt[k] * state.rate);
            }
            SERPENT_UNROLL
            for (int k = 0; k < batch; ++k) {
                if (s + k >= last) continue;
                if constexpr (kStore) ends[(s + k) * states + index] = h;
                h = state.join(h, q[k], samples(s + k), from_zero[k]);
                dt_total += dt[k];
            }
        }
    }
};

inline constexpr int carry_run = 16;  ///< segments
SERPENT_HD constexpr int carry_runs(int segments) { return (segments + carry_run - 1) / carry_run; }
template <class Carry = RealCarry>
SERPENT_HD constexpr int carry_scratch_floats(int states, int segments) {
    return (Carry::floats + 1) * states * (segments + carry_runs(segments));
}

/// States [first_state, first_state + states), Carry::count(job) in all, by one team. scratch: carry_scratch_floats() that the team
/// shares, aligned to 8 bytes.
template <class Carry = RealCarry, class Team>
SERPENT_HD void join_chunk_states(const Team& team, const CarryJob& job, int first_state, int states, int segments, float* scratch) {
    using Value = typename Carry::Value;
    const std::int64_t length = (job.chunks + segments - 1) / segments;
    const int runs = carry_runs(segments), rank = static_cast<int>(team.rank()), size = static_cast<int>(team.size());
    Value* const values = reinterpret_cast<Value*>(scratch);
    float* const totals = scratch + Carry::floats * states * (segments + runs);
    const CarrySegments<Carry> each{values, totals, states};
    const CarrySegments<Carry> run{values + states * segments, totals + states * segments, states};
    const auto from = [&](int segment) { return segment * length < job.chunks ? segment * length : job.chunks; };
    const auto last_of = [&](int r) { return (r + 1) * carry_run < segments ? (r + 1) * carry_run : segments; };
    const auto state = [&](int i) { return Carry(job, first_state + i); };
    const auto segment_samples = [&](int s) { return job.samples(from(s), from(s + 1)); };
    const auto run_samples = [&](int r) { return job.samples(from(r * carry_run), from(last_of(r))); };
    const std::int64_t usual = length * job.chunk;
    for (int i = rank; i < states * segments; i += size) {
        Value h = Carry::zero();
        float dt_total = 0.0f;
        carry_walk<false>(job, state(i % states), from(i / states), from(i / states + 1), h, dt_total);
        each.ends[i] = h;
        each.totals[i] = dt_total;
    }
    team.sync();
    for (int i = rank; i < states * runs; i += size) {
        Value h = Carry::zero();
        float dt_total = 0.0f;
        each.template walk<false>(i % states, state(i % states), i / states * carry_run, last_of(i / states), usual, segment_samples, h, dt_total);
        run.ends[i] = h;
        run.totals[i] = dt_total;
    }
    team.sync();
    for (int i = rank; i < states; i += size) {
        const Carry s = state(i);
        Value h = job.start ? s.load(job.start) : Carry::zero();
        float dt_total = 0.0f;
        run.template walk<true>(i, s, 0, runs, usual * carry_run, run_samples, h, dt_total);
        if (job.end) s.store(job.end, h);
    }
    team.sync();
    for (int i = rank; i < states * runs; i += size) {
        Value h = run.ends[i];
        float dt_total = 0.0f;
        each.template walk<true>(i % states, state(i % states), i / states * carry_run, last_of(i / states), usual, segment_samples, h, dt_total);
    }
    team.sync();
    for (int i = rank; i < states * segments; i += size) {
        Value h = each.ends[i];
        float dt_total = 0.0f;
        carry_walk<true>(job, state(i % states), from(i / states), from(i / states + 1), h, dt_total);
    }
}

} // namespace serpent::kernels::gpu
