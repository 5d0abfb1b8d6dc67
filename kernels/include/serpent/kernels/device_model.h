// SPDX-License-Identifier: MIT
// How a model is described to a device: its widths, and where in one flat vector of floats each tensor begins. Parameters,
// gradients and the optimiser's moments all have that layout.
#pragma once

#include <cstddef>
#include <vector>

namespace serpent::kernels {

struct DeviceShape {
    int channels, d_model, d_inner, d_state, d_conv, dt_rank, n_layers, n_controls;
    bool tied;  ///< A_log is (d_inner), else (d_inner, d_state)
    bool ema;   ///< else euler
};

/// One value for each tensor of a layer, and of the rest of a model. Tensors are row-major in PyTorch's shapes, as in live.h.
template <class T>
struct LayerFields {
    T norm, in_proj, in_proj_bias, conv_weight, conv_bias, x_proj, x_proj_bias, dt_proj, dt_proj_bias, A_log, D, out_proj,
        out_proj_bias, film_weight, film_bias;
};
template <class T>
struct ModelFields {
    T encoder_weight, encoder_bias, norm_f, decoder_weight, decoder_bias, skip, film_hidden_weight, film_hidden_bias;
};

/// Places in the flat vector, in floats; -1 for a tensor that the model has not.
struct DeviceModelLayout {
    DeviceShape shape;
    std::vector<LayerFields<int>> layers;
    ModelFields<int> model;
    std::size_t parameters;  ///< floats in all
};

} // namespace serpent::kernels
