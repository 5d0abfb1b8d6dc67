// SPDX-License-Identifier: MIT
// One step of Adam with decoupled weight decay, step = 1, 2, ...:
//
//   p -= rate decay p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= rate (m / (1 - b1^step)) / (sqrt(v / (1 - b2^step)) + eps)
//
// Shapes    parameter, gradient, m, v: n values; m and v start at zero.
// Aliasing  none.
// Source    Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019); torch.optim.AdamW.
#pragma once

#include <cmath>
#include <cstddef>

namespace serpent::equations {

struct AdamWOptions {
    double rate = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
};

template <class T>
void adamw(std::size_t n, const AdamWOptions& options, long step, const T* gradient, T* parameter, T* m, T* v) {
    const T beta1 = T(options.beta1), beta2 = T(options.beta2), rate = T(options.rate);
    const T correction1 = T(1 - std::pow(options.beta1, static_cast<double>(step)));
    const T correction2 = T(1 - std::pow(options.beta2, static_cast<double>(step)));
    for (std::size_t i = 0; i < n; ++i) {
        const T g = gradient[i];
        parameter[i] -= rate * T(options.weight_decay) * parameter[i];
        m[i] = beta1 * m[i] + (T(1) - beta1) * g;
        v[i] = beta2 * v[i] + (T(1) - beta2) * g * g;
        parameter[i] -= rate * (m[i] / correction1) / (std::sqrt(v[i] / correction2) + T(options.eps));
    }
}

} // namespace serpent::equations
