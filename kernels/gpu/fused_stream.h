// SPDX-License-Identifier: MIT
// How phases read the residual stream: a tile ahead of its use, from the layer before or by the encoder from the signal, and
// normalised into the tile of shared memory; and how they write it, for the next layer or by the decoder.
#pragma once

#include "equations/rms_norm.h"
#include "gpu/fused_layer.h"

namespace serpent::kernels::gpu {

template <class Shape>
struct FusedStreamThread {
    float norm[Shape::share], shift[Shape::share];
    float e[Shape::share], next[Shape::share];  ///< this thread's values of its sample; next[0]: of the first channel where it is encoded
    float total;                                ///< what sample_sum() adds up
    float factor;                               ///< of the norm before the decoder
    const float* input;                         ///< this thread's, at the chunk's first tile
};

/// kFirst: the first layer, which reads the signal.
template <class Shape, class Group, class Thread, bool kFirst>
class FusedStream {
protected:
    static constexpr int steps = Shape::tile_steps, share = Shape::share;
    static SERPENT_HD int sample_of(int thread) { return thread / Shape::sample_threads; }
    static SERPENT_HD int column_of(int thread) { return thread % Shape::sample_threads * share; }

    SERPENT_HD FusedStream(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : group_(group), layer_(layer), span_(layer, chunk), tile_(tile) {}

    SERPENT_HD void load_norm(int thread, Thread& l) const {
        load_weights(l.norm, layer_.weights + Shape::norm * Shape::threads + thread, Shape::threads);
        load_weights(l.shift, layer_.weights + Shape::shift * Shape::threads + thread, Shape::threads);
    }
    SERPENT_HD void find_input(int thread, Thread& l) const {
        l.input = kFirst ? layer_.ends.in + (span_.begin + sample_of(thread)) : layer_.e_in + (span_.begin * Shape::model + thread * share);
    }

    /// Whether the chunk has such a sample of the tile at t. kBack: that tile may begin in the chunk before.
    template <bool kBack = false>
    SERPENT_HD bool exists(int sample, int t) const {
        return sample < span_.samples - t && (!kBack || (span_.samples > 0 && span_.begin + t + sample >= 0));
    }

    template <bool kBack = false>
    SERPENT_HD void fetch(int t) {
        group_.each(thread_, [&](int thread, Thread& l) {
            const bool there = exists<kBack>(sample_of(thread), t);
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
        group_.each(thread_, [&](int thread, Thread& l) {
            if constexpr (kFirst) {
                encode<kBack>(thread, l, t);
            } else {
                SERPENT_UNROLL
                for (int k = 0; k < share; ++k) l.e[k] = l.next[k];
            }
        });
    }

    template <bool kBack>
    SERPENT_HD void encode(int thread, Thread& l, int t) const {
        const FusedEnds& ends = layer_.ends;
        const Pack<share> bias = load<share>(ends.encoder_bias + column_of(thread));
        SERPENT_UNROLL
        for (int k = 0; k < share; ++k) l.e[k] = bias.v[k];
        add_channel(thread, l, 0, l.next[0]);
        SERPENT_NO_UNROLL
        for (int c = 1; c < ends.channels; ++c)
            add_channel(thread, l, c, exists<kBack>(sample_of(thread), t) ? l.input[c * ends.in_stride + t] : 0.0f);
    }
    SERPENT_HD void add_channel(int thread, Thread& l, int channel, float x) const {
        const Pack<share> weights = load<share>(layer_.ends.encoder + channel * Shape::model + column_of(thread));
        SERPENT_UNROLL
        for (int k = 0; k < share; ++k) l.e[k] = fused(weights.v[k], x, l.e[k]);
    }

    /// total summed over the threads of a sample.
    SERPENT_HD void sample_sum() {
        group_.template sum_neighbours<Shape::sample_threads>(thread_, [](Thread& l) -> float& { return l.total; });
    }

    static SERPENT_HD float squares(const Thread& l) {
        float sum = 0.0f;
        SERPENT_UNROLL
        for (int k = 0; k < share; ++k) sum = fused(l.e[k], l.e[k], sum);
        return sum;
    }
    static SERPENT_HD float norm_factor(float squares) {
        return inverse_sqrt(fused(squares, 1.0f / Shape::model, static_cast<float>(equations::rms_norm_eps)));
    }

    /// The norm's factors (tile_steps), at factors_at of the tile, from e.
    SERPENT_HD void share_factors(int factors_at) {
        group_.each(thread_, [&](int, Thread& l) { l.total = squares(l); });
        sample_sum();
        group_.each(thread_, [&](int thread, Thread& l) {
            if (thread % Shape::sample_threads == 0) tile_[factors_at + sample_of(thread)] = norm_factor(l.total);
        });
    }

    /// u (4, d_model), at u_at of the tile, from e.
    SERPENT_HD void normalise(int u_at) {
        normalise_by(u_at, [](Thread& l) { return l.norm; }, [](Thread& l) { return l.shift; });
    }
    /// norm(thread), shift(thread): share values each.
    template <class Norm, class Shift>
    SERPENT_HD void normalise_by(int u_at, const Norm& norm, const Shift& shift) {
        group_.each(thread_, [&](int, Thread& l) { l.total = squares(l); });
        sample_sum();
        group_.each(thread_, [&](int thread, Thread& l) {
            const float factor = norm_factor(l.total);
            Pack<share> u;
            SERPENT_UNROLL
            for (int k = 0; k < share; ++k) u.v[k] = fused(l.e[k] * factor, norm(l)[k], shift(l)[k]);
            store<share>(tile_ + u_at + thread * share, u);
        });
    }

    /// e to the next layer.
    SERPENT_HD void write(int t) {
        group_.each(thread_, [&](int thread, Thread& l) {
            Pack<share> e;
            SERPENT_UNROLL
            for (int k = 0; k < share; ++k) e.v[k] = l.e[k];
            if (exists(sample_of(thread), t)) store<share>(layer_.e_out + (span_.begin + t) * Shape::model + thread * share, e);
        });
    }

    /// e behind the last layer to the signal.
    SERPENT_HD void decode(int t) {
        const FusedEnds& ends = layer_.ends;
        group_.each(thread_, [&](int, Thread& l) { l.total = squares(l); });
        sample_sum();
        group_.each(thread_, [&](int, Thread& l) { l.factor = ends.normed ? norm_factor(l.total) : 1.0f; });
        SERPENT_NO_UNROLL
        for (int c = 0; c < ends.channels; ++c) {
            group_.each(thread_, [&](int thread, Thread& l) {
                const Pack<share> weights = load<share>(ends.decoder + c * Shape::model + column_of(thread));
                l.total = 0.0f;
                SERPENT_UNROLL
                for (int k = 0; k < share; ++k) l.total = fused(weights.v[k], l.e[k], l.total);
            });
            sample_sum();
            group_.each(thread_, [&](int thread, Thread& l) {
                const int sample = sample_of(thread);
                if (thread % Shape::sample_threads != 0 || !exists(sample, t)) return;
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
    typename Group::template PerThread<Thread> thread_;
};

} // namespace serpent::kernels::gpu
