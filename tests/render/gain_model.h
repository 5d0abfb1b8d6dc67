// SPDX-License-Identifier: GPL-3.0-or-later
// A model whose answer is known without computing anything: its input times a gain.
#pragma once

#include "serpent/model.h"

#include <memory>
#include <numeric>

/// Channel c leaves as gains[c] times itself, exactly: the blocks run, and the decoder multiplies them by 0.
inline serpent::Model gain_model(const std::vector<float>& gains, int sample_rate_hz = 48000) {
    serpent::Model model;
    model.config.sample_rate = sample_rate_hz;
    model.config.channels = static_cast<int>(gains.size());
    model.config.d_model = 2;
    model.config.n_layers = 1;
    model.config.d_state = 2;
    model.config.skip = true;
    serpent::lay_out(model.config, model.weights, [](const serpent::TensorRef&) { return false; });
    std::ranges::fill(model.weights.values, 0.25f);
    std::ranges::fill(model.weights.decoder_weight, 0.0f);
    std::ranges::fill(model.weights.decoder_bias, 0.0f);
    std::ranges::copy(gains, model.weights.skip.begin());
    return model;
}

inline std::shared_ptr<const serpent::Model> shared_gain_model(const std::vector<float>& gains) {
    return std::make_shared<const serpent::Model>(gain_model(gains));
}
