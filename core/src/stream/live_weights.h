// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/kernels/live.h"
#include "serpent/model.h"

namespace serpent {

kernels::LiveConfig live_config(const ModelConfig& config);

/// Views of the model's tensors; they live as long as `weights` does.
kernels::LiveWeights live_weights(const Weights& weights);

} // namespace serpent
