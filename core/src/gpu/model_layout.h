// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/kernels/device_model.h"
#include "serpent/model.h"

namespace serpent {

/// Where a device finds the tensors of `weights` when they lie one after the other in the order of tensors().
kernels::DeviceModelLayout device_layout(const ModelConfig& config, Weights& weights);

std::vector<float> flat_parameters(const ModelConfig& config, Weights& weights);
/// values: as many floats as the model has parameters.
void set_flat_parameters(const ModelConfig& config, const float* values, Weights& weights);

} // namespace serpent
