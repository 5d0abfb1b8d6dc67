// SPDX-License-Identifier: MIT
// One parameter's update: equations/adamw.h, and the moving average of the weights.
#pragma once

#include "equations/host_device.h"

#include <cmath>

namespace serpent::kernels::gpu {

struct UpdateFactors {
    float rate, beta1, beta2, eps;
    float correction1, correction2;  ///< 1 - beta^step
    float keep;                      ///< of the average
};

SERPENT_HD inline void update_parameter(const UpdateFactors& k, float gradient, float decay, float& w, float& m, float& v,
                                        float& average) {
    w -= k.rate * decay * w;
    m = k.beta1 * m + (1.0f - k.beta1) * gradient;
    v = k.beta2 * v + (1.0f - k.beta2) * gradient * gradient;
    w -= k.rate * (m / k.correction1) / (std::sqrt(v / k.correction2) + k.eps);
    average = k.keep * average + (1.0f - k.keep) * w;
}

} // namespace serpent::kernels::gpu
