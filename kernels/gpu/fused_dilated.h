// SPDX-License-Identifier: MIT
// Phase 1 of fused_layer.h for layers whose convolution may have any dilation: selective ones, and rotating ones, with complex states.
// Layers of either kind may follow one another in any order, as those of the presets do.
//
// A dilated convolution reaches back further than a chunk can compute again, so its inputs x_in come from memory: the phase 3 before
// this layer's phase 1 has e in its threads and computes them (fused_output.h), and before the first layer FusedInput does from the
// signal. In return phase 1 does not read e, has no norm and no in_proj, and looks back at no sample twice.
//
// Traffic of a layer of either kind, floats a sample, m = d_model, d = d_inner, n = d_state: phase 1 reads x_in (d; its earlier taps
// were read a moment ago, here or by a neighbour, and are in the caches) and writes y, C and dt's row (d + n + 1); phase 3 reads these
// and e (d + n + 1 + m) and writes e and the next layer's x_in (m + d). In all 4 d + 2 (n + 1) + 2 m: 58 floats or 232 bytes with 8/8/4,
// the floor of this design, 12.4 G samples and layers per second at 2.9 TB/s. Selective layers of which none is dilated, which read e
// twice and no x_in, move 200 (fused_scan.h). The first layer encodes instead of reading e and the last one writes neither e nor x_in, so
// that six layers move 224 bytes each. What is left to do away with: e, if phase 3 of a layer and phase 1 of the next were one kernel.
// Instructions of phase 1 a sample and pair: decay 8, gain 4, input 2, turn and decay 8, answer 2; of phase 3 decay 2, turn 4, answer 3.
// With 2 pairs, x_proj (9 rows of 8), conv and the rest as fused_scan.h: about 190 a channel and sample, so that the issue and not the
// memory is what bounds it. A real state takes decay 8, step 2 (ema), answer 1, and in phase 3 decay 2, answer 2: 4 of these are
// 60, 2 pairs 66; the code of both phases comes out a quarter to a third shorter than a rotating layer's.
//
// Shapes    as fused_layer.h; x_in (length, d_inner) with history() samples in front; columns of a rotating layer's channel: d_state / 2
//           real parts, then as many imaginary ones
// Source    kernels/equations/selective_scan_chunked.h, rotating_scan.h
#pragma once

#include "gpu/fused_scan.h"

namespace serpent::kernels::gpu {

template <class Shape, class Group>
class DilatedScan : FusedScan<Shape, Group, false> {
    using Base = FusedScan<Shape, Group, false>;
    using Base::group_, Base::layer_, Base::span_, Base::tile_, Base::thread_;
    static_assert(Shape::dilated);

public:
    using typename Base::Thread;
    using typename Base::GroupType;
    using Base::steps, Base::tile_floats;

    SERPENT_HD DilatedScan(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile) : Base(group, layer, chunk, tile) {}

    /// Leaves the chunk's end in `ends`, whether there is such a chunk or not.
    SERPENT_HD void run(const FusedBlockEnds<Shape>& ends) {
        this->prepare();
        fetch_taps(0);
        // Chunks behind the end run along: the threads of a warp stay together.
        for (int t = 0; t < layer_.chunk; t += steps) {
            const int valid = span_.samples - t;
            convolve();
            fetch_taps(t + steps);
            group_.sync();
            this->project_x();
            group_.sync();
            this->keep_row(valid);
            this->step_sizes(valid);
            if constexpr (Shape::rotating) scan_turning(valid);
            else this->scan(valid);
        }
        this->leave(ends);
    }

private:
    SERPENT_HD void fetch_taps(int t) {
        group_.each(thread_, [&](int thread, Thread& l) {
            const bool mine = thread < Shape::inner;
            SERPENT_UNROLL
            for (int k = 0; k < Shape::conv; ++k) {
                const float* const from = l.x_in_at + (std::int64_t{t} - (Shape::conv - 1 - k) * layer_.dilation) * Shape::inner;
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i) l.taps[k][i] = mine && i < span_.samples - t ? from[i * Shape::inner] : 0.0f;
            }
        });
    }

    SERPENT_HD void convolve() {
        group_.each(thread_, [&](int thread, Thread& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                float sum = l.conv_bias;
                SERPENT_UNROLL
                for (int k = 0; k < Shape::conv; ++k) sum = fused(l.conv[k], l.taps[k][i], sum);
                l.x[i] = silu(sum);
                if (thread < Shape::inner) tile_[Base::x_at + i * Shape::inner + thread] = l.x[i];
            }
        });
    }

    /// FusedScan::scan() for pairs. Samples behind the end leave the states as they are.
    SERPENT_HD void scan_turning(int valid) {
        group_.each(thread_, [&](int thread, Thread& l) {
            float y[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                y[i] = l.skip * l.x[i];
                if (i < valid) turning_step(l, i, y[i]);
            }
            SERPENT_UNROLL
            for (int i = 0; i < steps; i += 4)
                if (thread < Shape::inner && valid > 0) store4(l.y_at + i * Shape::inner, {{y[i], y[i + 1], y[i + 2], y[i + 3]}});
            l.y_at += steps * Shape::inner;
        });
    }

    SERPENT_HD void turning_step(Thread& l, int i, float& y) const {
        float b[Shape::state], c[Shape::state], q = 0.0f, in = 0.0f;
        SERPENT_UNROLL
        for (int n = 0; n < Shape::state; n += 4) {
            const Float4 four_b = load4(tile_ + Base::b_at + i * Shape::state + n), four_c = load4(tile_ + Base::c_at + i * Shape::state + n);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) b[n + k] = four_b.v[k], c[n + k] = four_c.v[k];
        }
        SERPENT_UNROLL
        for (int m = 0; m < Shape::pairs; ++m) {
            if (m == 0 || !Shape::tied) {
                q = decay(l.dt[i] * l.rate[Shape::tied ? 0 : m]);
                in = root(equations::input_power(q, 1.0f)) * l.x[i];
            }
            float &re = l.h[m], &im = l.h[Shape::pairs + m];
            const float q_re = q + fused(q, l.turn_t[m], l.turn_t[m]), q_im = fused(q, l.turn_s[m], l.turn_s[m]);
            const float change_re = fused(q_re, re, fused(-q_im, im, in * b[m]));
            const float change_im = fused(q_re, im, fused(q_im, re, in * b[Shape::pairs + m]));
            re += change_re;
            im += change_im;
            y = fused(c[m], re, fused(c[Shape::pairs + m], im, y));
        }
    }
};

/// x_in of the first layer from the signal: encoder, norm and in_proj's x half, chunk by chunk.
template <class Shape, class Group>
class FusedInput : FusedStream<Shape, Group, FusedScanThread<Shape>, true> {
    using Thread = FusedScanThread<Shape>;
    using Stream = FusedStream<Shape, Group, Thread, true>;
    using Stream::group_, Stream::layer_, Stream::span_, Stream::tile_, Stream::thread_;
    static constexpr int steps = Shape::tile_steps;

public:
    static constexpr int tile_floats = padded_tile<Shape>(2 * steps * Shape::model);

    SERPENT_HD FusedInput(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile) : Stream(group, layer, chunk, tile) {}

    /// Writes layer.next_x_in.
    SERPENT_HD void run() {
        group_.each(thread_, [&](int thread, Thread& l) {
            this->find_input(thread, l);
            this->load_norm(thread, l);
            l.in_x_bias = layer_.weights[Shape::in_x_bias * Shape::threads + thread];
            l.in_x.load(layer_.weights, Shape::in_x, thread);
        });
        this->fetch(0);
        for (int t = 0; t < layer_.chunk; t += steps) {
            const int u_at = t / steps % 2 * steps * Shape::model;  // by turns: the tile before is still being read
            this->take_fetched(t);
            this->fetch(t + steps);
            this->normalise(u_at);
            group_.sync();
            group_.each(thread_, [&](int thread, Thread& l) {
                float x[steps];
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i) x[i] = l.in_x_bias;
                dots(l.in_x, tile_ + u_at, Shape::model, x);
                float* const to = layer_.next_x_in + (span_.begin + t) * Shape::inner + thread;
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i)
                    if (thread < Shape::inner && i < span_.samples - t) to[i * Shape::inner] = x[i];
            });
        }
    }
};

} // namespace serpent::kernels::gpu
