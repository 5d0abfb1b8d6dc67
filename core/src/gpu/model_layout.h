// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/kernels/device_model.h"
#include "serpent/model.h"

namespace serpent {

/// Where a device finds the tensors in a copy of `weights.values`.
kernels::DeviceModelLayout device_layout(const ModelConfig& config, const Weights& weights);

} // namespace serpent
