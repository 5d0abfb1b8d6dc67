// SPDX-License-Identifier: MIT
#include "model/tensors.h"

#include "serpent/errors.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace serpent {

namespace {

template <class T>
T of_layer(const std::vector<T>& values, int l) {
    return values[static_cast<std::size_t>(l) % values.size()];
}

} // namespace

kernels::BlockShape ModelConfig::block(int l) const noexcept {
    kernels::BlockShape shape;
    shape.kind = of_layer(blocks, l);
    shape.d_model = d_model, shape.d_inner = d_inner(), shape.d_state = d_state, shape.dt_rank = dt_rank;
    shape.d_conv = convs.empty() ? d_conv : of_layer(convs, l), shape.dilation = of_layer(dilations, l);
    if (shape.kind == BlockKind::rotating) shape.step_ratio = step_ratio;
    shape.tied = a == DecayShape::tied, shape.ema = b_bar == BBar::ema;
    shape.film_hidden = controls.empty() ? 0 : film_hidden;
    return shape;
}

bool ModelConfig::all_blocks(BlockKind wanted) const noexcept {
    for (const BlockKind block : blocks)
        if (block != wanted) return false;
    return true;
}

void add_layer(const kernels::BlockShape& shape, const std::string& prefix, LayerWeights& weights, std::vector<TensorPlace>& list) {
    for (const kernels::BlockTensor& tensor : kernels::block_tensors(shape.kind)) {
        if (tensor.decay_class == kernels::DecayClass::film && shape.film_hidden == 0) continue;
        std::vector<std::size_t> sizes;
        for (const int size : tensor.shape(shape))
            if (size > 0) sizes.push_back(static_cast<std::size_t>(size));
        list.push_back({prefix + tensor.name, std::move(sizes), &weights[tensor.field], tensor.optional, tensor.decay_class, tensor.transform});
    }
}

std::size_t TensorRef::elements() const noexcept {
    return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

std::vector<TensorRef> refs(const std::vector<TensorPlace>& places) {
    std::vector<TensorRef> list;
    for (const TensorPlace& t : places) list.push_back({t.name, t.shape, *t.at, t.optional, t.decay_class, t.transform});
    return list;
}

std::vector<float> place_all(const std::vector<TensorRef>& from, const std::vector<TensorPlace>& to, const TensorChoice& has) {
    std::vector<std::size_t> sizes;
    for (const TensorRef& t : from) sizes.push_back(!t.optional || !has || has(t) ? t.elements() : 0);
    std::vector<float> values(std::reduce(sizes.begin(), sizes.end()));
    std::size_t begin = 0;
    for (std::size_t i = 0; i < to.size(); begin += sizes[i++]) {
        if (sizes[i] == 0) continue;
        *to[i].at = Tensor(values).subspan(begin, sizes[i]);
        std::copy_n(from[i].data.begin(), std::min(from[i].data.size(), sizes[i]), to[i].at->begin());
    }
    return values;
}

std::vector<TensorPlace> tensor_places(const ModelConfig& config, ModelTensors& weights) {
    using kernels::DecayClass;
    const auto size = [](int value) { return static_cast<std::size_t>(value); };
    const std::size_t channels = size(config.channels), d_model = size(config.d_model), layers = size(config.n_layers);
    weights.layers.resize(layers);
    std::vector<TensorPlace> list = {
        {"encoder.weight", {d_model, channels}, &weights.encoder_weight, false, DecayClass::matrix},
        {"encoder.bias", {d_model}, &weights.encoder_bias},
    };
    if (config.fir_in > 0) list.push_back({"fir_in.weight", {channels, size(config.fir_in)}, &weights.fir_in});
    if (!config.controls.empty()) {
        const std::size_t hidden = film_hidden;
        list.push_back({"film.hidden.weight", {hidden, config.controls.size()}, &weights.film_hidden_weight, false, DecayClass::film});
        list.push_back({"film.hidden.bias", {hidden}, &weights.film_hidden_bias, false, DecayClass::film});
    }
    for (int l = 0; l < config.n_layers; ++l) add_layer(config.block(l), "layers." + std::to_string(l) + ".", weights.layers[size(l)], list);
    if (config.final_norm) list.push_back({"norm_f.weight", {d_model}, &weights.norm_f});
    list.push_back({"decoder.weight", {channels, d_model}, &weights.decoder_weight, false, DecayClass::matrix});
    list.push_back({"decoder.bias", {channels}, &weights.decoder_bias});
    if (config.skip) list.push_back({"skip", {channels}, &weights.skip});
    if (config.fir_out > 0) list.push_back({"fir_out.weight", {channels, size(config.fir_out)}, &weights.fir_out});
    return list;
}

std::vector<TensorRef> tensors(const ModelConfig& config, const ModelTensors& weights) {
    if (weights.layers.size() != static_cast<std::size_t>(config.n_layers))
        throw Error("the model has weights for " + std::to_string(weights.layers.size()) + " layers, \"n_layers\" is " +
                    std::to_string(config.n_layers));
    return refs(tensor_places(config, const_cast<ModelTensors&>(weights)));  // with these layers it writes nothing
}

void lay_out(const ModelConfig& config, Weights& weights, const TensorChoice& has) { lay_out_weights(config, weights, has); }

void check_found(const TensorPlace& wanted, const TensorMap& found) {
    const auto entry = found.find(wanted.name);
    if (entry == found.end()) {
        if (!wanted.optional) throw Error("tensor " + printable(wanted.name) + " is missing");
    } else if (entry->second.shape != wanted.shape) {
        throw Error("tensor " + printable(wanted.name) + " has shape " + shape_text(entry->second.shape) + "; the config asks for " +
                    shape_text(wanted.shape));
    }
}

kernels::ModelShape model_shape(const ModelConfig& config) {
    kernels::ModelShape shape;
    shape.channels = config.channels;
    for (int l = 0; l < config.n_layers; ++l) shape.blocks.push_back(config.block(l));
    shape.fir_in = config.fir_in, shape.fir_out = config.fir_out;
    shape.output_peak = config.output_peak;
    return shape;
}

kernels::WeightPointers weight_pointers(const Weights& weights) {
    const auto pointer = [](Tensor tensor) -> const float* { return tensor.data(); };
    kernels::WeightPointers to;
    kernels::map_fields<kernels::EndFields>(weights, to, pointer);
    for (const LayerWeights& layer : weights.layers) kernels::map_fields<kernels::BlockFields>(layer, to.layers.emplace_back(), pointer);
    return to;
}

} // namespace serpent
