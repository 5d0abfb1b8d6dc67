// SPDX-License-Identifier: MIT
#include "gpu/model_layout.h"

#include "model/tensors.h"

namespace serpent {

kernels::DeviceModelLayout device_layout(const ModelConfig& config, const Weights& weights) {
    const auto place = [&](Tensor tensor) { return tensor.empty() ? -1 : static_cast<int>(tensor.data() - weights.values.data()); };
    kernels::DeviceModelLayout layout;
    layout.shape = model_shape(config);
    layout.n_controls = static_cast<int>(config.controls.size());
    kernels::map_fields<kernels::EndFields>(weights, layout.model, place);
    for (const LayerWeights& layer : weights.layers)
        kernels::map_fields<kernels::BlockFields>(layer, layout.layers.emplace_back(), place);
    layout.parameters = weights.values.size();
    return layout;
}

} // namespace serpent
