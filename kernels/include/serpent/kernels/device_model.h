// SPDX-License-Identifier: MIT
// How a model is described to a device: its widths, and where in one flat vector of floats each tensor begins. Parameters,
// gradients and the optimiser's moments all have that layout.
#pragma once

#include "serpent/kernels/block.h"

#include <cstddef>
#include <vector>

namespace serpent::kernels {

struct DeviceShape {
    int channels, d_model, d_inner, d_state, d_conv, dt_rank, n_layers, n_controls;
    bool tied;  ///< A_log is (d_inner), else (d_inner, d_state)
    bool ema;   ///< else euler
};

/// Places in the flat vector, in floats; -1 for a tensor that the model has not.
struct DeviceModelLayout {
    DeviceShape shape;
    std::vector<BlockFields<int>> layers;
    EndFields<int> model;
    std::size_t parameters;  ///< floats in all
};

} // namespace serpent::kernels
