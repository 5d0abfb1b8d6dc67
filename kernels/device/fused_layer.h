// SPDX-License-Identifier: MIT
// One layer of a model over one chunk of time, from the residual stream to the residual stream, by a group of lanes: lane c
// is channel c, its states and its share of the weights in registers.
//
//   phase 1  fused_scan.h    from h = 0: what the scan answers, the chunk's end state and its sum of dt
//   phase 2  carry.h         the chunks' true start states
//   phase 3  fused_output.h  e + block(norm(e)). The scan is linear in its state: of the true start state h0 phase 1's answer
//                            lacks only sum_n C_n exp(A_n sum dt) h0_n, so that the states need not be walked again. This exp is
//                            the hardware's: nothing amplifies its error.
//
// Time goes in tiles of 4 samples. Phase 1 leaves to phase 3 the scan's answers y and what is cheaper to read than to compute
// again: C, the norm's factor and dt's row of x_proj.
// Shapes    e (length, d_model); states (chunks, d_inner, d_state); dt_sum (chunks, d_inner); history (3, d_inner), oldest first;
//           y (tiles, d_inner, 4); rows (tiles, Shape::row_floats): C (4, d_state), 4 factors, 4 rows of dt
// Aliasing  e_out may not be e_in, nor history_out history_in: other chunks still read them.
// Limits    d_conv 4, dt_rank 1, d_model <= d_inner <= 32, d_state a multiple of 4; chunks a multiple of 4 samples.
// Source    docs/architecture.md, "GPU"; kernels/reference/selective_scan_chunked.h is the plain form.
#pragma once

#include "device/group.h"
#include "device/math.h"
#include "reference/scan_step.h"

namespace serpent::kernels::device {

constexpr int power_of_two_from(int n) {
    int p = 1;
    while (p < n) p *= 2;
    return p;
}

template <int kDModel, int kDInner, int kDState, bool kTiedDecay, bool kEmaRule>
struct FusedShape {
    static constexpr int model = kDModel, inner = kDInner, state = kDState, conv = 4;
    static constexpr bool tied = kTiedDecay;
    static constexpr reference::InputRule rule = kEmaRule ? reference::InputRule::ema : reference::InputRule::euler;
    static constexpr int lanes = power_of_two_from(kDInner);
    static constexpr int decays = kTiedDecay ? 1 : kDState;
    static constexpr int rows = (2 * kDState + lanes - 1) / lanes;    ///< outputs of x_proj (B, C) per lane
    static constexpr int model_lanes = power_of_two_from(kDModel);
    static constexpr int parts = lanes / model_lanes;                 ///< lanes that share one output of out_proj
    static constexpr int part = (kDInner + parts - 1) / parts;        ///< channels each of them adds up
    static_assert(kDModel % 4 == 0 && kDInner % 4 == 0 && part % 4 == 0 && kDState % 4 == 0 && kDModel <= lanes && lanes <= 32);

    // Places of a lane's weights, in units of `lanes` floats.
    static constexpr int norm = 0, shift = 1, in_x = 2, in_z = in_x + model, in_x_bias = in_z + model,
                         in_z_bias = in_x_bias + 1, conv_weight = in_z_bias + 1, conv_bias = conv_weight + conv,
                         proj = conv_bias + 1, proj_bias = proj + rows * inner, dt_row = proj_bias + rows,
                         dt_row_bias = dt_row + 1, dt_scale = dt_row_bias + 1, dt_bias = dt_scale + 1, rate = dt_bias + 1,
                         skip = rate + decays, out = skip + 1, out_bias = out + part, weights = out_bias + 1;

    static constexpr int tile_steps = 4;
    static constexpr int row_floats = tile_steps * (kDState + 2);
    static constexpr int scales_at = tile_steps * kDState, dt_rows_at = scales_at + tile_steps;  ///< in a row
};

/// Floats of a group's tile of shared memory: so many that neighbouring groups of a warp meet in other banks.
template <class Shape>
constexpr int padded_tile(int floats) {
    while (Shape::lanes < 32 && floats % 32 != Shape::lanes) ++floats;
    return floats;
}

/// Everything but the chunk's number.
struct FusedLayer {
    const float* weights;      ///< [Shape::weights][lanes], as pack_fused_layer() leaves them
    const float* e_in;
    float* e_out;              ///< phase 3 writes it
    const float* history_in;   ///< before the first sample
    float* history_out;        ///< behind the last one; phase 1 writes it
    float* states;             ///< end states from zero (phase 1 writes them), start states (phase 3 reads them)
    float* dt_sum;             ///< phase 1 writes it
    float *y, *rows;           ///< from phase 1 to phase 3
    std::int64_t length;
    int chunk;

};

/// A chunk; behind the end of the signal it has no samples.
struct FusedSpan {
    std::int64_t chunk, begin;
    int samples;
    SERPENT_HD FusedSpan(const FusedLayer& layer, std::int64_t k) : chunk(k), begin(k * layer.chunk) {
        const std::int64_t left = layer.length - begin;
        samples = left >= layer.chunk ? layer.chunk : left > 0 ? static_cast<int>(left) : 0;
    }
};

/// sum + weights . values, four at a time.
template <int kCount>
SERPENT_HD inline float dot(const float* weights, const float* values, float sum) {
    SERPENT_UNROLL
    for (int i = 0; i < kCount; i += 4) {
        const Float4 v = load4(values + i);
        SERPENT_UNROLL
        for (int k = 0; k < 4; ++k) sum = fused(weights[i + k], v.v[k], sum);
    }
    return sum;
}

template <int kCount>
SERPENT_HD inline void load_weights(float (&to)[kCount], const float* from, int lanes) {
    SERPENT_UNROLL
    for (int i = 0; i < kCount; ++i) to[i] = from[i * lanes];
}

} // namespace serpent::kernels::device
