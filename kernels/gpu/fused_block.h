// SPDX-License-Identifier: MIT
// The end of phase 1 of fused_layer.h: the chunks that one block of threads computed are joined from zero, so that phase 2 has only
// blocks to join. Phase 3 forms a chunk's true start from this one and its block's.
#pragma once

#include "equations/rotating_scan.h"
#include "gpu/fused_layer.h"

namespace serpent::kernels::gpu {

/// What a thread of a rotating layer holds besides, in either phase.
template <class Shape, bool kRotating = Shape::rotating>
struct FusedTurnsThread {};
template <class Shape>
struct FusedTurnsThread<Shape, true> {
    float turn_t[Shape::pairs], turn_s[Shape::pairs];
};
template <class Shape>
SERPENT_HD void load_turns(FusedTurnsThread<Shape>& l, const float* weights, int thread) {
    load_weights(l.turn_t, weights + Shape::turn * Shape::threads + thread, Shape::threads);
    load_weights(l.turn_s, weights + (Shape::turn + Shape::pairs) * Shape::threads + thread, Shape::threads);
}

/// What a block's chunks leave in its shared memory: their ends from zero and their sums of dt.
template <class Shape>
struct FusedBlockEnds {
    static constexpr int chunk_floats = Shape::columns + Shape::inner;
    float* chunks;

    SERPENT_HD float& state(int chunk, int column) const { return chunks[chunk * chunk_floats + column]; }
    SERPENT_HD float& dt(int chunk, int channel) const { return chunks[chunk * chunk_floats + Shape::columns + channel]; }
};

/// The turn over n samples. The angle is reduced in float64, so that one far beyond a turn loses nothing.
SERPENT_HD inline equations::Turn<float> turn_after(float angle, std::int64_t n) {
    const double w = static_cast<double>(angle) * static_cast<double>(n);
    const float rest = static_cast<float>(w - 6.283185307179586 * std::rint(w * 0.15915494309189535)), half = std::sin(0.5f * rest);
    return {-2.0f * half * half, std::sin(rest)};
}

/// join_block() for pairs.
template <class Shape, class Team>
SERPENT_HD void join_rotating_block(const Team& team, const FusedLayer& layer, std::int64_t block, const FusedBlockEnds<Shape>& ends) {
    for (int pair = team.rank(); pair < Shape::inner * Shape::pairs; pair += team.size()) {
        const int channel = pair / Shape::pairs, m = pair % Shape::pairs, re_at = channel * Shape::state + m, im_at = re_at + Shape::pairs;
        const float rate = layer.weights[(Shape::rate + (Shape::tied ? 0 : m)) * Shape::threads + channel];
        const float angle = layer.weights[(Shape::angle + m) * Shape::threads + channel];
        const equations::Turn<float> whole = turn_after(angle, layer.chunk);
        float re = 0.0f, im = 0.0f, dt_before = 0.0f;
        for (int k = 0; k < layer.block_chunks; ++k) {
            const std::int64_t chunk = block * layer.block_chunks + k;
            const int samples = FusedSpan(layer, chunk).samples;
            layer.states[chunk * Shape::columns + re_at] = re;
            layer.states[chunk * Shape::columns + im_at] = im;
            if (m == 0) layer.dt_before[chunk * Shape::inner + channel] = dt_before;
            const float dt = ends.dt(k, channel);
            equations::rotating_step(decay(dt * rate), samples == layer.chunk ? whole : turn_after(angle, samples), ends.state(k, re_at),
                                     ends.state(k, im_at), re, im);
            dt_before += dt;
        }
        layer.block_states[block * Shape::columns + re_at] = re;
        layer.block_states[block * Shape::columns + im_at] = im;
        if (m == 0) layer.block_dt[block * Shape::inner + channel] = dt_before;
    }
}

template <class Shape, class Team>
SERPENT_HD void join_block(const Team& team, const FusedLayer& layer, std::int64_t block, const FusedBlockEnds<Shape>& ends) {
    if constexpr (Shape::rotating) {
        join_rotating_block(team, layer, block, ends);
    } else {
        for (int column = team.rank(); column < Shape::columns; column += team.size()) {
            const int channel = column / Shape::state, n = column % Shape::state;
            const float rate = layer.weights[(Shape::rate + (Shape::tied ? 0 : n)) * Shape::threads + channel];
            float h = 0.0f, dt_before = 0.0f;
            for (int k = 0; k < layer.block_chunks; ++k) {
                const std::int64_t chunk = block * layer.block_chunks + k;
                layer.states[chunk * Shape::columns + column] = h;
                if (n == 0) layer.dt_before[chunk * Shape::inner + channel] = dt_before;
                const float dt = ends.dt(k, channel);
                h = equations::join_chunks(h, decay(dt * rate), ends.state(k, column));
                dt_before += dt;
            }
            layer.block_states[block * Shape::columns + column] = h;
            if (n == 0) layer.block_dt[block * Shape::inner + channel] = dt_before;
        }
    }
}

/// The true state at a chunk's start.
template <class Shape>
SERPENT_HD float chunk_start(const FusedLayer& layer, std::int64_t chunk, int channel, int n, float rate) {
    const int column = channel * Shape::state + n;
    const float block_start = layer.block_states[chunk / layer.block_chunks * Shape::columns + column];
    const float q = decay(layer.dt_before[chunk * Shape::inner + channel] * rate);
    return equations::join_chunks(block_start, q, layer.states[chunk * Shape::columns + column]);
}

/// The same of pair m.
template <class Shape>
SERPENT_HD void rotating_chunk_start(const FusedLayer& layer, std::int64_t chunk, int channel, int m, float rate, float& re, float& im) {
    const int re_at = channel * Shape::state + m, im_at = re_at + Shape::pairs;
    const float* const block = layer.block_states + chunk / layer.block_chunks * Shape::columns;
    const float* const from_zero = layer.states + chunk * Shape::columns;
    const float angle = layer.weights[(Shape::angle + m) * Shape::threads + channel];
    re = block[re_at], im = block[im_at];
    equations::rotating_step(decay(layer.dt_before[chunk * Shape::inner + channel] * rate),
                             turn_after(angle, chunk % layer.block_chunks * layer.chunk), from_zero[re_at], from_zero[im_at], re, im);
}

} // namespace serpent::kernels::gpu
