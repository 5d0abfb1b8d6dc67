// SPDX-License-Identifier: MIT
// Phase 3 of matrix_layer.h: what the start state adds to the scan's answer, gate, out_proj and the residual sum; behind the last
// layer the decoder.
#pragma once

#include "gpu/fused_block.h"
#include "gpu/fused_stream.h"
#include "gpu/matrix_layer.h"

namespace serpent::kernels::gpu {

template <class Shape>
struct MatrixOutputThread : FusedStreamThread<Shape> {
    static constexpr int steps = Shape::tile_steps, shares = Shape::row_floats / (4 * Shape::threads);
    static_assert(Shape::row_floats % (4 * Shape::threads) == 0);
    float in_z_bias, rate[Shape::decays], h[Shape::state];
    const float *y_at, *row_at;  ///< what is fetched next
    Float4 y[2 * steps / 4], y_next[2 * steps / 4], row_next[shares];
};

/// kLast: the last layer, which writes the signal.
template <class Shape, class Group, bool kFirst, bool kLast>
class MatrixOutput : FusedStream<Shape, Group, MatrixOutputThread<Shape>, kFirst> {
    using Stream = FusedStream<Shape, Group, MatrixOutputThread<Shape>, kFirst>;
    using Stream::group_, Stream::layer_, Stream::span_, Stream::tile_, Stream::thread_;

public:
    using Thread = MatrixOutputThread<Shape>;
    using GroupType = Group;
    static constexpr int steps = Shape::tile_steps;
    static constexpr int e_at = 0, C_at = e_at + steps * Shape::model_stride, factors_at = C_at + Shape::row_floats,
                         gated_at = factors_at + steps, tile_floats = gated_at + steps * Shape::inner_stride;

    SERPENT_HD MatrixOutput(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : Stream(group, layer, chunk, tile) {}

    SERPENT_HD void run() {
        if (span_.samples == 0) return;
        prepare();
        this->fetch(0);
        fetch_scan(0);
        for (int t = 0; t < span_.samples; t += steps) {
            this->take_fetched(t);
            take_scan();
            this->fetch(t + steps);
            fetch_scan(t + steps);
            add_start_state_and_gate();
            project_out();
            if constexpr (kLast)
                this->decode(t);
            else
                this->write(t);
        }
    }

private:
    SERPENT_HD void prepare() {
        using S = Shape;
        group_.each(thread_, [&](int thread, Thread& l) {
            const float* const w = layer_.weights + thread;
            this->find_input(thread, l);
            l.in_z_bias = w[S::in_z_bias * S::threads];
            load_weights(l.rate, w + S::rate * S::threads, S::threads);
            l.y_at = layer_.y + (span_.begin / steps * S::y_floats + thread * 4);
            l.row_at = layer_.rows + (span_.begin / steps * S::row_floats + thread * 4);
            SERPENT_UNROLL
            for (int n = 0; n < S::state; ++n) l.h[n] = chunk_start<S>(layer_, span_.chunk, thread, n, l.rate[n]);
        });
    }

    SERPENT_HD void fetch_scan(int t) {
        group_.each(thread_, [&](int, Thread& l) {
            if (t < span_.samples) {
                SERPENT_UNROLL
                for (int i = 0; i < 2 * steps / 4; ++i) l.y_next[i] = load4(l.y_at + 4 * i * Shape::inner);
                SERPENT_UNROLL
                for (int i = 0; i < Thread::shares; ++i) l.row_next[i] = load4(l.row_at + i * 4 * Shape::threads);
            }
            l.y_at += Shape::y_floats;
            l.row_at += Shape::row_floats;
        });
    }
    SERPENT_HD void take_scan() {
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int i = 0; i < 2 * steps / 4; ++i) l.y[i] = l.y_next[i];
            SERPENT_UNROLL
            for (int i = 0; i < Thread::shares; ++i) store4(tile_ + C_at + (thread + i * Shape::threads) * 4, l.row_next[i]);
        });
    }

    SERPENT_HD void add_start_state_and_gate() {
        group_.each(thread_, [&](int thread, Thread& l) {
            float* const to = tile_ + e_at + this->sample_of(thread) * Shape::model_stride + this->column_of(thread);
            store4(to, {{l.e[0], l.e[1], l.e[2], l.e[3]}});
        });
        group_.sync();
        group_.template multiply<Shape::inner, Shape::model, Shape::model_stride, Shape::inner_stride>(
            layer_.weights + Shape::in_z, nullptr, tile_ + e_at, tile_ + gated_at);
        this->share_factors(factors_at);
        group_.sync();
        group_.each(thread_, [&](int thread, Thread& l) {
            float sums[steps] = {};
            add_left_of_start_state(l, sums);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const float z = fused(tile_[factors_at + i], tile_[gated_at + i * Shape::inner_stride + thread], l.in_z_bias);
                sums[i] = (l.y[i / 4].v[i % 4] + sums[i]) * silu(z);
            }
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) tile_[gated_at + i * Shape::inner_stride + thread] = sums[i];
        });
        group_.sync();
    }

    /// The samples side by side: one sum alone would wait for itself at every state.
    SERPENT_HD void add_left_of_start_state(const Thread& l, float (&sums)[steps]) const {
        SERPENT_UNROLL
        for (int n = 0; n < Shape::state; n += 4)
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const Float4 c = load4(tile_ + C_at + i * Shape::state + n);
                const float dt_sum = l.y[(steps + i) / 4].v[i % 4];
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) sums[i] = fused(c.v[k], exp2_fast(dt_sum * l.rate[n + k]) * l.h[n + k], sums[i]);
            }
    }

    SERPENT_HD void project_out() {
        group_.template multiply<Shape::model, Shape::inner, Shape::inner_stride, Shape::model_stride>(
            layer_.weights + Shape::out, layer_.weights + Shape::out_bias, tile_ + gated_at, tile_ + e_at);
        group_.sync();
        group_.each(thread_, [&](int thread, Thread& l) {
            const Float4 r = load4(tile_ + e_at + this->sample_of(thread) * Shape::model_stride + this->column_of(thread));
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) l.e[k] += r.v[k];
        });
        group_.sync();
    }
};

} // namespace serpent::kernels::gpu
