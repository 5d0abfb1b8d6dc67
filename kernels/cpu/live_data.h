// SPDX-License-Identifier: MIT
// What live.cpp packs and live_ops.cpp runs: the weights, state and working memory of one LiveEngine.
//
// A row holds one value per channel of a layer, for all instances of the engine, the instances' values of one channel side
// by side (live_place), so that a single load spreads them over a vector. Rows are padded with zeros to whole vectors
// ("stride" below); zero weights keep padded lanes at x = 0 and h = 0. All pointers are into one allocation, aligned to 64
// bytes.
#pragma once

#include "reference/output_bound.h"
#include "serpent/kernels/isa.h"
#include "serpent/kernels/live.h"

#include <cstddef>

namespace serpent::kernels {

/// y = W u + b: one row of outputs per input, [in][out_stride].
struct LiveLinear {
    std::size_t in = 0, out_stride = 0;
    float *weight = nullptr, *bias = nullptr;
};

/// norm and FiLM, folded into what follows them: in_proj . (n gain + shift) + b = in_proj . (n gain) + bias.
struct LiveFilm {
    float* gain = nullptr;  // [model_stride]: norm weight times FiLM scale
    float* bias = nullptr;  // [2 inner_stride]: in_proj . shift + b
};

struct LiveLayer {
    LiveLinear in_proj;                                  // to x, z; its bias is that of `to`
    LiveLinear B_C, out_proj;                            // B_C: x_proj's rows for B and C
    float *dt_low = nullptr, *dt_proj = nullptr;         // [dt_rank][inner_stride]: x_proj's rows for dt; dt_proj
    float* dt_bias = nullptr;                            // [inner_stride], with what x_proj's bias adds to dt
    float *conv_weight = nullptr, *conv_bias = nullptr;  // [d_conv][inner_stride], oldest tap first
    float *A = nullptr, *D = nullptr;                    // [decays][inner_stride], A log2(e), negative; [inner_stride]
    LiveFilm from, to;                                   // ends of the running ramp
    float* window = nullptr;                             // [d_conv - 1 + live_window][inner_stride]: inputs of the convolution
    float *h = nullptr, *h_low = nullptr;                // [d_state][inner_stride]; what rounding left out of h
};

/// One row per sample of a sub-block.
struct LiveScratch {
    float* input = nullptr;   // [instances channels]
    float* e = nullptr;       // [model_stride]: residual stream
    float* u = nullptr;       // [model_stride]: e times the norm's gain; shares dt's memory
    float* z = nullptr;       // [inner_stride]
    float* x = nullptr;       // [inner_stride]
    float* B_C = nullptr;     // [B_C.out_stride]
    float* dt = nullptr;      // [inner_stride]
    float* y = nullptr;       // [inner_stride]; shares z's memory
    float* scale = nullptr;   // [instances]: 1 / rms(e)
    float* ramp = nullptr;    // one value per sample: 0 at the start of a FiLM ramp, 1 at its end
};

/// Rows of LiveLayer::window beyond the history: the history moves back to the start only when they are used up.
inline constexpr std::size_t live_window = 2 * live_block;

/// The sizes of a model whose blocks are all alike.
struct LiveConfig {
    int channels = 1, d_model = 0, d_inner = 0, d_state = 0, d_conv = 0, dt_rank = 0, n_layers = 0;
    bool tied = false, ema = false;
    float output_peak = 0.0f;
};

struct LiveData {
    LiveConfig config;
    std::size_t instances = 1, lanes = 1;
    std::size_t model_stride = 0, inner_stride = 0;
    LiveLinear encoder;                   // rows of model_stride
    float* decoder = nullptr;             // [channels][model_stride], times norm_f
    float* decoder_bias = nullptr;        // [channels]
    float* skip = nullptr;                // [channels]: 0 where there is none
    bool final_norm = false;
    reference::OutputBound<float> output_bound;
    LiveLayer* layers = nullptr;
    std::size_t window_at = 0;            // row of LiveLayer::window where the history starts, in all layers
    int ramp_done = 0, ramp_samples = 0;  // FiLM is moving while ramp_done < ramp_samples
    LiveScratch scratch;
};

/// Where channel i of an instance lies in a row.
inline std::size_t live_place(const LiveData& data, std::size_t i, std::size_t instance) {
    return i * data.instances + instance;
}

/// 0 in every field: any model.
struct LiveShape {
    std::size_t d_model, d_inner, d_state, decays;
};

struct LiveOps {
    Isa isa;
    std::size_t lanes, instances;
    LiveShape shape;
    /// Returns one bit per instance: set if its output was not finite.
    unsigned (*process)(LiveData&, const float* const* in, float* const* out, std::size_t first, std::size_t n);
};

struct LiveOpsList {
    const LiveOps* begin;
    std::size_t count;
};

/// From the most to the least special.
LiveOpsList live_ops_list(Isa isa);

} // namespace serpent::kernels
