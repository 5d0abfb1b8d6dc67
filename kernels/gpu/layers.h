// SPDX-License-Identifier: MIT
// A model's blocks as the device algorithms see them. Kinds, states, taps and dilations may differ from layer to layer; d_model and
// d_inner may not. Every layer has its place in the state, in the rates A log2(e) of all decays and in the turns of all pairs.
#pragma once

#include "equations/rotating_scan.h"
#include "gpu/math.h"
#include "serpent/kernels/device_model.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace serpent::kernels::gpu {

using Turn = equations::Turn<float>;

struct Layer {
    BlockShape block;
    BlockFields<int> at;       ///< places of its tensors
    int history, h;            ///< of its state
    int rates, turns;          ///< of its constants
};

/// A whole model: sums and widest of its layers.
struct Shape {
    int channels, d_model, d_inner, n_layers, n_controls;
    int fir_in, fir_out;                         ///< taps
    int history_floats, h_floats, rates, turns;  ///< of all layers
    int columns, x_proj_rows, dt_rank, d_conv;   ///< of the widest layer; columns: d_inner d_state

    SERPENT_HD int fir_in_history() const { return fir_in > 0 ? channels * (fir_in - 1) : 0; }
    SERPENT_HD int fir_out_history() const { return fir_out > 0 ? channels * (fir_out - 1) : 0; }
};

/// Host only. `places`: of every layer's tensors.
inline std::vector<Layer> layers_of(const ModelShape& model, const std::vector<BlockFields<int>>& places) {
    std::vector<Layer> layers;
    int history = 0, h = 0, rates = 0, turns = 0;
    for (std::size_t l = 0; l < model.blocks.size(); ++l) {
        const BlockShape& b = model.blocks[l];
        if (b.d_model != model.d_model() || b.d_inner != model.d_inner())
            throw std::invalid_argument("all blocks of a model on a device must have the same d_model and d_inner");
        layers.push_back({b, places[l], history, h, rates, turns});
        history += b.conv_floats();
        h += b.h_floats();
        rates += b.d_inner * b.decays();
        if (b.kind != BlockKind::selective) turns += b.d_inner * b.pairs();
    }
    return layers;
}

inline Shape shape_of(const ModelShape& model, int n_controls) {
    Shape s{};
    s.channels = model.channels, s.d_model = model.d_model(), s.d_inner = model.d_inner();
    s.n_layers = static_cast<int>(model.blocks.size()), s.n_controls = n_controls;
    s.fir_in = model.fir_in, s.fir_out = model.fir_out;
    s.dt_rank = 1;
    for (const BlockShape& b : model.blocks) {
        s.history_floats += b.conv_floats();
        s.h_floats += b.h_floats();
        s.rates += b.d_inner * b.decays();
        if (b.kind != BlockKind::selective) s.turns += b.d_inner * b.pairs();
        s.columns = std::max(s.columns, b.h_floats());
        s.d_conv = std::max(s.d_conv, b.d_conv);
        if (b.kind == BlockKind::time_invariant) continue;
        s.x_proj_rows = std::max(s.x_proj_rows, b.x_proj_rows());
        s.dt_rank = std::max(s.dt_rank, b.dt_rank);
    }
    return s;
}

/// What a model's parameters come to, layer after layer: A log2(e) of every decay, the turns of every pair over one sample and over a
/// chunk of a scan.
template <class F, class T>
struct ConstantsOf {
    F* rates;
    T *turns, *chunk_turns;
};
using Constants = ConstantsOf<const float, const Turn>;

/// By a team; anew whenever the parameters change.
template <class Team>
SERPENT_HD void layer_constants(const Team& team, int n_layers, const Layer* layers, const float* parameters, int chunk,
                                const ConstantsOf<float, Turn>& to) {
    const int rank = static_cast<int>(team.rank()), size = static_cast<int>(team.size());
    for (int l = 0; l < n_layers; ++l) {
        const Layer& layer = layers[l];
        const BlockShape& b = layer.block;
        for (int i = rank; i < b.d_inner * b.decays(); i += size) to.rates[layer.rates + i] = -std::exp(parameters[layer.at.A_log + i]) * log2_e;
        if (b.kind == BlockKind::selective) continue;
        for (int i = rank; i < b.d_inner * b.pairs(); i += size) {
            const double angle = static_cast<double>(parameters[layer.at.A_imag + i]);
            to.turns[layer.turns + i] = Turn::of(angle);
            to.chunk_turns[layer.turns + i] = Turn::of(chunk * angle);
        }
    }
}

} // namespace serpent::kernels::gpu
