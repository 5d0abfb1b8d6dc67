// SPDX-License-Identifier: MIT
#include "training/optimiser.h"

#include "equations/adamw.h"

#include <cmath>

namespace serpent {

/// Of a decay's logarithm, from that of the decay.
void Optimiser::find_weight_gradients(std::vector<float>& gradient) const {
    std::size_t at = 0;
    for (const TensorRef& t : tensors_.weights) {
        if (t.transform == kernels::Transform::decay)
            for (std::size_t i = 0; i < t.data->size(); ++i) gradient[at + i] *= -std::exp((*t.data)[i]);
        at += t.data->size();
    }
}

void Optimiser::update_tensor(std::size_t i, const float* gradient, const UpdateRates& rates) {
    std::vector<float>& w = *tensors_.weights[i].data;
    std::vector<float>& average = *tensors_.average[i].data;
    equations::adamw<float>(w.size(), {rates.rate, 0.9, 0.99, 1e-8, tensors_.weight_decay[i]}, static_cast<long>(rates.number), gradient,
                            w.data(), tensors_.m[i].data->data(), tensors_.v[i].data->data());
    const float keep = rates.average_keep;
    for (std::size_t j = 0; j < w.size(); ++j) average[j] = keep * average[j] + (1 - keep) * w[j];
}

bool Optimiser::update(std::vector<float>& gradient, const UpdateRates& rates, Workers& workers) {
    find_weight_gradients(gradient);
    double square = 0;
    for (const float g : gradient) square += double(g) * double(g);
    const double norm = std::sqrt(square);
    if (!std::isfinite(norm)) return false;
    if (norm > rates.clip)
        for (float& g : gradient) g *= static_cast<float>(rates.clip / norm);
    workers.run([&](int thread) {
        std::size_t at = 0;
        for (std::size_t i = 0; i < tensors_.weights.size(); ++i) {
            if (i % static_cast<std::size_t>(workers.count()) == static_cast<std::size_t>(thread))
                update_tensor(i, gradient.data() + at, rates);
            at += tensors_.weights[i].data->size();
        }
    });
    return true;
}

} // namespace serpent
