// SPDX-License-Identifier: MIT
// How phases read the residual stream: a tile ahead of its use, from the layer before or by the encoder from the signal, and
// normalised into the tile of shared memory; and how they write it, for the next layer or by the decoder.
#pragma once

#include "device/fused_layer.h"
#include "reference/rms_norm.h"

namespace serpent::kernels::device {

template <class Shape>
struct FusedStreamLane {
    float norm[Shape::share], shift[Shape::share];
    float e[Shape::share], next[Shape::share];  ///< this lane's values of its sample; next[0]: of the first channel where it is encoded
    float total;                                ///< what sample_sum() adds up
    float factor;                               ///< of the norm before the decoder
    const float* input;                         ///< this lane's, at the chunk's first tile
};

/// kFirst: the first layer, which reads the signal.
template <class Shape, class Group, class Lane, bool kFirst>
class FusedStream {
protected:
    static constexpr int steps = Shape::tile_steps, share = Shape::share;
    static SERPENT_HD int sample_of(int lane) { return lane / Shape::sample_lanes; }
    static SERPENT_HD int column_of(int lane) { return lane % Shape::sample_lanes * share; }

    SERPENT_HD FusedStream(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : group_(group), layer_(layer), span_(layer, chunk), tile_(tile) {}

    SERPENT_HD void load_norm(int lane, Lane& l) const {
        load_weights(l.norm, layer_.weights + Shape::norm * Shape::lanes + lane, Shape::lanes);
        load_weights(l.shift, layer_.weights + Shape::shift * Shape::lanes + lane, Shape::lanes);
    }
    SERPENT_HD void find_input(int lane, Lane& l) const {
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

    /// The norm's factors (tile_steps), at factors_at of the tile, from e.
    SERPENT_HD void share_factors(int factors_at) {
        group_.each(lane_, [&](int, Lane& l) { l.total = squares(l); });
        sample_sum();
        group_.each(lane_, [&](int lane, Lane& l) {
            if (lane % Shape::sample_lanes == 0) tile_[factors_at + sample_of(lane)] = norm_factor(l.total);
        });
    }

    /// u (4, d_model), at u_at of the tile, from e.
    SERPENT_HD void normalise(int u_at) {
        normalise_by(u_at, [](Lane& l) { return l.norm; }, [](Lane& l) { return l.shift; });
    }
    /// norm(lane), shift(lane): share values each.
    template <class Norm, class Shift>
    SERPENT_HD void normalise_by(int u_at, const Norm& norm, const Shift& shift) {
        group_.each(lane_, [&](int, Lane& l) { l.total = squares(l); });
        sample_sum();
        group_.each(lane_, [&](int lane, Lane& l) {
            const float factor = norm_factor(l.total);
            Pack<share> u;
            SERPENT_UNROLL
            for (int k = 0; k < share; ++k) u.v[k] = fused(l.e[k] * factor, norm(l)[k], shift(l)[k]);
            store<share>(tile_ + u_at + lane * share, u);
        });
    }

    /// e to the next layer.
    SERPENT_HD void write(int t) {
        group_.each(lane_, [&](int lane, Lane& l) {
            Pack<share> e;
            SERPENT_UNROLL
            for (int k = 0; k < share; ++k) e.v[k] = l.e[k];
            if (exists(sample_of(lane), t)) store<share>(layer_.e_out + (span_.begin + t) * Shape::model + lane * share, e);
        });
    }

    /// e behind the last layer to the signal.
    SERPENT_HD void decode(int t) {
        const FusedEnds& ends = layer_.ends;
        group_.each(lane_, [&](int, Lane& l) { l.total = squares(l); });
        sample_sum();
        group_.each(lane_, [&](int, Lane& l) { l.factor = ends.normed ? norm_factor(l.total) : 1.0f; });
        SERPENT_NO_UNROLL
        for (int c = 0; c < ends.channels; ++c) {
            group_.each(lane_, [&](int lane, Lane& l) {
                const Pack<share> weights = load<share>(ends.decoder + c * Shape::model + column_of(lane));
                l.total = 0.0f;
                SERPENT_UNROLL
                for (int k = 0; k < share; ++k) l.total = fused(weights.v[k], l.e[k], l.total);
            });
            sample_sum();
            group_.each(lane_, [&](int lane, Lane& l) {
                const int sample = sample_of(lane);
                if (lane % Shape::sample_lanes != 0 || !exists(sample, t)) return;
                const std::int64_t at = span_.begin + t + sample;
                float y = ends.decoder_bias[c];
                if (ends.skip) y = fused(ends.skip[c], ends.in[c * ends.in_stride + at], y);
                ends.out[c * ends.out_stride + at] = fused(l.total, l.factor, y);
            });
        }
    }

    const Group& group_;
    const FusedLayer& layer_;
    FusedSpan span_;
    float* tile_;
    typename Group::template PerLane<Lane> lane_;
};

} // namespace serpent::kernels::device
