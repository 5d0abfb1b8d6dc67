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

#include "device/math.h"
#include "reference/scan_step.h"

namespace serpent::kernels::device {

/// The state behind kSteps samples that begin in state h, and y[i] + C[i] h_i in y. rate: A log2(e); dt_x[i] = dt[i] x[i];
/// dt_total: the sum of dt. A sample with dt = 0 leaves the state as it is.
template <int kSteps>
SERPENT_HD inline float scan_tile(float h, float rate, const float (&dt)[kSteps], const float (&dt_x)[kSteps], float dt_total,
                                  const float (&B)[kSteps], const float (&C)[kSteps], float (&y)[kSteps]) {
    float inside = h, from_zero = 0.0f;
    SERPENT_UNROLL
    for (int i = 0; i < kSteps; ++i) {
        const float a = exp2_fast(dt[i] * rate), b = dt_x[i] * B[i];
        inside = fused(a, inside, b);
        from_zero = i == 0 ? b : fused(a, from_zero, b);
        y[i] = fused(C[i], inside, y[i]);
    }
    return reference::join_chunks(h, decay(dt_total * rate), from_zero);
}

} // namespace serpent::kernels::device
