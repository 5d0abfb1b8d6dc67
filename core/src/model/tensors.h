// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/model.h"

#include <string>
#include <vector>

namespace serpent {

/// Appends the tensors of one layer, named "{prefix}norm.weight" and so on, to `list`.
void add_layer(const ModelConfig& config, const std::string& prefix, LayerWeights& w, std::vector<TensorRef>& list);

} // namespace serpent
