// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/model.h"

#include <string>
#include <vector>

namespace serpent {

/// Appends the tensors of one block, named "{prefix}norm.weight" and so on, to `list`.
void add_layer(const kernels::BlockShape& shape, const std::string& prefix, LayerWeights& weights, std::vector<TensorRef>& list);

/// What engines are told of a model. The pointers are into `weights`.
kernels::ModelShape model_shape(const ModelConfig& config);
kernels::WeightPointers weight_pointers(const Weights& weights);

} // namespace serpent
