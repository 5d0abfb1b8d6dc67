// SPDX-License-Identifier: MIT
// Phase 3 of fused_layer.h: what the start state adds to the scan's answer, gate, out_proj and the residual sum; behind the last
// layer the decoder.
#pragma once

#include "gpu/fused_block.h"
#include "gpu/fused_stream.h"

namespace serpent::kernels::gpu {

/// What a thread of a dilated shape holds besides: the next layer's weights, whose x half of in_proj this one computes.
template <class Shape, bool kDilated = Shape::dilated>
struct FusedNextThread {};
template <class Shape>
struct FusedNextThread<Shape, true> {
    ThreadRow<Shape, Shape::model> next_in_x;
    float next_in_x_bias, next_norm[Shape::share], next_shift[Shape::share];
};

template <class Shape>
struct FusedOutputThread : FusedStreamThread<Shape>, FusedTurnsThread<Shape>, FusedNextThread<Shape> {
    static constexpr int row_loads = (Shape::row_floats + 4 * Shape::threads - 1) / (4 * Shape::threads);
    ThreadRow<Shape, Shape::model> in_z;
    ThreadRow<Shape, Shape::part> out;
    float in_z_bias, dt_scale, dt_bias, rate[Shape::decays], out_bias[Shape::share];
    float h[Shape::state], dt_sum;
    const float *y_at, *row_at;  ///< what is fetched next
    Float4 y[Shape::tile_steps / 4], y_next[Shape::tile_steps / 4], row_next[row_loads];
};

/// kLast: the last layer, which writes the signal.
template <class Shape, class Group, bool kFirst, bool kLast>
class FusedOutput : FusedStream<Shape, Group, FusedOutputThread<Shape>, kFirst> {
    using Stream = FusedStream<Shape, Group, FusedOutputThread<Shape>, kFirst>;
    using Stream::group_, Stream::layer_, Stream::span_, Stream::tile_, Stream::thread_, Stream::share;

public:
    using Thread = FusedOutputThread<Shape>;
    using GroupType = Group;
    static constexpr int steps = Shape::tile_steps;
    static constexpr int row_at = 0, u_at = row_at + Shape::row_floats, gated_at = u_at + steps * Shape::model,
                         r_at = gated_at + steps * Shape::inner;
    static constexpr int next_u_at = r_at + steps * Shape::threads;
    static constexpr int tile_floats = padded_tile<Shape>(next_u_at + (Shape::dilated && !kLast ? steps * Shape::model : 0));

    SERPENT_HD FusedOutput(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : Stream(group, layer, chunk, tile) {}

    SERPENT_HD void run() {
        prepare();
        this->fetch(0);
        fetch_scan(0);
        // Chunks behind the end run along: the threads of a warp stay together.
        for (int t = 0; t < layer_.chunk; t += steps) {
            this->take_fetched(t);
            take_scan();
            this->fetch(t + steps);
            fetch_scan(t + steps);
            this->normalise(u_at);
            group_.sync();
            add_start_state_and_gate();
            group_.sync();
            project_out();
            group_.sync();
            add_residual();
            if constexpr (kLast)
                this->decode(t);
            else
                this->write(t);
            if constexpr (Shape::dilated && !kLast) project_next(t);
        }
    }

private:
    SERPENT_HD void prepare() {
        using S = Shape;
        group_.each(thread_, [&](int thread, Thread& l) {
            const float* const w = layer_.weights + thread;
            this->find_input(thread, l);
            this->load_norm(thread, l);
            l.in_z_bias = w[S::in_z_bias * S::threads], l.dt_scale = w[S::dt_scale * S::threads], l.dt_bias = w[S::dt_bias * S::threads];
            l.in_z.load(layer_.weights, S::in_z, thread);
            l.out.load(layer_.weights, S::out, thread);
            load_weights(l.rate, w + S::rate * S::threads, S::threads);
            load_weights(l.out_bias, w + S::out_bias * S::threads, S::threads);
            l.dt_sum = 0.0f;
            l.y_at = layer_.y + (span_.begin * S::inner + thread * 4);
            l.row_at = layer_.rows + (span_.begin / steps * S::row_floats + thread * 4);
            const bool there = thread < S::inner && span_.samples > 0;
            if constexpr (S::rotating) {
                prepare_rotating(l, thread, there);
            } else {
                SERPENT_UNROLL
                for (int n = 0; n < S::state; ++n)
                    l.h[n] = there ? chunk_start<S>(layer_, span_.chunk, thread, n, l.rate[S::tied ? 0 : n]) : 0.0f;
            }
            if constexpr (S::dilated && !kLast) prepare_next(l, thread);
        });
    }

    SERPENT_HD void prepare_rotating(Thread& l, int thread, bool there) const {
        using S = Shape;
        load_turns<S>(l, layer_.weights, thread);
        SERPENT_UNROLL
        for (int m = 0; m < S::pairs; ++m) {
            l.h[m] = l.h[S::pairs + m] = 0.0f;
            if (there) rotating_chunk_start<S>(layer_, span_.chunk, thread, m, l.rate[S::tied ? 0 : m], l.h[m], l.h[S::pairs + m]);
        }
    }

    /// The next layer's weights, which may be another shape's: those that are read here lie where this one has its own.
    SERPENT_HD void prepare_next(Thread& l, int thread) const {
        using S = Shape;
        const float* const w = layer_.next_weights + thread;
        l.next_in_x.load(layer_.next_weights, S::in_x, thread);
        l.next_in_x_bias = w[S::in_x_bias * S::threads];
        load_weights(l.next_norm, w + S::norm * S::threads, S::threads);
        load_weights(l.next_shift, w + S::shift * S::threads, S::threads);
    }

    /// x_in of the next layer, from e.
    SERPENT_HD void project_next(int t) {
        this->normalise_by(next_u_at, [](Thread& l) { return l.next_norm; }, [](Thread& l) { return l.next_shift; });
        group_.sync();
        group_.each(thread_, [&](int thread, Thread& l) {
            float x[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) x[i] = l.next_in_x_bias;
            dots(l.next_in_x, tile_ + next_u_at, Shape::model, x);
            float* const to = layer_.next_x_in + (span_.begin + t) * Shape::inner + thread;
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                if (thread < Shape::inner && i < span_.samples - t) to[i * Shape::inner] = x[i];
        });
    }

    SERPENT_HD void fetch_scan(int t) {
        group_.each(thread_, [&](int thread, Thread& l) {
            const bool there = t < span_.samples;
            SERPENT_UNROLL
            for (int i = 0; i < steps; i += 4)
                l.y_next[i / 4] = thread < Shape::inner && there ? load4(l.y_at + i * Shape::inner) : Float4{};
            SERPENT_UNROLL
            for (int s = 0; s < Thread::row_loads; ++s)
                l.row_next[s] =
                    (s * Shape::threads + thread) * 4 < Shape::row_floats && there ? load4(l.row_at + s * Shape::threads * 4) : Float4{};
            l.y_at += steps * Shape::inner;
            l.row_at += Shape::row_floats;
        });
    }
    SERPENT_HD void take_scan() {
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps / 4; ++i) l.y[i] = l.y_next[i];
            SERPENT_UNROLL
            for (int s = 0; s < Thread::row_loads; ++s)
                if ((s * Shape::threads + thread) * 4 < Shape::row_floats)
                    store4(tile_ + row_at + (s * Shape::threads + thread) * 4, l.row_next[s]);
        });
    }

    SERPENT_HD void add_start_state_and_gate() {
        group_.each(thread_, [&](int thread, Thread& l) {
            Float4 dt_rows[steps / 4];
            SERPENT_UNROLL
            for (int i = 0; i < steps; i += 4) dt_rows[i / 4] = load4(tile_ + row_at + Shape::dt_rows_at + i);
            float z[steps], dt_sums[steps], sums[steps] = {};
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) z[i] = l.in_z_bias;
            dots(l.in_z, tile_ + u_at, Shape::model, z);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                l.dt_sum += softplus_of_log2(fused(l.dt_scale, dt_rows[i / 4].v[i % 4], l.dt_bias));
                dt_sums[i] = l.dt_sum;
            }
            if constexpr (Shape::rotating) add_left_of_turned_state(l, dt_sums, sums);
            else add_left_of_start_state(l, dt_sums, sums);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                if (thread < Shape::inner) tile_[gated_at + i * Shape::inner + thread] = (l.y[i / 4].v[i % 4] + sums[i]) * silu(z[i]);
        });
    }

    /// The samples side by side: one sum alone would wait for itself at every state.
    SERPENT_HD void add_left_of_start_state(const Thread& l, const float (&dt_sums)[steps], float (&sums)[steps]) const {
        SERPENT_UNROLL
        for (int n = 0; n < Shape::state; n += 4)
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const Float4 c = load4(tile_ + row_at + i * Shape::state + n);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) {
                    const float left = Shape::tied ? l.h[n + k] : exp2_fast(dt_sums[i] * l.rate[Shape::tied ? 0 : n + k]) * l.h[n + k];
                    sums[i] = fused(c.v[k], left, sums[i]);
                }
            }
        if constexpr (Shape::tied)
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) sums[i] *= exp2_fast(dt_sums[i] * l.rate[0]);
    }

    /// The same of pairs, whose start states turn from sample to sample; how far they have decayed is left to their sum of dt.
    SERPENT_HD void add_left_of_turned_state(Thread& l, const float (&dt_sums)[steps], float (&sums)[steps]) const {
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) {
            float c[Shape::state], tied_sum = 0.0f;
            SERPENT_UNROLL
            for (int n = 0; n < Shape::state; n += 4) {
                const Float4 four = load4(tile_ + row_at + i * Shape::state + n);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) c[n + k] = four.v[k];
            }
            SERPENT_UNROLL
            for (int m = 0; m < Shape::pairs; ++m) {
                float &re = l.h[m], &im = l.h[Shape::pairs + m];
                const float before = re;
                re += fused(l.turn_t[m], re, -l.turn_s[m] * im);
                im += fused(l.turn_t[m], im, l.turn_s[m] * before);
                const float read = fused(c[m], re, c[Shape::pairs + m] * im);
                if (Shape::tied) tied_sum += read;
                else sums[i] = fused(exp2_fast(dt_sums[i] * l.rate[Shape::tied ? 0 : m]), read, sums[i]);
            }
            if (Shape::tied) sums[i] = exp2_fast(dt_sums[i] * l.rate[0]) * tied_sum;
        }
    }

    /// Every thread one output of its part of the channels.
    SERPENT_HD void project_out() {
        group_.each(thread_, [&](int thread, Thread& l) {
            const int first = thread / Shape::model * Shape::part;
            float r[steps] = {};
            dots(l.out, tile_ + gated_at + first, Shape::inner, r);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) tile_[r_at + i * Shape::threads + thread] = r[i];
        });
    }

    SERPENT_HD void add_residual() {
        group_.each(thread_, [&](int thread, Thread& l) {
            const float* const r = tile_ + r_at + this->sample_of(thread) * Shape::threads + this->column_of(thread);
            Pack<share> sum = load<share>(r);
            SERPENT_UNROLL
            for (int p = 1; p < Shape::parts; ++p) {
                const Pack<share> more = load<share>(r + p * Shape::model);
                SERPENT_UNROLL
                for (int k = 0; k < share; ++k) sum.v[k] += more.v[k];
            }
            SERPENT_UNROLL
            for (int k = 0; k < share; ++k) l.e[k] += sum.v[k] + l.out_bias[k];
        });
    }
};

} // namespace serpent::kernels::gpu
