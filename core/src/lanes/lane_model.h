// SPDX-License-Identifier: MIT
// The model over 16 lanes: forward in sub-blocks, layer by layer. The trainer and the renderer are both built on it.
// Arrays are [steps][channels][16] as in serpent/kernels/lanes.h.
#pragma once

#include "lanes/lane_buffer.h"
#include "serpent/model.h"

namespace serpent::lanes {

/// State of 16 sequences: State's arrays with a lane dimension behind.
struct LaneState {
    LaneBuffer conv;  ///< layer after layer, [history of the layer][d_inner][16]
    LaneBuffer h;     ///< [n_layers][d_inner][d_state][16]; what rounding leaves out of it (State::h_low) is not kept
    LaneBuffer fir_in, fir_out;  ///< [taps - 1][channels][16], oldest sample first

    std::size_t state_channels;  ///< of the model

    explicit LaneState(const ModelConfig& config);
    void set_lane(int lane, const State& state);
    State lane(int lane, const ModelConfig& config) const;
};

/// FiLM of 16 sequences: [n_layers][d_model][16] each; empty without controls.
struct LaneFilm {
    LaneBuffer scale, shift;
    void set_lane(int lane, const Film& film);
};

/// The inputs of every layer's convolution over up to `longest` steps, [history + steps][d_inner][16] a layer: a long history is
/// copied once a segment, not once a sub-block.
class ConvRows {
public:
    ConvRows(const ModelConfig& config, int longest);
    /// The rows in front, from LaneState::conv.
    void begin(const LaneBuffer& conv);
    /// The last rows of a segment, to LaneState::conv.
    void end(int steps, LaneBuffer& conv) const;
    void clear();
    /// The history of `step`, which begins history() rows before it.
    float* at(int layer, int step) { return rows_[static_cast<std::size_t>(layer)].data() + lane_floats(static_cast<std::size_t>(step) * width_); }

private:
    std::size_t width_;
    std::vector<std::size_t> history_floats_;  // of every layer
    std::vector<LaneBuffer> rows_;
};

/// What a layer leaves behind for the rest of its work. Rows [0, steps) of x, z, dbc, dt hold for `capacity` steps;
/// u, inverse_rms and conv_out only for the last sub-block of at most `sub_steps`.
struct LaneActivations {
    int capacity, sub_steps;
    LaneBuffer u, inverse_rms, conv_out;  // d_model, 1, d_inner
    LaneBuffer x, z, dbc, dt;             // d_inner, d_inner, dt_rank + 2 d_state, d_inner
    LaneBuffer y, gated;                  // d_inner, for one sub-block
    LaneBuffer h_series, q_series;        // for one sub-block, where `keep` is series
    LaneBuffer q;                         // for `capacity` steps, where `keep` is decays: layer_carry() leaves
                                          // its decays to layer_outputs()
    enum class Keep { nothing, series, decays };

    LaneActivations(const ModelConfig& config, int capacity, int sub_steps, Keep keep);
};

class LaneModel {
public:
    /// Keeps references: both must outlive it. Call weights_changed() after every change of the weights.
    LaneModel(const ModelConfig& config, const ModelTensors& weights, const kernels::LaneOps& ops);
    void weights_changed();

    /// e = encoder . in + bias.
    void encode(int steps, const float* in, float* e) const;
    /// Norm to dt of layer `l` (steps <= capacity): reads e; `conv` ([history + steps][d_inner][16]) begins with the convolution's
    /// history and gets its inputs behind it.
    void layer_inputs(int l, int steps, const float* e, const LaneFilm& film, float* conv, LaneActivations& a) const;
    /// Inputs of layer `l`'s convolution ([steps][d_inner]): what its history will hold later.
    void conv_inputs(int l, int steps, const float* e, const LaneFilm& film, LaneActivations& a, float* rows) const;
    /// Phase 1 of the time-parallel scan: end state from h and h_low, and q over all steps ([decays of d_inner][16]; time-invariant
    /// layers: not written).
    void layer_carry(int l, int steps, float* h, float* h_low, float* q_sum, LaneActivations& a) const;
    /// Scan, gate, out_proj: adds the block's output to e, advances h. Steps [0, steps) of the activations. h_low null: not kept.
    void layer_outputs(int l, int steps, float* e, float* h, float* h_low, LaneActivations& a) const;
    /// The scan alone, of steps [first, first + steps): y and, where kept, the series.
    void scan(int l, int first, int steps, float* h, float* h_low, LaneActivations& a) const;
    /// out = decoder . norm_f(e) + bias + skip . in; u and inverse_rms are scratch ([steps][d_model], [steps]).
    void decode(int steps, const float* in, const float* e, float* u, float* inverse_rms, float* out) const;

    /// The same for any steps <= capacity, with the activations' scratch.
    void decode_blocks(int steps, const float* in, const float* e, LaneActivations& a, float* out) const;

    const ModelConfig& config() const noexcept { return config_; }
    const ModelTensors& weights() const noexcept { return weights_; }
    const kernels::LaneOps& ops() const noexcept { return ops_; }
    const kernels::BlockShape& block(int l) const noexcept { return blocks_[static_cast<std::size_t>(l)]; }
    const std::vector<kernels::BlockShape>& blocks() const noexcept { return blocks_; }

    kernels::LaneScanShape scan_shape(int l, int steps) const;
    kernels::LaneScanInputs scan_inputs(int l, const LaneActivations& a, int first_step) const;
    kernels::LaneRotationShape rotation_shape(int l, int steps) const;
    kernels::LaneRotationInputs rotation_inputs(int l, const LaneActivations& a, int first_step) const;
    kernels::LaneOscillatorShape oscillator_shape(int l, int steps) const;
    kernels::LaneOscillators oscillators(int l) const;
    int dbc_width() const noexcept { return config_.dt_rank + 2 * config_.d_state; }
    std::size_t h_floats() const;  ///< of one layer

private:
    /// What a layer's weights come to: A; the turns of rotating layers (re, im); q and b of time-invariant ones (re, im, gain).
    struct Constants {
        std::vector<float> A, re, im, gain;
    };

    void norm(int l, int steps, const float* e, const LaneFilm& film, LaneActivations& a) const;

    const ModelConfig& config_;
    const ModelTensors& weights_;
    const kernels::LaneOps& ops_;
    std::vector<kernels::BlockShape> blocks_;
    std::vector<Constants> constants_;  // of every layer
};

/// Plain row-major weights: stride of an output row is `in`.
inline kernels::LaneLinearShape linear_shape(int steps, int in, int out, int x_stride, int y_stride) {
    return {steps, in, out, in, 1, x_stride, y_stride};
}
/// The same weights transposed: from `out` gradients to `in` gradients.
inline kernels::LaneLinearShape transposed_shape(int steps, int in, int out, int dy_stride, int dx_stride) {
    return {steps, out, in, 1, in, dy_stride, dx_stride};
}

} // namespace serpent::lanes
