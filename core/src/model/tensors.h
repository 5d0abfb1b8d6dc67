// SPDX-License-Identifier: MIT
#pragma once

#include "model/safetensors.h"
#include "serpent/generator_model.h"
#include "serpent/model.h"

#include <string>
#include <utility>
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
};

/// The places of all tensors, in file order; resizes the lists of layers (tiers, conditions), nothing else.
std::vector<TensorPlace> tensor_places(const ModelConfig& config, ModelTensors& weights);
std::vector<TensorPlace> tensor_places(const GeneratorConfig& config, GeneratorTensors& weights);

/// Appends those of one block, named "{prefix}norm.weight" and so on, to `list`.
void add_layer(const kernels::BlockShape& shape, const std::string& prefix, LayerWeights& weights, std::vector<TensorPlace>& list);

std::vector<TensorRef> refs(const std::vector<TensorPlace>& places);
/// The arena of lay_out(): sets the places `to`, and keeps what fits of `from`, the same tensors as they were.
std::vector<float> place_all(const std::vector<TensorRef>& from, const std::vector<TensorPlace>& to, const TensorChoice& has);

/// lay_out() of a Model or GeneratorModel.
template <class Config, class Weights>
void lay_out_weights(const Config& config, Weights& weights, const TensorChoice& has) {
    Weights before = std::exchange(weights, {});
    weights.values = place_all(refs(tensor_places(config, before)), tensor_places(config, weights), has);
}

/// Throws Error naming the tensor when it is missing (unless optional) or has another shape.
void check_found(const TensorPlace& wanted, const TensorMap& found);

/// Moves the tensors that `config` calls for out of `found`, but not those of `own` (none: null), which are made with zeros. Throws
/// Error naming one that is missing, has another shape or holds a value that is not finite. Memory is only taken for what `found` holds.
template <class Config, class Weights>
void take_tensors(const Config& config, TensorMap& found, Weights& weights, const TensorChoice& own = {}) {
    const auto from_file = [&](const TensorRef& t) { return !own || !own(t); };
    for (const TensorPlace& t : tensor_places(config, weights))
        if (from_file({t.name, t.shape, {}})) check_found(t, found);
    lay_out(config, weights, [&](const TensorRef& t) { return found.contains(t.name); });
    for (const TensorRef& t : tensors(config, weights)) {
        if (t.data.empty() || !from_file(t)) continue;
        const auto entry = found.find(t.name);
        read_values(entry->second, t.data);
        found.erase(entry);
    }
}

/// What engines are told of a model. The pointers are into `weights`.
kernels::ModelShape model_shape(const ModelConfig& config);
kernels::WeightPointers weight_pointers(const Weights& weights);

} // namespace serpent
