// SPDX-License-Identifier: MIT
#include "stream/live_weights.h"

namespace serpent {

namespace {

const float* optional_tensor(const std::vector<float>& tensor) { return tensor.empty() ? nullptr : tensor.data(); }

} // namespace

kernels::LiveConfig live_config(const ModelConfig& config) {
    kernels::LiveConfig live;
    live.channels = config.channels;
    live.d_model = config.d_model;
    live.d_inner = config.d_inner();
    live.d_state = config.d_state;
    live.d_conv = config.d_conv;
    live.dt_rank = config.dt_rank;
    live.n_layers = config.n_layers;
    live.tied = config.a == DecayShape::tied;
    live.ema = config.b_bar == BBar::ema;
    live.output_peak = config.output_peak;
    return live;
}

kernels::LiveWeights live_weights(const Weights& weights) {
    kernels::LiveWeights live;
    live.encoder_weight = weights.encoder_weight.data();
    live.encoder_bias = weights.encoder_bias.data();
    for (const LayerWeights& layer : weights.layers) {
        kernels::LiveLayerWeights& to = live.layers.emplace_back();
        to.norm = layer.norm.data();
        to.in_proj = layer.in_proj.data();
        to.in_proj_bias = optional_tensor(layer.in_proj_bias);
        to.conv_weight = layer.conv_weight.data();
        to.conv_bias = layer.conv_bias.data();
        to.x_proj = layer.x_proj.data();
        to.x_proj_bias = optional_tensor(layer.x_proj_bias);
        to.dt_proj = layer.dt_proj.data();
        to.dt_proj_bias = layer.dt_proj_bias.data();
        to.A_log = layer.A_log.data();
        to.D = layer.D.data();
        to.out_proj = layer.out_proj.data();
        to.out_proj_bias = optional_tensor(layer.out_proj_bias);
    }
    live.norm_f = optional_tensor(weights.norm_f);
    live.decoder_weight = weights.decoder_weight.data();
    live.decoder_bias = weights.decoder_bias.data();
    live.skip = optional_tensor(weights.skip);
    return live;
}

} // namespace serpent
