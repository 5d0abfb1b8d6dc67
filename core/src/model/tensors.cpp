// SPDX-License-Identifier: MIT
#include "model/tensors.h"

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

void add_layer(const kernels::BlockShape& shape, const std::string& prefix, LayerWeights& weights, std::vector<TensorRef>& list) {
    for (const kernels::BlockTensor& tensor : kernels::block_tensors(shape.kind)) {
        if (tensor.decay_class == kernels::DecayClass::film && shape.film_hidden == 0) continue;
        std::vector<std::size_t> sizes;
        for (const int size : tensor.shape(shape))
            if (size > 0) sizes.push_back(static_cast<std::size_t>(size));
        list.push_back({prefix + tensor.name, std::move(sizes), &weights[tensor.field], tensor.optional, tensor.decay_class, tensor.transform});
    }
}

std::vector<TensorRef> tensors(const ModelConfig& config, Weights& weights) {
    using kernels::DecayClass;
    const auto size = [](int value) { return static_cast<std::size_t>(value); };
    const std::size_t channels = size(config.channels), d_model = size(config.d_model), layers = size(config.n_layers);
    if (weights.layers.size() != layers) weights.layers.resize(layers);
    std::vector<TensorRef> list = {
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

kernels::ModelShape model_shape(const ModelConfig& config) {
    kernels::ModelShape shape;
    shape.channels = config.channels;
    for (int l = 0; l < config.n_layers; ++l) shape.blocks.push_back(config.block(l));
    shape.fir_in = config.fir_in, shape.fir_out = config.fir_out;
    shape.output_peak = config.output_peak;
    return shape;
}

kernels::WeightPointers weight_pointers(const Weights& weights) {
    const auto pointer = [](const std::vector<float>& tensor) { return tensor.empty() ? nullptr : tensor.data(); };
    kernels::WeightPointers to;
    to.encoder_weight = pointer(weights.encoder_weight), to.encoder_bias = pointer(weights.encoder_bias);
    to.norm_f = pointer(weights.norm_f), to.skip = pointer(weights.skip);
    to.decoder_weight = pointer(weights.decoder_weight), to.decoder_bias = pointer(weights.decoder_bias);
    to.film_hidden_weight = pointer(weights.film_hidden_weight), to.film_hidden_bias = pointer(weights.film_hidden_bias);
    to.fir_in = pointer(weights.fir_in), to.fir_out = pointer(weights.fir_out);
    for (const LayerWeights& layer : weights.layers) {
        auto& pointers = to.layers.emplace_back();
        for (std::size_t i = 0; i < std::size(LayerWeights::members); ++i)
            pointers.*std::remove_reference_t<decltype(pointers)>::members[i] = pointer(layer.*LayerWeights::members[i]);
    }
    return to;
}

} // namespace serpent
