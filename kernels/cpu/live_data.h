// SPDX-License-Identifier: MIT
// What live.cpp packs and live_ops.cpp runs: the weights, state and working memory of one LiveEngine.
//
// A row holds one value per channel of a layer, for all instances of the engine, the instances' values of one channel side
// by side (live_place), so that a single load spreads them over a vector. Rows are padded with zeros to whole vectors
// ("stride" below); zero weights keep padded lanes at x = 0 and h = 0. All pointers are into one allocation, aligned to 64
// bytes.
#pragma once

#include "equations/output_bound.h"
#include "serpent/kernels/fir.h"
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

/// Of a convolution: the column of its weight, and the row of the history, from the oldest, that it multiplies.
struct LiveTap {
    std::size_t column = 0, row = 0;
};

struct LiveLayer {
    LiveLinear in_proj;                                  // to x, z; its bias is that of `to`
    LiveLinear B_C, out_proj;                            // B_C: x_proj's rows for B and C
    float *dt_low = nullptr, *dt_proj = nullptr;         // [dt_rank][inner_stride]: x_proj's rows for dt; dt_proj
    float* dt_bias = nullptr;                            // [inner_stride], with what x_proj's bias adds to dt
    float *conv_weight = nullptr, *conv_bias = nullptr;  // [taps][inner_stride], oldest tap first
    float *A = nullptr, *D = nullptr;                    // [decays][inner_stride], A log2(e), negative; [inner_stride]
    float* pair_constants = nullptr;                     // [pairs][turn_rows or oscillator_rows][inner_stride]
    LiveFilm from, to;                                   // ends of the running ramp
    float* window = nullptr;                             // [history + spare][inner_stride]: inputs of the convolution
    float *h = nullptr, *h_low = nullptr;                // [d_state][inner_stride]; what rounding left out of h
    BlockKind kind = BlockKind::selective;
    bool dense = true;                                   // a tap for every row of the history
    float step_ratio = 1.0f;
    std::size_t d_conv = 0, taps = 0, history = 0;       // columns; those whose weights are not all 0; rows
    std::size_t spare = 0, window_at = 0;                // rows beyond the history; row where the history starts now
    const LiveTap* tap = nullptr;                        // [taps], oldest first
};

/// Rows of LiveLayer::pair_constants. Rotating: cos w - 1, sin w, what their rounding left out, cos w. Time-invariant: q, what its
/// rounding left out, b, C (2 parts each, b one).
inline constexpr std::size_t turn_rows = 5, oscillator_rows = 7;

/// A filter at an end of the model, and the running signals that it filters: one for every channel of every instance.
struct LiveFilter {
    std::size_t taps = 0, padded = 0;  // 0: no filter
    std::size_t at = 0, stride = 0;    // where the past starts in every signal; floats of a signal
    float* packed = nullptr;           // [channels][padded], as kernels/fir.h
    float* signal = nullptr;           // [instances channels][stride]: padded - 1 past samples and those that come
    void (*filter)(std::size_t padded, const float* packed, const float* x, float* y, std::size_t n) = nullptr;
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

/// Least rows of a window beyond its history: the history moves back to the start only when they are used up. A long history gets
/// as many as it has itself, so that moving costs a copy of one row per sample at most.
inline constexpr std::size_t live_window = 2 * live_block;
constexpr std::size_t live_spare(std::size_t history) { return history > live_window ? history : live_window; }

/// The sizes of a model whose blocks differ in kind and convolution only.
struct LiveConfig {
    int channels = 1, d_model = 0, d_inner = 0, d_state = 0, dt_rank = 0, n_layers = 0;
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
    equations::OutputBound<float> output_bound;
    LiveLayer* layers = nullptr;
    LiveFilter fir_in, fir_out;
    int ramp_done = 0, ramp_samples = 0;  // FiLM is moving while ramp_done < ramp_samples
    LiveScratch scratch;
};

/// Where channel i of an instance lies in a row.
inline std::size_t live_place(const LiveData& data, std::size_t i, std::size_t instance) {
    return i * data.instances + instance;
}

/// Places the arrays of `data` in memory (null: nowhere) and returns how many floats they take.
std::size_t lay_out_live(LiveData& data, float* memory);
/// The weights into their places.
void pack_live(LiveData& data, const WeightPointers& weights);
/// FiLM that a layer is to reach. scale and shift null: 1 and 0.
void set_live_film(const LiveData& data, LiveLayer& layer, const float* norm, const float* scale, const float* shift);

/// Floats of a row of `width` channels.
inline std::size_t row_stride(const LiveData& data, std::size_t width) {
    return (width * data.instances + data.lanes - 1) / data.lanes * data.lanes;
}

/// 0 in every field: any model. decays of a selective block; a pair's share one where 1.
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
