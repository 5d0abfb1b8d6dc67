// SPDX-License-Identifier: MIT
// The memory of one segment in training, or of one chunk in rendering: cut out of one block of floats.
#pragma once

#include "gpu/model.h"

namespace serpent::kernels::gpu {

/// Hands out parts of a block, each aligned to 128 bytes; with a null base it only counts.
class Carver {
public:
    SERPENT_HD explicit Carver(float* base) : base_(base) {}
    SERPENT_HD float* take(Index floats) {
        float* const part = base_ ? base_ + used_ : nullptr;
        used_ += (floats + 31) / 32 * 32;
        return part;
    }
    SERPENT_HD Rows rows(Index count, Index stride) { return {take(count * stride), stride}; }
    SERPENT_HD Index used() const { return used_; }

private:
    float* base_;
    Index used_ = 0;
};

SERPENT_HD inline Index larger(Index a, Index b) { return a > b ? a : b; }

/// Rows for `capacity` samples (a multiple of 4); those of the backward pass only where wanted.
SERPENT_HD inline LayerRows carve_layer_rows(Carver& carver, const Shape& s, Index capacity, int chunk, bool backward) {
    const Index d = s.d_inner, columns = s.columns, chunks = chunk_count(capacity, chunk);
    LayerRows r{};
    r.u = carver.rows(s.d_model, capacity);
    r.x_in = carver.rows(d, capacity);
    r.z = carver.rows(d, capacity);
    r.x_conv = carver.rows(d, capacity);
    r.x = carver.rows(d, capacity);
    r.dbc = carver.rows(s.x_proj_rows, capacity);
    r.dt = carver.rows(d, capacity);
    r.y = carver.rows(d, capacity);
    r.gated = carver.rows(d, capacity);
    r.r = carver.take(capacity);
    r.dt_sum = carver.take(chunks * d);
    r.scratch = carver.take(carry_scratch_floats(static_cast<int>(columns), carry_segments(chunks)));
    if (!backward) return r;
    r.dgated = carver.rows(d, capacity);
    r.dy = carver.rows(d, capacity);
    r.dz = carver.rows(d, capacity);
    r.dx = carver.rows(d, capacity);
    r.ddt = carver.rows(d, capacity);
    r.ddbc = carver.rows(s.x_proj_rows, capacity);
    r.dx_in = carver.rows(d, capacity);
    r.du = carver.rows(s.d_model, capacity);
    r.dB_terms = carver.rows(columns, capacity);
    r.dC_terms = carver.rows(columns, capacity);
    r.adjoint = carver.take(chunks * columns);
    r.dA_terms = carver.take(chunks * columns);
    const Index in_proj = (s.d_model + 1) * d, out_proj = (d + 1) * s.d_model, x_proj = (d + 1) * s.x_proj_rows;
    const Index ends = (Index{s.channels} + 1) * larger(s.d_model, 1) + (Index{s.d_model} + 1) * s.channels;
    r.partial = carver.take(sum_parts * larger(larger(larger(in_proj, out_proj), larger((s.dt_rank + 1) * d, ends)), columns));
    r.partial2 = carver.take(sum_parts * larger(larger(larger(in_proj, x_proj), ends), columns));
    r.partial3 = carver.take(sum_parts * larger(d * (s.d_conv + 1), 2 * larger(s.d_model, s.channels)));
    return r;
}

} // namespace serpent::kernels::gpu
