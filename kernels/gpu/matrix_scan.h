// SPDX-License-Identifier: MIT
// Phase 1 of matrix_layer.h: norm, in_proj's x half, convolution, x_proj and the scan of one chunk from h = 0. A chunk looks d_conv - 1
// samples back into the one before it and computes their in_proj again, so chunks are independent.
#pragma once

#include "gpu/fused_block.h"
#include "gpu/fused_stream.h"
#include "gpu/matrix_layer.h"
#include "gpu/tile_scan.h"

namespace serpent::kernels::gpu {

template <class Shape>
struct MatrixScanThread : FusedStreamThread<Shape> {
    static constexpr int steps = Shape::tile_steps;
    float in_x_bias, conv[Shape::conv], conv_bias, dt_row_bias, dt_scale, dt_bias, rate[Shape::decays], skip;
    float h[Shape::state], dt_sum, history[Shape::conv - 1], x_in[steps], x[steps];
    float *y_at, *row_at;  ///< of this tile
};

template <class Shape, class Group, bool kFirst>
class MatrixScan : FusedStream<Shape, Group, MatrixScanThread<Shape>, kFirst> {
    using Stream = FusedStream<Shape, Group, MatrixScanThread<Shape>, kFirst>;
    using Stream::group_, Stream::layer_, Stream::span_, Stream::tile_, Stream::thread_;

public:
    using Thread = MatrixScanThread<Shape>;
    using GroupType = Group;
    static constexpr int steps = Shape::tile_steps, before = Shape::conv - 1;
    static constexpr int e_at = 0, factors_at = e_at + steps * Shape::model_stride, dt_rows_at = factors_at + steps,
                         x_at = dt_rows_at + steps, bc_at = x_at + steps * Shape::inner_stride,
                         tile_floats = bc_at + steps * Shape::proj_stride;

    SERPENT_HD MatrixScan(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : Stream(group, layer, chunk, tile) {}

    /// Leaves the chunk's end in `ends`, whether there is such a chunk or not.
    SERPENT_HD void run(const FusedBlockEnds<Shape>& ends) {
        prepare();
        if (span_.samples > 0) read_history();
        this->fetch(0);
        for (int t = 0; t < span_.samples; t += steps) {
            this->take_fetched(t);
            this->fetch(t + steps);
            project_in();
            convolve();
            project_x();
            scan(span_.samples - t);
        }
        leave(ends);
        if (span_.samples > 0 && span_.begin + span_.samples == layer_.length) leave_history();
    }

private:
    SERPENT_HD void prepare() {
        using S = Shape;
        group_.each(thread_, [&](int thread, Thread& l) {
            const float* const w = layer_.weights + thread;
            const auto at = [&](int place) { return w[place * S::threads]; };
            this->find_input(thread, l);
            l.in_x_bias = at(S::in_x_bias), l.conv_bias = at(S::conv_bias), l.dt_row_bias = at(S::dt_row_bias);
            l.dt_scale = at(S::dt_scale), l.dt_bias = at(S::dt_bias), l.skip = at(S::skip);
            load_weights(l.conv, w + S::conv_weight * S::threads, S::threads);
            load_weights(l.rate, w + S::rate * S::threads, S::threads);
            l.dt_sum = 0.0f;
            SERPENT_UNROLL
            for (int n = 0; n < S::state; ++n) l.h[n] = 0.0f;
            l.y_at = layer_.y + (span_.begin / steps * S::y_floats + thread * 4);
            l.row_at = layer_.rows + (span_.begin / steps * S::row_floats + thread * 4);
        });
    }

    /// x_in of the tile at t, which may begin in the chunk before.
    SERPENT_HD void look_back(int t) {
        this->template fetch<true>(t);
        this->template take_fetched<true>(t);
        project_in();
        group_.sync();
    }

    /// Inputs of the convolution before the chunk: those of the last call, or of the samples of the chunk before.
    SERPENT_HD void read_history() {
        look_back(-steps);
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k)
                l.history[k] = span_.begin == 0 ? layer_.history_in[k * Shape::inner + thread] : l.x_in[steps - before + k];
        });
    }

    /// Those behind the signal's last sample, for the next call.
    SERPENT_HD void leave_history() {
        look_back(span_.samples - steps);
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) {
                const std::int64_t sample = layer_.length - before + k;  // before 0: of this call's history
                layer_.history_out[k * Shape::inner + thread] =
                    sample < 0 ? layer_.history_in[(before + sample) * Shape::inner + thread] : l.x_in[steps - before + k];
            }
        });
    }

    SERPENT_HD void project_in() {
        group_.each(thread_, [&](int thread, Thread& l) {
            float* const to = tile_ + e_at + this->sample_of(thread) * Shape::model_stride + this->column_of(thread);
            store4(to, {{l.e[0], l.e[1], l.e[2], l.e[3]}});
        });
        group_.sync();
        group_.template multiply<Shape::inner, Shape::model, Shape::model_stride, Shape::inner_stride>(
            layer_.weights + Shape::in_x, nullptr, tile_ + e_at, tile_ + x_at);
        this->share_factors(factors_at);
        group_.sync();
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                l.x_in[i] = fused(tile_[factors_at + i], tile_[x_at + i * Shape::inner_stride + thread], l.in_x_bias);
        });
    }

    SERPENT_HD void convolve() {
        group_.each(thread_, [&](int thread, Thread& l) {
            float row[before + steps];
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) row[k] = l.history[k];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) row[before + i] = l.x_in[i];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                float sum = l.conv_bias;
                SERPENT_UNROLL
                for (int k = 0; k < Shape::conv; ++k) sum = fused(l.conv[k], row[i + k], sum);
                l.x[i] = silu(sum);
                tile_[x_at + i * Shape::inner_stride + thread] = l.x[i];
            }
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) l.history[k] = row[steps + k];
        });
        group_.sync();
    }

    /// B and C, and dt's row of x_proj: of that, each of a sample's threads adds up some channels.
    SERPENT_HD void project_x() {
        constexpr int channels = Shape::inner / Shape::sample_threads;
        group_.template multiply<Shape::proj_rows, Shape::inner, Shape::inner_stride, Shape::proj_stride>(
            layer_.weights + Shape::proj, layer_.weights + Shape::proj_bias, tile_ + x_at, tile_ + bc_at);
        group_.each(thread_, [&](int thread, Thread& l) {
            const int first = thread % Shape::sample_threads * channels;
            l.total = 0.0f;
            SERPENT_UNROLL
            for (int c = 0; c < channels; c += 4) {
                const Float4 w = load4(layer_.weights + Shape::dt_row + first + c);
                const Float4 x = load4(tile_ + x_at + this->sample_of(thread) * Shape::inner_stride + first + c);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) l.total = fused(w.v[k], x.v[k], l.total);
            }
        });
        this->sample_sum();
        group_.each(thread_, [&](int thread, Thread& l) {
            if (thread % Shape::sample_threads == 0) tile_[dt_rows_at + this->sample_of(thread)] = l.total + l.dt_row_bias;
        });
        group_.sync();
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int at = 0; at < Shape::row_floats; at += Shape::threads * 4)
                store4(l.row_at + at, load4(C((at + thread * 4) / Shape::state) + (at + thread * 4) % Shape::state));
            l.row_at += Shape::row_floats;
        });
    }

    SERPENT_HD const float* B(int i) const { return tile_ + bc_at + i * Shape::proj_stride; }
    SERPENT_HD const float* C(int i) const { return B(i) + Shape::state; }

    SERPENT_HD void scan(int valid) {
        group_.each(thread_, [&](int, Thread& l) {
            float dt[steps], y[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) dt[i] = softplus_of_log2(fused(l.dt_scale, tile_[dt_rows_at + i], l.dt_bias));
            if (valid < steps)  // samples behind the end get dt = 0, which leaves the state as it is
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i)
                    if (i >= valid) dt[i] = 0.0f;
            SERPENT_UNROLL
            for (int i = 0; i < steps; i += 4) {
                Float4 dt_sums;
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) {
                    dt_sums.v[k] = l.dt_sum += dt[i + k];
                    y[i + k] = l.skip * l.x[i + k];
                }
                store4(l.y_at + (steps + i) * Shape::inner, dt_sums);
            }
            if constexpr (Shape::rule == equations::InputRule::euler) scan_by_tile(l, dt, y);
            else scan_by_step(l, dt, y);
            SERPENT_UNROLL
            for (int i = 0; i < steps; i += 4) store4(l.y_at + i * Shape::inner, {{y[i], y[i + 1], y[i + 2], y[i + 3]}});
            l.y_at += Shape::y_floats;
        });
    }

    SERPENT_HD void scan_by_tile(Thread& l, const float (&dt)[steps], float (&y)[steps]) const {
        float dt_x[steps], dt_total = 0.0f;
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) dt_x[i] = dt[i] * l.x[i], dt_total += dt[i];
        constexpr int half = steps / 2;  // of a tile: B and C of all of it would take too many registers
        SERPENT_UNROLL
        for (int n = 0; n < Shape::state; n += 4) {
            float inside[4] = {l.h[n], l.h[n + 1], l.h[n + 2], l.h[n + 3]}, from_zero[4] = {};
            SERPENT_UNROLL
            for (int first = 0; first < steps; first += half) {
                Float4 b[half], c[half];
                SERPENT_UNROLL
                for (int i = 0; i < half; ++i) b[i] = load4(B(first + i) + n), c[i] = load4(C(first + i) + n);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) {
                    float b_k[half], c_k[half];
                    SERPENT_UNROLL
                    for (int i = 0; i < half; ++i) b_k[i] = b[i].v[k], c_k[i] = c[i].v[k];
                    scan_within_tile<half, false>(inside[k], from_zero[k], l.rate[n + k], dt + first, dt_x + first, b_k, c_k, y + first);
                }
            }
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) l.h[n + k] = behind_tile(l.h[n + k], l.rate[n + k], dt_total, from_zero[k]);
        }
    }

    SERPENT_HD void scan_by_step(Thread& l, const float (&dt)[steps], float (&y)[steps]) const {
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i)
            SERPENT_UNROLL
            for (int n = 0; n < Shape::state; n += 4) {
                const Float4 b = load4(B(i) + n), c = load4(C(i) + n);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) {
                    const float q = decay(dt[i] * l.rate[n + k]);
                    l.h[n + k] = equations::scan_step(Shape::rule, l.h[n + k], q, dt[i], b.v[k], l.x[i]);
                    y[i] = fused(c.v[k], l.h[n + k], y[i]);
                }
            }
    }

    SERPENT_HD void leave(const FusedBlockEnds<Shape>& ends) {
        const int k = static_cast<int>(span_.chunk % layer_.block_chunks);
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int n = 0; n < Shape::state; ++n) ends.state(k, thread * Shape::state + n) = l.h[n];
            ends.dt(k, thread) = l.dt_sum;
        });
    }
};

} // namespace serpent::kernels::gpu
