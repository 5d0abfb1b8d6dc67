// SPDX-License-Identifier: MIT
// How a model is described to a device: its blocks, and where in one flat vector of floats each tensor begins. Parameters,
// gradients and the optimiser's moments all have that layout.
#pragma once

#include "serpent/kernels/block.h"

#include <cstddef>
#include <vector>

namespace serpent::kernels {

/// Places are in the flat vector, in floats; -1 for a tensor that the model has not.
struct DeviceModelLayout {
    ModelShape shape;
    int n_controls = 0;
    std::vector<BlockFields<int>> layers;
    EndFields<int> model;
    std::size_t parameters = 0;  ///< floats in all
};

/// A running state (core's State) as it goes to a device and comes back. The filters' may be null where the model has none.
template <class T>
struct StatePointers {
    T* conv = nullptr;     ///< layer after layer [history of the layer][d_inner], oldest sample first
    T* h = nullptr;        ///< layer after layer [d_inner][d_state]
    T* fir_in = nullptr;   ///< [channels][taps - 1], oldest sample first
    T* fir_out = nullptr;
};

} // namespace serpent::kernels
