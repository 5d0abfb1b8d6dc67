// SPDX-License-Identifier: MIT
// How both phases of fused_layer.h read the residual stream: a tile ahead of its use, from the layer before or by the encoder from
// the signal, and normalised into the tile of shared memory.
#pragma once

#include "device/fused_layer.h"
#include "reference/rms_norm.h"

namespace serpent::kernels::device {

template <class Shape>
struct FusedInputLane {
    float norm[Shape::share], shift[Shape::share];
    float e[Shape::share], next[Shape::share];  ///< this lane's values of its sample; next[0]: of the first channel where it is encoded
    float total;                                ///< what sample_sum() adds up
    const float* input;                         ///< this lane's, at the chunk's first tile
    float product[2][4], small[2][4], a_high[4], a_low[4], b_high[2], b_low[2];  ///< of multiply()
};

/// kFirst: the first layer, which reads the signal.
template <class Shape, class Group, class Lane, bool kFirst>
class FusedInput {
protected:
    static constexpr int steps = Shape::tile_steps, share = Shape::share;
    static SERPENT_HD int sample_of(int lane) { return lane / Shape::sample_lanes; }
    static SERPENT_HD int column_of(int lane) { return lane % Shape::sample_lanes * share; }

    SERPENT_HD FusedInput(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : group_(group), layer_(layer), span_(layer, chunk), tile_(tile) {}

    SERPENT_HD void load_input(int lane, Lane& l) const {
        load_weights(l.norm, layer_.weights + Shape::norm * Shape::lanes + lane, Shape::lanes);
        load_weights(l.shift, layer_.weights + Shape::shift * Shape::lanes + lane, Shape::lanes);
        l.input = kFirst ? layer_.ends.in + (span_.begin + sample_of(lane)) : layer_.e_in + (span_.begin * Shape::model + lane * share);
    }

    /// Whether the chunk has such a sample of the tile at t. kBack: that tile may begin in the chunk before.
    template <bool kBack = false>
    SERPENT_HD bool exists(int sample, int t) const {
        return sample < span_.samples - t && (!kBack || (span_.samples > 0 && span_.begin + t + sample >= 0));
    }

    template <bool kBack = false>
    SERPENT_HD void fetch(int t) {
        group_.each(lane_, [&](int lane, Lane& l) {
            const bool there = exists<kBack>(sample_of(lane), t);
            if constexpr (kFirst) {
                l.next[0] = there ? l.input[t] : 0.0f;
            } else {
                const Pack<share> values = there ? load<share>(l.input + t * Shape::model) : Pack<share>{};
                SERPENT_UNROLL
                for (int k = 0; k < share; ++k) l.next[k] = values.v[k];
            }
        });
    }

    template <bool kBack = false>
    SERPENT_HD void take_fetched(int t) {
        group_.each(lane_, [&](int lane, Lane& l) {
            if constexpr (kFirst) {
                encode<kBack>(lane, l, t);
            } else {
                SERPENT_UNROLL
                for (int k = 0; k < share; ++k) l.e[k] = l.next[k];
            }
        });
    }

    template <bool kBack>
    SERPENT_HD void encode(int lane, Lane& l, int t) const {
        const FusedEnds& ends = layer_.ends;
        const Pack<share> bias = load<share>(ends.encoder_bias + column_of(lane));
        SERPENT_UNROLL
        for (int k = 0; k < share; ++k) l.e[k] = bias.v[k];
        add_channel(lane, l, 0, l.next[0]);
        SERPENT_NO_UNROLL
        for (int c = 1; c < ends.channels; ++c) add_channel(lane, l, c, exists<kBack>(sample_of(lane), t) ? l.input[c * ends.in_stride + t] : 0.0f);
    }
    SERPENT_HD void add_channel(int lane, Lane& l, int channel, float x) const {
        const Pack<share> weights = load<share>(layer_.ends.encoder + channel * Shape::model + column_of(lane));
        SERPENT_UNROLL
        for (int k = 0; k < share; ++k) l.e[k] = fused(weights.v[k], x, l.e[k]);
    }

    /// total summed over the lanes of a sample.
    SERPENT_HD void sample_sum() {
        group_.template sum_neighbours<Shape::sample_lanes>(lane_, [](Lane& l) -> float& { return l.total; });
    }

    static SERPENT_HD float squares(const Lane& l) {
        float sum = 0.0f;
        SERPENT_UNROLL
        for (int k = 0; k < share; ++k) sum = fused(l.e[k], l.e[k], sum);
        return sum;
    }
    static SERPENT_HD float norm_factor(float squares) {
        return inverse_sqrt(fused(squares, 1.0f / Shape::model, static_cast<float>(reference::rms_norm_eps)));
    }

    /// u (4, d_model), at u_at of the tile, from e.
    SERPENT_HD void normalise(int u_at) {
        group_.each(lane_, [&](int, Lane& l) { l.total = squares(l); });
        sample_sum();
        group_.each(lane_, [&](int lane, Lane& l) {
            const float factor = norm_factor(l.total);
            Pack<share> u;
            SERPENT_UNROLL
            for (int k = 0; k < share; ++k) u.v[k] = fused(l.e[k] * factor, l.norm[k], l.shift[k]);
            const int at = Shape::by_matrix ? sample_of(lane) * Shape::model_stride + column_of(lane) : lane * share;
            store<share>(tile_ + u_at + at, u);
        });
    }

    /// product = W x of 8 samples by the matrix units: rows 16 r + lane / 4 (+ 8) of samples lane % 4 (+ 4) in product[r][0, 1 (2, 3)].
    /// W (16 kRowTiles, 8 kDepth) as pack_matrix() leaves it; sample i's x begins at x_at + i * stride of the tile. Both are
    /// split in two; what is left out, low times low, is 2^-22 of the whole.
    template <int kRowTiles, int kDepth>
    SERPENT_HD void multiply(int place, int x_at, int stride) {
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int r = 0; r < kRowTiles; ++r)
                SERPENT_UNROLL
                for (int j = 0; j < 4; ++j) l.product[r][j] = 0.0f, l.small[r][j] = 0.0f;
        });
        SERPENT_UNROLL
        for (int d = 0; d < kDepth; ++d) {
            group_.each(lane_, [&](int lane, Lane& l) {
                const int column = lane / 4;  // of the unit's; neighbouring ones are samples 4 apart
                const float* const x = tile_ + x_at + (column / 2 + column % 2 * 4) * stride + 8 * d + lane % 4;
                SERPENT_UNROLL
                for (int k = 0; k < 2; ++k) {
                    const SplitFloat b = split(x[4 * k]);
                    l.b_high[k] = b.high, l.b_low[k] = b.low;
                }
            });
            SERPENT_UNROLL
            for (int r = 0; r < kRowTiles; ++r) {
                group_.each(lane_, [&](int lane, Lane& l) {
                    const float* const w = layer_.weights + (place * 32 + (r * kDepth + d) * 256 + lane * 4);
                    const Float4 high = load4(w), low = load4(w + 128);
                    SERPENT_UNROLL
                    for (int k = 0; k < 4; ++k) l.a_high[k] = high.v[k], l.a_low[k] = low.v[k];
                });
                const auto a_high = [](Lane& l) { return l.a_high; };
                const auto b_high = [](Lane& l) { return l.b_high; };
                const auto small = [r](Lane& l) { return l.small[r]; };
                group_.multiply_add(lane_, [](Lane& l) { return l.a_low; }, b_high, small);
                group_.multiply_add(lane_, a_high, [](Lane& l) { return l.b_low; }, small);
                group_.multiply_add(lane_, a_high, b_high, [r](Lane& l) { return l.product[r]; });
            }
        }
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int r = 0; r < kRowTiles; ++r)
                SERPENT_UNROLL
                for (int j = 0; j < 4; ++j) l.product[r][j] += l.small[r][j];
        });
    }
    /// The product's rows as channels of the tile, Shape::column_stride apart.
    template <int kRowTiles>
    SERPENT_HD void leave_columns(int at) {
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int r = 0; r < kRowTiles; ++r)
                SERPENT_UNROLL
                for (int j = 0; j < 4; ++j)
                    tile_[at + (16 * r + lane / 4 + j / 2 * 8) * Shape::column_stride + lane % 4 + j % 2 * 4] = l.product[r][j];
        });
    }
    /// values[i] = bias + this lane's channel of sample i.
    SERPENT_HD void take_column(int at, int lane, float bias, float (&values)[steps]) const {
        SERPENT_UNROLL
        for (int i = 0; i < steps; i += 4) {
            const Float4 v = load4(tile_ + at + lane * Shape::column_stride + i);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) values[i + k] = v.v[k] + bias;
        }
    }

    const Group& group_;
    const FusedLayer& layer_;
    FusedSpan span_;
    float* tile_;
    typename Group::template PerLane<Lane> lane_;
};

} // namespace serpent::kernels::device
