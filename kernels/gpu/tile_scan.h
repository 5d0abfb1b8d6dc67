// SPDX-License-Identifier: MIT
// A few samples of the euler scan of one state at a time.
//
// decay() is exact where exp(dt A) - 1 is tiny, because a slow state is multiplied by it thousands of times. Within a few
// samples nothing is: there exp(dt A) itself, from the hardware, is good enough, and costs a third. So the outputs follow from the
// state at the tile's start by those cheap decays, their rounding is forgotten at its end, and the state behind the tile follows from
// the one at its start as between chunks: by one exact decay over the whole tile, plus what the tile adds from zero.
//
// The ema rule has no such form: its input is weighted by 1 - exp(dt A), which must be exact at every sample.
// Source    docs/architecture.md, "GPU"
#pragma once

#include "equations/scan_step.h"
#include "gpu/math.h"

namespace serpent::kernels::gpu {

/// kSteps samples within a tile: `inside` from the state at the tile's start, `from_zero` from zero (kFirst: which it is now), and
/// y[i] + C[i] h_i in y. rate: A log2(e); dt_x[i] = dt[i] x[i]. A sample with dt = 0 leaves the state as it is.
template <int kSteps, bool kFirst>
SERPENT_HD inline void scan_within_tile(float& inside, float& from_zero, float rate, const float* dt, const float* dt_x,
                                        const float (&B)[kSteps], const float (&C)[kSteps], float* y) {
    SERPENT_UNROLL
    for (int i = 0; i < kSteps; ++i) {
        const float a = exp2_fast(dt[i] * rate), b = dt_x[i] * B[i];
        inside = fused(a, inside, b);
        from_zero = kFirst && i == 0 ? b : fused(a, from_zero, b);
        y[i] = fused(C[i], inside, y[i]);
    }
}

/// The state behind a tile that begins in state h. dt_total: the sum of dt.
SERPENT_HD inline float behind_tile(float h, float rate, float dt_total, float from_zero) {
    return equations::join_chunks(h, decay(dt_total * rate), from_zero);
}

/// Both, for a whole tile.
template <int kSteps>
SERPENT_HD inline float scan_tile(float h, float rate, const float (&dt)[kSteps], const float (&dt_x)[kSteps], float dt_total,
                                  const float (&B)[kSteps], const float (&C)[kSteps], float (&y)[kSteps]) {
    float inside = h, from_zero;
    scan_within_tile<kSteps, true>(inside, from_zero, rate, dt, dt_x, B, C, y);
    return behind_tile(h, rate, dt_total, from_zero);
}

} // namespace serpent::kernels::gpu
