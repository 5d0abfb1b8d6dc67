// SPDX-License-Identifier: MIT
// Phase 1 of fused_layer.h: norm, in_proj's x half, convolution, x_proj and the scan of one chunk from h = 0. A chunk looks
// d_conv - 1 samples back into the one before it and computes their in_proj again, so chunks are independent.
#pragma once

#include "gpu/fused_block.h"
#include "gpu/fused_stream.h"
#include "gpu/tile_scan.h"

namespace serpent::kernels::gpu {

/// What a thread of a dilated shape holds besides.
template <class Shape, bool kDilated = Shape::dilated>
struct FusedTapsThread {};
template <class Shape>
struct FusedTapsThread<Shape, true> {
    const float* x_in_at;                               ///< this thread's, at the chunk's first sample
    float taps[Shape::conv][Shape::tile_steps];         ///< what the convolution sees of the next tile
};

template <class Shape>
struct FusedScanThread : FusedStreamThread<Shape>, FusedTurnsThread<Shape>, FusedTapsThread<Shape> {
    static constexpr int steps = Shape::tile_steps;
    ThreadRow<Shape, Shape::model> in_x;
    ThreadRow<Shape, Shape::inner> proj[Shape::rows];
    float in_x_bias, conv[Shape::conv], conv_bias, proj_bias[Shape::rows], dt_row[steps], dt_row_bias, dt_scale, dt_bias;
    float rate[Shape::decays], skip, h[Shape::state], dt_sum, history[Shape::conv - 1];
    float *y_at, *row_at;   ///< of this tile
    float x_in[steps], x[steps], dt[steps];
};

template <class Shape, class Group, bool kFirst>
class FusedScan : protected FusedStream<Shape, Group, FusedScanThread<Shape>, kFirst> {
protected:
    using Stream = FusedStream<Shape, Group, FusedScanThread<Shape>, kFirst>;
    using Stream::group_, Stream::layer_, Stream::span_, Stream::tile_, Stream::thread_;

public:
    using Thread = FusedScanThread<Shape>;
    using GroupType = Group;
    static constexpr int steps = Shape::tile_steps, before = Shape::conv - 1;
    static constexpr int u_at = 0, x_at = u_at + steps * Shape::model, b_at = x_at + steps * Shape::inner,
                         c_at = b_at + steps * Shape::state, dt_rows_at = c_at + Shape::dt_rows_at;
    static constexpr int tile_floats = padded_tile<Shape>(c_at + Shape::row_floats);

    SERPENT_HD FusedScan(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : Stream(group, layer, chunk, tile) {}

    /// Leaves the chunk's end in `ends`, whether there is such a chunk or not.
    SERPENT_HD void run(const FusedBlockEnds<Shape>& ends) {
        prepare();
        read_history();
        this->fetch(0);
        // Chunks behind the end run along: the threads of a warp stay together.
        for (int t = 0; t < layer_.chunk; t += steps) {
            const int valid = span_.samples - t;
            this->take_fetched(t);
            this->fetch(t + steps);
            this->normalise(u_at);
            group_.sync();
            project_in();
            convolve();
            group_.sync();
            project_x();
            group_.sync();
            keep_row(valid);
            step_sizes(valid);
            scan(valid);
        }
        leave(ends);
        leave_history();
    }

protected:
    SERPENT_HD void prepare() {
        using S = Shape;
        group_.each(thread_, [&](int thread, Thread& l) {
            const float* const w = layer_.weights + thread;
            const auto at = [&](int place) { return w[place * S::threads]; };
            if constexpr (!S::dilated) {
                this->find_input(thread, l);
                this->load_norm(thread, l);
                l.in_x_bias = at(S::in_x_bias);
            }
            l.conv_bias = at(S::conv_bias);
            l.dt_row_bias = at(S::dt_row_bias), l.dt_scale = at(S::dt_scale), l.dt_bias = at(S::dt_bias);
            l.skip = at(S::skip);
            if constexpr (!S::dilated) l.in_x.load(layer_.weights, S::in_x, thread);
            SERPENT_UNROLL
            for (int j = 0; j < S::rows; ++j) l.proj[j].load(layer_.weights, S::proj + j * S::inner, thread);
            load_weights(l.conv, w + S::conv_weight * S::threads, S::threads);
            load_weights(l.proj_bias, w + S::proj_bias * S::threads, S::threads);
            load_weights(l.dt_row, w + S::dt_row * S::threads, S::threads);
            load_weights(l.rate, w + S::rate * S::threads, S::threads);
            if constexpr (S::rotating) load_turns<S>(l, layer_.weights, thread);
            l.dt_sum = 0.0f;
            SERPENT_UNROLL
            for (int n = 0; n < S::state; ++n) l.h[n] = 0.0f;
            if constexpr (S::dilated) l.x_in_at = layer_.x_in + (span_.begin * S::inner + thread);
            l.y_at = layer_.y + (span_.begin * S::inner + thread * 4);
            l.row_at = layer_.rows + (span_.begin / steps * S::row_floats + thread * 4);
        });
    }

    /// x_in of the tile at t, which may begin in the chunk before.
    SERPENT_HD void look_back(int t) {
        this->template fetch<true>(t);
        this->template take_fetched<true>(t);
        this->normalise(u_at);
        group_.sync();
        project_in();
        group_.sync();  // u is written again by the next tile
    }

    /// Inputs of the convolution before the chunk: those of the last call, or of the samples of the chunk before.
    SERPENT_HD void read_history() {
        look_back(-steps);
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) {
                l.history[k] = l.x_in[steps - before + k];
                if (span_.begin == 0) l.history[k] = thread < Shape::inner ? layer_.history_in[k * Shape::inner + thread] : 0.0f;
            }
        });
    }

    /// Those behind the signal's last sample, for the next call. All chunks of the block run along.
    SERPENT_HD void leave_history() {
        const std::int64_t last = (layer_.length - 1) / layer_.chunk;
        if (span_.chunk / layer_.block_chunks != last / layer_.block_chunks) return;
        look_back(span_.samples - steps);
        group_.each(thread_, [&](int thread, Thread& l) {
            if (span_.chunk != last || thread >= Shape::inner) return;
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) {
                const std::int64_t sample = layer_.length - before + k;  // before 0: of this call's history
                layer_.history_out[k * Shape::inner + thread] =
                    sample < 0 ? layer_.history_in[(before + sample) * Shape::inner + thread] : l.x_in[steps - before + k];
            }
        });
    }

    SERPENT_HD void project_in() {
        group_.each(thread_, [&](int, Thread& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.x_in[i] = l.in_x_bias;
            dots(l.in_x, tile_ + u_at, Shape::model, l.x_in);
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
                if (thread < Shape::inner) tile_[x_at + i * Shape::inner + thread] = l.x[i];
            }
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) l.history[k] = row[steps + k];
        });
    }

    /// B and C, and dt's row of x_proj: of that, each of a sample's threads adds up some channels.
    SERPENT_HD void project_x() {
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int j = 0; j < Shape::rows; ++j) {
                const int row = thread + j * Shape::threads;
                float* const to = tile_ + (row < Shape::state ? b_at + row : c_at + row - Shape::state);
                float sums[steps];
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i) sums[i] = l.proj_bias[j];
                dots(l.proj[j], tile_ + x_at, Shape::inner, sums);
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i)
                    if (row < 2 * Shape::state) to[i * Shape::state] = sums[i];
            }
            const int first = thread % Shape::sample_threads * steps;  // threads without channels have zero weights
            const float* const x = tile_ + x_at + this->sample_of(thread) * Shape::inner + (first < Shape::inner ? first : 0);
            l.total = 0.0f;
            SERPENT_UNROLL
            for (int c = 0; c < steps; c += 4) {
                const Float4 v = load4(x + c);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) l.total = fused(l.dt_row[c + k], v.v[k], l.total);
            }
        });
        this->sample_sum();
        group_.each(thread_, [&](int thread, Thread& l) {
            if (thread % Shape::sample_threads == 0) tile_[dt_rows_at + this->sample_of(thread)] = l.total + l.dt_row_bias;
        });
    }

    /// What phase 3 reads of it.
    SERPENT_HD void keep_row(int valid) {
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int at = 0; at < Shape::row_floats; at += 4 * Shape::threads)
                if (at + 4 * thread < Shape::row_floats && valid > 0) store4(l.row_at + at, load4(tile_ + c_at + at + 4 * thread));
            l.row_at += Shape::row_floats;
        });
    }

    /// Samples behind the end get dt = 0, which leaves the state as it is.
    SERPENT_HD void step_sizes(int valid) {
        group_.each(thread_, [&](int, Thread& l) {
            Float4 dt_rows[steps / 4];
            SERPENT_UNROLL
            for (int i = 0; i < steps; i += 4) dt_rows[i / 4] = load4(tile_ + dt_rows_at + i);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const float dt = softplus_of_log2(fused(l.dt_scale, dt_rows[i / 4].v[i % 4], l.dt_bias));
                l.dt[i] = i < valid ? dt : 0.0f;
                l.dt_sum += l.dt[i];
            }
        });
    }

    SERPENT_HD void scan(int valid) {
        group_.each(thread_, [&](int thread, Thread& l) {
            float y[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) y[i] = l.skip * l.x[i];
            if constexpr (Shape::rule == equations::InputRule::euler && !Shape::tied)
                scan_by_tile(l, y);
            else
                scan_by_step(l, y);
            SERPENT_UNROLL
            for (int i = 0; i < steps; i += 4)
                if (thread < Shape::inner && valid > 0) store4(l.y_at + i * Shape::inner, {{y[i], y[i + 1], y[i + 2], y[i + 3]}});
            l.y_at += steps * Shape::inner;
        });
    }

    SERPENT_HD void scan_by_step(Thread& l, float (&y)[steps]) const {
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) {
            const float *const B = tile_ + b_at + i * Shape::state, *const C = tile_ + c_at + i * Shape::state;
            float q = decay(l.dt[i] * l.rate[0]);
            SERPENT_UNROLL
            for (int n = 0; n < Shape::state; n += 4) {
                const Float4 b = load4(B + n), c = load4(C + n);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) {
                    if constexpr (!Shape::tied) q = decay(l.dt[i] * l.rate[n + k]);
                    l.h[n + k] = equations::scan_step(Shape::rule, l.h[n + k], q, l.dt[i], b.v[k], l.x[i]);
                    y[i] = fused(c.v[k], l.h[n + k], y[i]);
                }
            }
        }
    }

    SERPENT_HD void scan_by_tile(Thread& l, float (&y)[steps]) const {
        float dt_x[steps], dt_total = 0.0f;
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) dt_x[i] = l.dt[i] * l.x[i], dt_total += l.dt[i];
        SERPENT_UNROLL
        for (int n = 0; n < Shape::state; n += 4) {
            float inside[4], from_zero[4];
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) inside[k] = l.h[n + k];
            scan_four<true>(l, n, 0, dt_x, inside, from_zero, y);
            SERPENT_UNROLL
            for (int first = 4; first < steps; first += 4) scan_four<false>(l, n, first, dt_x, inside, from_zero, y);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) l.h[n + k] = behind_tile(l.h[n + k], l.rate[n + k], dt_total, from_zero[k]);
        }
    }

    /// Four samples of four states.
    template <bool kFirstOfTile>
    SERPENT_HD void scan_four(const Thread& l, int n, int first, const float (&dt_x)[steps], float (&inside)[4], float (&from_zero)[4],
                              float (&y)[steps]) const {
        Float4 b[4], c[4];
        SERPENT_UNROLL
        for (int i = 0; i < 4; ++i) {
            b[i] = load4(tile_ + b_at + (first + i) * Shape::state + n);
            c[i] = load4(tile_ + c_at + (first + i) * Shape::state + n);
        }
        SERPENT_UNROLL
        for (int k = 0; k < 4; ++k) {
            const float B[4] = {b[0].v[k], b[1].v[k], b[2].v[k], b[3].v[k]}, C[4] = {c[0].v[k], c[1].v[k], c[2].v[k], c[3].v[k]};
            scan_within_tile<4, kFirstOfTile>(inside[k], from_zero[k], l.rate[n + k], l.dt + first, dt_x + first, B, C, y + first);
        }
    }

    SERPENT_HD void leave(const FusedBlockEnds<Shape>& ends) {
        const int k = static_cast<int>(span_.chunk % layer_.block_chunks);
        group_.each(thread_, [&](int thread, Thread& l) {
            if (thread >= Shape::inner) return;
            SERPENT_UNROLL
            for (int n = 0; n < Shape::state; ++n) ends.state(k, thread * Shape::state + n) = l.h[n];
            ends.dt(k, thread) = l.dt_sum;
        });
    }
};

} // namespace serpent::kernels::gpu
