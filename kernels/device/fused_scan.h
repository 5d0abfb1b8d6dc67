// SPDX-License-Identifier: MIT
// Phase 1 of fused_layer.h: norm, in_proj's x half, convolution, x_proj and the scan of one chunk from h = 0. A chunk looks
// d_conv - 1 samples back into the one before it and computes their in_proj again, so chunks are independent.
#pragma once

#include "device/fused_layer.h"
#include "device/tile_scan.h"
#include "reference/rms_norm.h"

namespace serpent::kernels::device {

template <class Shape>
struct FusedScanLane {
    static constexpr int steps = Shape::tile_steps;
    float norm, shift, in_x[Shape::model], in_x_bias, conv[Shape::conv], conv_bias;
    float proj[Shape::rows * Shape::inner], proj_bias[Shape::rows], dt_row, dt_row_bias, dt_scale, dt_bias;
    float rate[Shape::decays], skip, h[Shape::state], dt_sum, history[Shape::conv - 1];
    const float* e_at;      ///< what is fetched next
    float *y_at, *row_at;   ///< of this tile
    float e[steps], next[steps], scale[steps], x_in[steps], x[steps], dt_row_of[steps], dt[steps];
};

template <class Shape, class Group>
class FusedScan {
public:
    using Lane = FusedScanLane<Shape>;
    using GroupType = Group;
    static constexpr int steps = Shape::tile_steps, before = Shape::conv - 1;
    static constexpr int u_at = 0, x_at = u_at + steps * Shape::model, bc_at = x_at + steps * Shape::inner;
    static constexpr int tile_floats = padded_tile<Shape>(bc_at + steps * 2 * Shape::state);

    SERPENT_HD FusedScan(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : group_(group), layer_(layer), span_(layer, chunk), tile_(tile) {}

    SERPENT_HD void run() {
        load();
        load_history();
        fetch(0);
        // Chunks behind the end run along: the lanes of a warp stay together.
        for (int t = 0; t < layer_.chunk; t += steps) {
            const int valid = span_.samples - t;
            take_fetched();
            fetch(t + steps);
            normalise();
            project_in();
            convolve(valid);
            project_x(valid);
            scan(valid);
        }
        store();
    }

private:
    SERPENT_HD void load() {
        using S = Shape;
        group_.each(lane_, [&](int lane, Lane& l) {
            const float* const w = layer_.weights + lane;
            const auto at = [&](int place) { return w[place * S::lanes]; };
            l.norm = at(S::norm), l.shift = at(S::shift), l.in_x_bias = at(S::in_x_bias), l.conv_bias = at(S::conv_bias);
            l.dt_row = at(S::dt_row), l.dt_row_bias = at(S::dt_row_bias), l.dt_scale = at(S::dt_scale), l.dt_bias = at(S::dt_bias);
            l.skip = at(S::skip);
            load_weights(l.in_x, w + S::in_x * S::lanes, S::lanes);
            load_weights(l.conv, w + S::conv_weight * S::lanes, S::lanes);
            load_weights(l.proj, w + S::proj * S::lanes, S::lanes);
            load_weights(l.proj_bias, w + S::proj_bias * S::lanes, S::lanes);
            load_weights(l.rate, w + S::rate * S::lanes, S::lanes);
            l.dt_sum = 0.0f;
            SERPENT_UNROLL
            for (int n = 0; n < S::state; ++n) l.h[n] = 0.0f;
            l.e_at = layer_.e_in + ((span_.begin - steps) * S::model + lane);
            l.y_at = layer_.y + (span_.begin * S::inner + lane * steps);
            l.row_at = layer_.rows + span_.begin / steps * S::row_floats;
        });
    }

    /// Inputs of the convolution before the chunk: those of the last call, or of the samples of the chunk before.
    SERPENT_HD void load_history() {
        fetch(-steps);
        take_fetched();
        normalise();
        project_in();
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) {
                l.history[k] = l.x_in[steps - before + k];
                if (span_.begin == 0) l.history[k] = lane < Shape::inner ? layer_.history_in[k * Shape::inner + lane] : 0.0f;
            }
        });
        group_.sync();  // u is written again by the first tile
    }

    SERPENT_HD void fetch(int t) {
        group_.each(lane_, [&](int lane, Lane& l) {
            const int there = t < 0 ? (span_.begin > 0 && span_.samples > 0 ? steps : 0) : span_.samples - t;
            const int valid = lane < Shape::model ? there : 0;
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.next[i] = i < valid ? l.e_at[i * Shape::model] : 0.0f;
            l.e_at += steps * Shape::model;
        });
    }
    SERPENT_HD void take_fetched() {
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.e[i] = l.next[i];
        });
    }

    SERPENT_HD void normalise() {
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.scale[i] = l.e[i] * l.e[i];
        });
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i)
            group_.template sum<1>(lane_, [i](Lane& l) -> float& { return l.scale[i]; });
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                l.scale[i] = inverse_sqrt(fused(l.scale[i], 1.0f / Shape::model, static_cast<float>(reference::rms_norm_eps)));
                if (lane < Shape::model) tile_[u_at + i * Shape::model + lane] = fused(l.e[i] * l.scale[i], l.norm, l.shift);
            }
        });
        group_.sync();
    }

    SERPENT_HD void project_in() {
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.x_in[i] = dot<Shape::model>(l.in_x, tile_ + u_at + i * Shape::model, l.in_x_bias);
        });
    }

    /// valid: samples from this tile's first to the chunk's end.
    SERPENT_HD void convolve(int valid) {
        group_.each(lane_, [&](int lane, Lane& l) {
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
                if (lane < Shape::inner) tile_[x_at + i * Shape::inner + lane] = l.x[i];
                l.dt_row_of[i] = l.dt_row * l.x[i];
            }
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) l.history[k] = row[steps + k];
            if (valid > 0 && valid <= steps && span_.begin + span_.samples == layer_.length && lane < Shape::inner)
                store_history(row, lane, valid);
        });
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i)
            group_.template sum<1>(lane_, [i](Lane& l) -> float& { return l.dt_row_of[i]; });
        group_.sync();
    }

    /// row: inputs of the convolution of the signal's last tile, which holds `valid` samples.
    SERPENT_HD void store_history(const float (&row)[before + steps], int lane, int valid) const {
        SERPENT_UNROLL
        for (int i = 1; i <= steps; ++i)
            if (i == valid)
                SERPENT_UNROLL
                for (int k = 0; k < before; ++k) layer_.history_out[k * Shape::inner + lane] = row[i + k];
    }

    /// B, C and dt. Samples behind the end get dt = 0, which leaves the state as it is.
    SERPENT_HD void project_x(int valid) {
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                SERPENT_UNROLL
                for (int j = 0; j < Shape::rows; ++j) {
                    const int row = lane + j * Shape::lanes;
                    const float sum = dot<Shape::inner>(l.proj + j * Shape::inner, tile_ + x_at + i * Shape::inner, l.proj_bias[j]);
                    if (row < 2 * Shape::state) tile_[bc_at + i * 2 * Shape::state + row] = sum;
                    if (row >= Shape::state && row < 2 * Shape::state && valid > 0)
                        l.row_at[i * Shape::state + row - Shape::state] = sum;
                }
                l.dt_row_of[i] += l.dt_row_bias;
                const float dt = softplus(fused(l.dt_scale, l.dt_row_of[i], l.dt_bias));
                l.dt[i] = i < valid ? dt : 0.0f;
                l.dt_sum += l.dt[i];
            }
            if (lane == 0 && valid > 0) {
                store4(l.row_at + Shape::scales_at, {{l.scale[0], l.scale[1], l.scale[2], l.scale[3]}});
                store4(l.row_at + Shape::dt_rows_at, {{l.dt_row_of[0], l.dt_row_of[1], l.dt_row_of[2], l.dt_row_of[3]}});
            }
            l.row_at += Shape::row_floats;
        });
        group_.sync();
    }

    SERPENT_HD void scan(int valid) {
        group_.each(lane_, [&](int lane, Lane& l) {
            float y[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) y[i] = l.skip * l.x[i];
            if constexpr (Shape::rule == reference::InputRule::euler && !Shape::tied)
                scan_by_tile(l, y);
            else
                scan_by_step(l, y);
            if (lane < Shape::inner && valid > 0) store4(l.y_at, {{y[0], y[1], y[2], y[3]}});
            l.y_at += steps * Shape::inner;
        });
    }

    SERPENT_HD void scan_by_step(Lane& l, float (&y)[steps]) const {
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) {
            const float* B = tile_ + bc_at + i * 2 * Shape::state;
            float q = decay(l.dt[i] * l.rate[0]);
            SERPENT_UNROLL
            for (int n = 0; n < Shape::state; n += 4) {
                const Float4 b = load4(B + n), c = load4(B + Shape::state + n);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) {
                    if constexpr (!Shape::tied) q = decay(l.dt[i] * l.rate[n + k]);
                    l.h[n + k] = reference::scan_step(Shape::rule, l.h[n + k], q, l.dt[i], b.v[k], l.x[i]);
                    y[i] = fused(c.v[k], l.h[n + k], y[i]);
                }
            }
        }
    }

    SERPENT_HD void scan_by_tile(Lane& l, float (&y)[steps]) const {
        float dt_x[steps], dt_total = 0.0f;
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i) dt_x[i] = l.dt[i] * l.x[i], dt_total += l.dt[i];
        SERPENT_UNROLL
        for (int n = 0; n < Shape::state; n += 4) {
            Float4 b[steps], c[steps];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const float* B = tile_ + bc_at + i * 2 * Shape::state;
                b[i] = load4(B + n), c[i] = load4(B + Shape::state + n);
            }
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) {
                const float B[steps] = {b[0].v[k], b[1].v[k], b[2].v[k], b[3].v[k]}, C[steps] = {c[0].v[k], c[1].v[k], c[2].v[k], c[3].v[k]};
                l.h[n + k] = scan_tile(l.h[n + k], l.rate[n + k], l.dt, dt_x, dt_total, B, C, y);
            }
        }
    }

    SERPENT_HD void store() {
        group_.each(lane_, [&](int lane, Lane& l) {
            if (lane >= Shape::inner || span_.samples == 0) return;
            SERPENT_UNROLL
            for (int n = 0; n < Shape::state; ++n) layer_.states[(span_.chunk * Shape::inner + lane) * Shape::state + n] = l.h[n];
            layer_.dt_sum[span_.chunk * Shape::inner + lane] = l.dt_sum;
        });
    }

    const Group& group_;
    const FusedLayer& layer_;
    FusedSpan span_;
    float* tile_;
    typename Group::template PerLane<Lane> lane_;
};

} // namespace serpent::kernels::device
