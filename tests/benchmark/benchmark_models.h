// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "random.h"
#include "serpent/model.h"

#include <cmath>
#include <memory>

namespace serpent::test {

/// A model of the given size with harmless random weights and time constants from 2 to 20,000 samples; kinds of its layers, dilations and
/// filters as `kinds` has them.
inline std::shared_ptr<const Model> benchmark_model(int d_model, int expand, int d_state, int n_layers, DecayShape a,
                                                    BBar b_bar, const ModelConfig& kinds = {}) {
    auto model = std::make_shared<Model>();
    ModelConfig& config = model->config;
    config = kinds;
    config.d_model = d_model, config.expand = expand, config.d_state = d_state, config.n_layers = n_layers;
    config.a = a, config.b_bar = b_bar;
    Random random(1);
    lay_out(config, model->weights);
    for (const TensorRef& tensor : tensors(config, model->weights)) {
        std::ranges::copy(random.vector<float>(tensor.data.size(), -0.3, 0.3), tensor.data.begin());
        if (tensor.name.ends_with("dt_proj.bias"))
            for (float& bias : tensor.data) bias = static_cast<float>(-random.log_uniform(0.7, 9.9));
    }
    return model;
}

} // namespace serpent::test
