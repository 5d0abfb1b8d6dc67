// SPDX-License-Identifier: MIT
#include "model/tensors.h"

namespace serpent {

void add_layer(const ModelConfig& config, const std::string& prefix, LayerWeights& w, std::vector<TensorRef>& list) {
    const auto size = [](int value) { return static_cast<std::size_t>(value); };
    const std::size_t d_model = size(config.d_model), d = size(config.d_inner()), states = size(config.d_state),
                      taps = size(config.d_conv), rank = size(config.dt_rank);
    const std::size_t projected = rank + 2 * states;
    const std::string mixer = prefix + "mixer.";
    std::vector<std::size_t> decays = {d, states};
    if (config.a == DecayShape::tied) decays = {d};
    list.insert(list.end(), {
        {prefix + "norm.weight", {d_model}, &w.norm},
        {mixer + "in_proj.weight", {2 * d, d_model}, &w.in_proj},
        {mixer + "conv1d.weight", {d, 1, taps}, &w.conv_weight},
        {mixer + "conv1d.bias", {d}, &w.conv_bias},
    });
    if (!config.selective) {
        const std::size_t pairs = states / 2;
        list.insert(list.end(), {
            {mixer + "A_log", {d, pairs}, &w.A_log},
            {mixer + "A_imag", {d, pairs}, &w.A_imag},
            {mixer + "C", {d, pairs, 2}, &w.C},
            {mixer + "D", {d}, &w.D},
            {mixer + "out_proj.weight", {d_model, d}, &w.out_proj},
            {mixer + "in_proj.bias", {2 * d}, &w.in_proj_bias, true},
            {mixer + "out_proj.bias", {d_model}, &w.out_proj_bias, true},
        });
        return;
    }
    list.insert(list.end(), {
        {mixer + "x_proj.weight", {projected, d}, &w.x_proj},
        {mixer + "dt_proj.weight", {d, rank}, &w.dt_proj},
        {mixer + "dt_proj.bias", {d}, &w.dt_proj_bias},
        {mixer + "A_log", decays, &w.A_log},
        {mixer + "D", {d}, &w.D},
        {mixer + "out_proj.weight", {d_model, d}, &w.out_proj},
        {mixer + "in_proj.bias", {2 * d}, &w.in_proj_bias, true},
        {mixer + "x_proj.bias", {projected}, &w.x_proj_bias, true},
        {mixer + "out_proj.bias", {d_model}, &w.out_proj_bias, true},
    });
    if (!config.controls.empty()) {
        list.push_back({prefix + "film.weight", {2 * d_model, size(film_hidden)}, &w.film_weight});
        list.push_back({prefix + "film.bias", {2 * d_model}, &w.film_bias});
    }
}

std::vector<TensorRef> tensors(const ModelConfig& config, Weights& weights) {
    const auto channels = static_cast<std::size_t>(config.channels), d_model = static_cast<std::size_t>(config.d_model);
    const auto layers = static_cast<std::size_t>(config.n_layers);
    if (weights.layers.size() != layers) weights.layers.resize(layers);
    std::vector<TensorRef> list = {
        {"encoder.weight", {d_model, channels}, &weights.encoder_weight},
        {"encoder.bias", {d_model}, &weights.encoder_bias},
    };
    if (!config.controls.empty()) {
        const std::size_t hidden = film_hidden;
        list.push_back({"film.hidden.weight", {hidden, config.controls.size()}, &weights.film_hidden_weight});
        list.push_back({"film.hidden.bias", {hidden}, &weights.film_hidden_bias});
    }
    for (std::size_t i = 0; i < layers; ++i) {
        add_layer(config, "layers." + std::to_string(i) + ".", weights.layers[i], list);
    }
    if (config.final_norm) list.push_back({"norm_f.weight", {d_model}, &weights.norm_f});
    list.push_back({"decoder.weight", {channels, d_model}, &weights.decoder_weight});
    list.push_back({"decoder.bias", {channels}, &weights.decoder_bias});
    if (config.skip) list.push_back({"skip", {channels}, &weights.skip});
    return list;
}

} // namespace serpent
