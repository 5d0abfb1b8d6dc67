// SPDX-License-Identifier: MIT
// What live.cpp packs and live_ops.cpp runs: the weights, state and working memory of one LiveEngine.
//
// Every width is padded with zeros to a multiple of the lane count ("stride" below). Zero weights keep padded lanes at
// x = 0 and h = 0. All pointers are into one allocation, aligned to 64 bytes.
#pragma once

#include "serpent/kernels/isa.h"
#include "serpent/kernels/live.h"

#include <cstddef>

namespace serpent::kernels {

/// y = W u + b, stored as [in][out_stride].
struct LiveLinear {
    std::size_t in = 0, out_stride = 0;
    float *weight = nullptr, *bias = nullptr;
};

struct LiveFilm {
    float *gain = nullptr, *shift = nullptr;  // [model_stride]; gain: norm weight times FiLM scale
};

struct LiveLayer {
    LiveLinear in_proj, x_proj, dt_proj, out_proj;
    float *conv_weight = nullptr, *conv_bias = nullptr;  // [d_conv][inner_stride], oldest tap first
    float *A = nullptr, *D = nullptr;                    // [decays][inner_stride], negative; [inner_stride]
    float* norm = nullptr;                               // [model_stride]
    LiveFilm from, to;                                   // ends of the running ramp
    float* history = nullptr;                            // [d_conv - 1][inner_stride], oldest first
    float* h = nullptr;                                  // [d_state][inner_stride]
};

/// One row per sample of a sub-block.
struct LiveScratch {
    float* input = nullptr;   // [channels]
    float* e = nullptr;       // [model_stride]: residual stream
    float* u = nullptr;       // [model_stride]: normed
    float* xz = nullptr;      // [2 inner_stride]: x before the convolution, z; d_conv - 1 rows of history come first
    float* x = nullptr;       // [inner_stride]
    float* dt_B_C = nullptr;  // [x_proj.out_stride]
    float* dt = nullptr;      // [inner_stride]
    float* y = nullptr;       // [inner_stride]
    float* output = nullptr;  // [decoder.out_stride]
    float* row = nullptr;     // one value per sample
    float* ramp = nullptr;    // one value per sample: 0 at the start of a FiLM ramp, 1 at its end
};

struct LiveData {
    LiveConfig config;
    std::size_t model_stride = 0, inner_stride = 0;
    LiveLinear encoder, decoder;
    LiveLayer* layers = nullptr;
    float *norm_f = nullptr, *zero = nullptr;  // [model_stride]; norm_f null: no final norm
    float* skip = nullptr;                     // [channels], null: none
    int ramp_done = 0, ramp_samples = 0;       // FiLM is moving while ramp_done < ramp_samples
    LiveScratch scratch;
};

struct LiveOps {
    Isa isa;
    std::size_t lanes;
    bool (*process)(LiveData&, const float* const* in, float* const* out, std::size_t first, std::size_t n);
};

/// `narrow`: at most 8 lanes, for models whose widths would leave wider vectors half empty.
const LiveOps& live_ops_for(Isa isa, bool narrow);

} // namespace serpent::kernels
