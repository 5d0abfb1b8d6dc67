// SPDX-License-Identifier: MIT
#include "training/optimiser.h"

#include "equations/adamw.h"

#include <cmath>

namespace serpent {

/// Of a decay's logarithm, from that of the decay.
void Optimiser::find_weight_gradients(std::vector<float>& gradient) const {
    std::size_t at = 0;
    for (const TrainedWeights::Part& tensor : trained_.tensors)
        for (const std::size_t end = at + tensor.size; at < end; ++at)
            if (tensor.transform == kernels::Transform::decay) gradient[at] *= -std::exp(trained_.weights[at]);
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
        const TrainedWeights& t = trained_;
        const auto count = static_cast<std::size_t>(workers.count()), index = static_cast<std::size_t>(thread);
        std::size_t at = 0;
        for (std::size_t i = 0; i < t.tensors.size(); at += t.tensors[i++].size)
            if (i % count == index)
                equations::adamw<float>(t.tensors[i].size, {rates.rate, 0.9, 0.99, 1e-8, t.tensors[i].decay},
                                        static_cast<long>(rates.number), gradient.data() + at, t.weights.data() + at, t.m.data() + at,
                                        t.v.data() + at);
    });
    const float keep = rates.average_keep;
    for (std::size_t i = 0; i < gradient.size(); ++i)
        trained_.average[i] = keep * trained_.average[i] + (1 - keep) * trained_.weights[i];
    return true;
}

} // namespace serpent
