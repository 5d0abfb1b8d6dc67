// SPDX-License-Identifier: MIT
// Phase 3 of fused_layer.h: what the start state adds to the scan's answer, gate, out_proj and the residual sum.
#pragma once

#include "device/fused_layer.h"

namespace serpent::kernels::device {

template <class Shape>
struct FusedOutputLane {
    static constexpr int steps = Shape::tile_steps, shares = (Shape::row_floats + Shape::lanes - 1) / Shape::lanes;
    float norm, shift, in_z[Shape::model], in_z_bias, dt_scale, dt_bias, rate[Shape::decays], out[Shape::part], out_bias;
    float h[Shape::state], dt_sum;
    const float *e_at, *y_at, *row_at;  ///< what is fetched next
    float* out_at;                      ///< of this tile
    float e[steps], e_next[steps], row_next[shares], r[steps];
    Float4 y, y_next;
};

template <class Shape, class Group>
class FusedOutput {
public:
    using Lane = FusedOutputLane<Shape>;
    using GroupType = Group;
    static constexpr int steps = Shape::tile_steps;
    static constexpr int row_at = 0, u_at = row_at + Shape::row_floats, gated_at = u_at + steps * Shape::model;
    static constexpr int tile_floats = padded_tile<Shape>(gated_at + steps * Shape::inner);

    SERPENT_HD FusedOutput(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : group_(group), layer_(layer), span_(layer, chunk), tile_(tile) {}

    SERPENT_HD void run() {
        load();
        fetch(0);
        // Chunks behind the end run along: the lanes of a warp stay together.
        for (int t = 0; t < layer_.chunk; t += steps) {
            take_fetched();
            fetch(t + steps);
            normalise();
            add_start_state_and_gate();
            project_out(t);
        }
    }

private:
    SERPENT_HD void load() {
        using S = Shape;
        group_.each(lane_, [&](int lane, Lane& l) {
            const float* const w = layer_.weights + lane;
            const auto at = [&](int place) { return w[place * S::lanes]; };
            l.norm = at(S::norm), l.shift = at(S::shift), l.in_z_bias = at(S::in_z_bias), l.out_bias = at(S::out_bias);
            l.dt_scale = at(S::dt_scale), l.dt_bias = at(S::dt_bias);
            load_weights(l.in_z, w + S::in_z * S::lanes, S::lanes);
            load_weights(l.rate, w + S::rate * S::lanes, S::lanes);
            load_weights(l.out, w + S::out * S::lanes, S::lanes);
            l.dt_sum = 0.0f;
            l.e_at = layer_.e_in + (span_.begin * S::model + lane);
            l.out_at = layer_.e_out + (span_.begin * S::model + lane);
            l.y_at = layer_.y + (span_.begin * S::inner + lane * steps);
            l.row_at = layer_.rows + (span_.begin / steps * S::row_floats + lane);
            const bool exists = lane < S::inner && span_.samples > 0;
            SERPENT_UNROLL
            for (int n = 0; n < S::state; ++n) l.h[n] = exists ? layer_.states[(span_.chunk * S::inner + lane) * S::state + n] : 0.0f;
        });
    }

    SERPENT_HD void fetch(int t) {
        group_.each(lane_, [&](int lane, Lane& l) {
            const int valid = span_.samples - t;
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.e_next[i] = lane < Shape::model && i < valid ? l.e_at[i * Shape::model] : 0.0f;
            l.y_next = lane < Shape::inner && valid > 0 ? load4(l.y_at) : Float4{};
            SERPENT_UNROLL
            for (int s = 0; s < Lane::shares; ++s)
                l.row_next[s] = lane + s * Shape::lanes < Shape::row_floats && valid > 0 ? l.row_at[s * Shape::lanes] : 0.0f;
            l.e_at += steps * Shape::model;
            l.y_at += steps * Shape::inner;
            l.row_at += Shape::row_floats;
        });
    }
    SERPENT_HD void take_fetched() {
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.e[i] = l.e_next[i];
            l.y = l.y_next;
            SERPENT_UNROLL
            for (int s = 0; s < Lane::shares; ++s)
                if (lane + s * Shape::lanes < Shape::row_floats) tile_[row_at + lane + s * Shape::lanes] = l.row_next[s];
        });
        group_.sync();
    }

    SERPENT_HD void normalise() {
        group_.each(lane_, [&](int lane, Lane& l) {
            const Float4 scale = load4(tile_ + row_at + Shape::scales_at);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                if (lane < Shape::model) tile_[u_at + i * Shape::model + lane] = fused(l.e[i] * scale.v[i], l.norm, l.shift);
        });
        group_.sync();
    }

    SERPENT_HD void add_start_state_and_gate() {
        group_.each(lane_, [&](int lane, Lane& l) {
            const Float4 dt_row = load4(tile_ + row_at + Shape::dt_rows_at);
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                l.dt_sum += softplus(fused(l.dt_scale, dt_row.v[i], l.dt_bias));
                const float y = l.y.v[i] + left_of_start_state(l, tile_ + row_at + i * Shape::state);
                const float z = dot<Shape::model>(l.in_z, tile_ + u_at + i * Shape::model, l.in_z_bias);
                if (lane < Shape::inner) tile_[gated_at + i * Shape::inner + lane] = y * silu(z);
            }
        });
        group_.sync();
    }

    static SERPENT_HD float left_of_start_state(const Lane& l, const float* C) {
        float sum = 0.0f;
        SERPENT_UNROLL
        for (int n = 0; n < Shape::state; n += 4) {
            const Float4 c = load4(C + n);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) {
                const float left = Shape::tied ? l.h[n + k] : exp2_fast(l.dt_sum * l.rate[Shape::tied ? 0 : n + k]) * l.h[n + k];
                sum = fused(c.v[k], left, sum);
            }
        }
        return Shape::tied ? exp2_fast(l.dt_sum * l.rate[0]) * sum : sum;
    }

    SERPENT_HD void project_out(int t) {
        group_.each(lane_, [&](int lane, Lane& l) {
            const int first = lane / Shape::model_lanes * Shape::part;
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.r[i] = dot<Shape::part>(l.out, tile_ + gated_at + i * Shape::inner + first, 0.0f);
        });
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i)
            group_.template sum<Shape::model_lanes>(lane_, [i](Lane& l) -> float& { return l.r[i]; });
        group_.each(lane_, [&](int lane, Lane& l) {
            const int valid = lane < Shape::model ? span_.samples - t : 0;
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                if (i < valid) l.out_at[i * Shape::model] = l.e[i] + (l.r[i] + l.out_bias);
            l.out_at += steps * Shape::model;
        });
    }

    const Group& group_;
    const FusedLayer& layer_;
    FusedSpan span_;
    float* tile_;
    typename Group::template PerLane<Lane> lane_;
};

} // namespace serpent::kernels::device
