// SPDX-License-Identifier: MIT
#pragma once

#include "model/safetensors.h"
#include "serpent/generator_model.h"
#include "serpent/model.h"

#include <string>
#include <vector>

namespace serpent {

/// What tensors() says of one, and where its weights say where it is.
struct TensorPlace {
    std::string name;
    std::vector<std::size_t> shape;
    Tensor* at;
    bool optional = false;
    kernels::DecayClass decay_class = kernels::DecayClass::none;
    kernels::Transform transform = kernels::Transform::none;

    TensorRef ref() const { return {name, shape, *at, optional, decay_class, transform}; }
};

/// The places of all tensors, in file order; resizes the lists of layers (tiers, conditions), nothing else.
std::vector<TensorPlace> tensor_places(const ModelConfig& config, ModelTensors& weights);
std::vector<TensorPlace> tensor_places(const GeneratorConfig& config, GeneratorTensors& weights);

/// Appends those of one block, named "{prefix}norm.weight" and so on, to `list`.
void add_layer(const kernels::BlockShape& shape, const std::string& prefix, LayerWeights& weights, std::vector<TensorPlace>& list);

/// Moves the tensors that `config` calls for out of `found`, but not those of `own` (none: null), which are made with zeros. Throws
/// Error naming one that is missing (unless optional), has another shape or holds a value that is not finite. Memory is only taken for
/// what the file holds.
void take_tensors(const ModelConfig& config, TensorMap& found, Weights& weights, const TensorChoice& own = {});
void take_tensors(const GeneratorConfig& config, TensorMap& found, GeneratorWeights& weights);

/// What engines are told of a model. The pointers are into `weights`.
kernels::ModelShape model_shape(const ModelConfig& config);
kernels::WeightPointers weight_pointers(const Weights& weights);

} // namespace serpent
