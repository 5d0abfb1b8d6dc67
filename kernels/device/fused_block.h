// SPDX-License-Identifier: MIT
// The end of phase 1 of fused_layer.h: the chunks that one block of threads computed are joined from zero, so that phase 2 has only
// blocks to join. Phase 3 forms a chunk's true start from this one and its block's.
#pragma once

#include "device/fused_layer.h"

namespace serpent::kernels::device {

/// What a block's chunks leave in its shared memory: their ends from zero and their sums of dt.
template <class Shape>
struct FusedBlockEnds {
    static constexpr int chunk_floats = Shape::columns + Shape::inner;
    float* chunks;

    SERPENT_HD float& state(int chunk, int column) const { return chunks[chunk * chunk_floats + column]; }
    SERPENT_HD float& dt(int chunk, int channel) const { return chunks[chunk * chunk_floats + Shape::columns + channel]; }
};

template <class Shape, class Team>
SERPENT_HD void join_block(const Team& team, const FusedLayer& layer, std::int64_t block, const FusedBlockEnds<Shape>& ends) {
    for (int column = team.rank(); column < Shape::columns; column += team.size()) {
        const int channel = column / Shape::state, n = column % Shape::state;
        const float rate = layer.weights[(Shape::rate + (Shape::tied ? 0 : n)) * Shape::lanes + channel];
        float h = 0.0f, dt_before = 0.0f;
        for (int k = 0; k < layer.block_chunks; ++k) {
            const std::int64_t chunk = block * layer.block_chunks + k;
            layer.states[chunk * Shape::columns + column] = h;
            if (n == 0) layer.dt_before[chunk * Shape::inner + channel] = dt_before;
            const float dt = ends.dt(k, channel);
            h = reference::join_chunks(h, decay(dt * rate), ends.state(k, column));
            dt_before += dt;
        }
        layer.block_states[block * Shape::columns + column] = h;
        if (n == 0) layer.block_dt[block * Shape::inner + channel] = dt_before;
    }
}

/// The true state at a chunk's start.
template <class Shape>
SERPENT_HD float chunk_start(const FusedLayer& layer, std::int64_t chunk, int channel, int n, float rate) {
    const int column = channel * Shape::state + n;
    const float block_start = layer.block_states[chunk / layer.block_chunks * Shape::columns + column];
    const float q = decay(layer.dt_before[chunk * Shape::inner + channel] * rate);
    return reference::join_chunks(block_start, q, layer.states[chunk * Shape::columns + column]);
}

} // namespace serpent::kernels::device
