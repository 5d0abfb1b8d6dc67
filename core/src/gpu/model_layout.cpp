// SPDX-License-Identifier: MIT
#include "gpu/model_layout.h"

#include "model/tensors.h"

#include <algorithm>

namespace serpent {

kernels::DeviceModelLayout device_layout(const ModelConfig& config, Weights& weights) {
    std::vector<std::pair<const std::vector<float>*, int>> places;
    int end = 0;
    for (const TensorRef& t : tensors(config, weights)) {
        if (!t.data->empty()) places.emplace_back(t.data, end);
        end += static_cast<int>(t.data->size());
    }
    const auto at = [&](const std::vector<float>& tensor) {
        const auto found = std::ranges::find(places, &tensor, &std::pair<const std::vector<float>*, int>::first);
        return found == places.end() ? -1 : found->second;
    };
    kernels::DeviceModelLayout layout;
    layout.shape = model_shape(config);
    layout.n_controls = static_cast<int>(config.controls.size());
    for (const LayerWeights& w : weights.layers) {
        auto& places_of_layer = layout.layers.emplace_back();
        for (std::size_t i = 0; i < std::size(LayerWeights::members); ++i)
            places_of_layer.*kernels::BlockFields<int>::members[i] = at(w.*LayerWeights::members[i]);
    }
    layout.model = {at(weights.encoder_weight), at(weights.encoder_bias), at(weights.norm_f), at(weights.decoder_weight),
                    at(weights.decoder_bias), at(weights.skip), at(weights.film_hidden_weight), at(weights.film_hidden_bias),
                    at(weights.fir_in), at(weights.fir_out)};
    layout.parameters = static_cast<std::size_t>(end);
    return layout;
}

std::vector<float> flat_parameters(const ModelConfig& config, Weights& weights) {
    std::vector<float> flat;
    for (const TensorRef& t : tensors(config, weights)) flat.insert(flat.end(), t.data->begin(), t.data->end());
    return flat;
}

void set_flat_parameters(const ModelConfig& config, const float* values, Weights& weights) {
    for (const TensorRef& t : tensors(config, weights)) {
        std::copy_n(values, t.data->size(), t.data->begin());
        values += t.data->size();
    }
}

} // namespace serpent
