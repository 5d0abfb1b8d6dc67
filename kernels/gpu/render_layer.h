// SPDX-License-Identifier: MIT
// One layer of any kind over a long signal in chunks, a team to a chunk: three phases, and a join of the chunks (carry.h) between the
// last two.
//
//   inputs    x_in of all samples: what the convolution reads
//   ends      convolution to scan from h = 0: every chunk's end state and sum of dt
//   outputs   the same from the true start states, gate, out_proj and the residual sum
//
// A convolution reaches back (d_conv - 1) dilation samples, more than a chunk is long where dilations are. So its inputs lie in rows over
// the whole signal, written once, and no chunk computes again what an earlier one has: d_inner floats a sample written and twice read.
// They also save norm and in_proj's x half in one of the two phases. Chunks of 512 samples that begin as much earlier would take 2.4
// times the work for a dilation of 243; chunks so long that this does not matter, 2^14, would leave most of a GPU idle.
#pragma once

#include "gpu/workspace.h"

namespace serpent::kernels::gpu {

inline constexpr int render_inner_chunk = 8;
enum class RenderPhase { inputs, ends, outputs };

struct RenderLayer {
    Shape shape;
    Parameters<const float> weights;
    Constants constants;
    const float *film_scale, *film_shift;  ///< of this layer
    Rows e_in, e_out, x_in;                ///< e_out may not be e_in
    const float* history;                  ///< what is in front of x_in
    float *ends, *dt_sum;                  ///< (chunks, d_inner d_state of the layer), (chunks, d_inner)
    Index length;
    int layer, chunk;                      ///< chunk: samples, a multiple of render_inner_chunk
};

struct RenderWorkspace {
    LayerRows rows;
    float* states;
    Index floats;
};

/// Memory of one team; with a null base it only counts.
SERPENT_HD inline RenderWorkspace carve_render(float* base, const Shape& shape, int chunk) {
    Carver carver(base);
    RenderWorkspace w{};
    w.rows = carve_layer_rows(carver, shape, chunk, render_inner_chunk, false);
    w.states = carver.take(chunk_count(chunk, render_inner_chunk) * shape.columns);
    w.floats = carver.used();
    return w;
}

/// Ends with sync().
template <RenderPhase kPhase, class Team>
SERPENT_HD void render_chunk(const Team& team, const RenderLayer& job, const RenderWorkspace& memory, Index chunk) {
    const Index begin = chunk * job.chunk, left = job.length - begin, n = left < job.chunk ? left : Index{job.chunk};
    const int d = job.shape.d_inner;
    const Rows e{job.e_in.data + begin, job.e_in.stride};
    LayerRows rows = memory.rows;
    rows.x_in = {job.x_in.data + begin, job.x_in.stride};
    const LayerPass<render_inner_chunk, Team> pass(team, job.weights, job.constants, job.layer, {job.film_scale, job.film_shift}, n, rows, begin);
    float* const end = job.ends + chunk * job.weights.layers[job.layer].block.h_floats();
    if constexpr (kPhase == RenderPhase::inputs) {
        pass.norm(e);
        pass.in_proj_x();
    } else if constexpr (kPhase == RenderPhase::ends) {
        pass.selection(job.history);
        pass.scan_starts(memory.states, nullptr, end);
        each_item(team, d, [&](Index c) {
            float sum = 0.0f;
            for (Index k = 0; k < chunk_count(n, render_inner_chunk); ++k) sum += rows.dt_sum[k * d + c];
            job.dt_sum[chunk * d + c] = sum;
        });
    } else {
        pass.norm(e);
        pass.in_proj_z();
        pass.selection(job.history);
        pass.scan_starts(memory.states, end, nullptr);
        pass.outputs(memory.states, e, {job.e_out.data + begin, job.e_out.stride});
    }
    team.sync();
}

/// Joins what phase `ends` left. layer: job's, in this machine's memory. state: start in, end out.
inline CarryJob render_carry(const RenderLayer& job, const Layer& layer, const float* angles, float* state) {
    const BlockShape& b = layer.block;
    return {job.ends, job.dt_sum, job.constants.rates + layer.rates, state, state, chunk_count(job.length, job.chunk), b.d_inner, b.d_state,
            b.decays() == 1, false, b.kind == BlockKind::selective ? nullptr : angles, nullptr, b.kind == BlockKind::time_invariant, job.chunk,
            job.length};
}

} // namespace serpent::kernels::gpu
