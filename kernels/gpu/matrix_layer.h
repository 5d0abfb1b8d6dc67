// SPDX-License-Identifier: MIT
// One layer over one chunk of time as in fused_layer.h, for d_inner 32, which fills a warp: projections are matrix products that the
// warp does together (Group::multiply, tensor cores on a device), 8 samples at a time.
//
//   phase 1  matrix_scan.h     phase 3  matrix_output.h
//
// The norm's factor belongs to a sample, so that it may come after the product: in_proj has the norm's weight in it, its bias what a
// film's shift adds. Phase 1 leaves to phase 3 the scan's answers, the sums of dt and C.
// Shapes    y (tiles, 4, d_inner, 4): twice 4 answers, twice 4 sums of dt from the chunk's start; rows (tiles, 8, d_state): C; the rest
//           as in fused_layer.h, tiles being 8 samples
// Limits    d_model 16, d_inner 32, d_state a multiple of 16, d_conv 4, dt_rank 1, full A; chunks a multiple of 8 samples.
// Source    docs/architecture.md, "GPU"
#pragma once

#include "gpu/fused_layer.h"
#include "gpu/matrix.h"

namespace serpent::kernels::gpu {

template <int kDModel, int kDInner, int kDState, bool kEmaRule>
struct MatrixShape {
    static constexpr int model = kDModel, inner = kDInner, state = kDState, conv = 4, threads = 32, decays = kDState,
                         columns = kDInner * kDState;
    static constexpr bool tied = false, by_matrix = true, rotating = false, dilated = false;
    static constexpr equations::InputRule rule = kEmaRule ? equations::InputRule::ema : equations::InputRule::euler;
    static_assert(kDModel == 16 && kDInner == threads && kDState % 16 == 0);

    // Places of a thread's weights, in units of `threads` floats.
    static constexpr int in_x_bias = 0, in_z_bias = 1, conv_weight = 2, conv_bias = conv_weight + conv, dt_row_bias = conv_bias + 1,
                         dt_scale = dt_row_bias + 1, dt_bias = dt_scale + 1, rate = dt_bias + 1, skip = rate + decays, vectors = skip + 1;
    // Places of the matrices and what else is not a thread's, in floats. proj: x_proj's B and C; dt_row: its row of dt.
    static constexpr int proj_rows = 2 * kDState;
    static constexpr int in_x = vectors * threads, in_z = in_x + matrix_floats(kDInner, kDModel),
                         proj = in_z + matrix_floats(kDInner, kDModel),
                         proj_bias = proj + matrix_floats(proj_rows, kDInner), dt_row = proj_bias + proj_rows, out = dt_row + kDInner,
                         out_bias = out + matrix_floats(kDModel, kDInner), floats = out_bias + kDModel;

    static constexpr int tile_steps = matrix_columns, sample_threads = threads / tile_steps, share = kDModel / sample_threads;
    static constexpr int y_floats = 2 * tile_steps * kDInner;  ///< of a tile
    static constexpr int row_floats = tile_steps * kDState;
    // From sample to sample in shared memory.
    static constexpr int model_stride = matrix_stride(kDModel), inner_stride = matrix_stride(kDInner), proj_stride = matrix_stride(proj_rows);
};

} // namespace serpent::kernels::gpu
