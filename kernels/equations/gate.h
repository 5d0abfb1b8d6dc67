// SPDX-License-Identifier: MIT
// The output gate of a Mamba block: y = x silu(z).
//
// Shapes    x, z, y: n values each.
// Aliasing  y may be x or z in the forward direction; none in the backward one.
// Source    Gu and Dao, "Mamba" (2023), figure 3.
#pragma once

#include "equations/activations.h"

namespace serpent::equations {

template <class T>
void gate(std::size_t n, const T* x, const T* z, T* y) {
    for (std::size_t i = 0; i < n; ++i)
        y[i] = x[i] * silu(z[i]);
}

template <class T>
void gate_backward(std::size_t n, const T* x, const T* z, const T* dy, T* dx, T* dz) {
    for (std::size_t i = 0; i < n; ++i) {
        if (dx)
            dx[i] += dy[i] * silu(z[i]);
        if (dz)
            dz[i] += dy[i] * x[i] * silu_derivative(z[i]);
    }
}

} // namespace serpent::equations
