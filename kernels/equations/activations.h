// SPDX-License-Identifier: MIT
// Pointwise functions and their derivatives.
//
//   sigmoid(x)  = 1 / (1 + exp(-x))
//   silu(x)     = x sigmoid(x)
//   softplus(x) = ln(1 + exp(x))
//
// Shapes    scalars, and arrays of n values.
// Aliasing  y may be x in the forward direction; dx may not be dy.
// Error     a few ulp of T: no form overflows, and softplus keeps its relative accuracy for very negative x, where time
//           constants of seconds live. PyTorch's softplus returns x above 20, which differs by 1e-10 relative.
// Source    torch.sigmoid, torch.nn.functional.silu, torch.nn.functional.softplus.
#pragma once

#include "equations/host_device.h"

#include <cmath>
#include <cstddef>

namespace serpent::equations {

template <class T>
SERPENT_HD inline T sigmoid(T x) {
    using std::exp;
    const T e = exp(x < 0 ? x : -x); // in (0, 1], so nothing overflows
    return x < 0 ? e / (T(1) + e) : T(1) / (T(1) + e);
}

template <class T>
SERPENT_HD inline T silu(T x) {
    return x * sigmoid(x);
}

template <class T>
SERPENT_HD inline T silu_derivative(T x) {
    const T s = sigmoid(x);
    return s * (T(1) + x * sigmoid(-x));
}

template <class T>
SERPENT_HD inline T softplus(T x) {
    using std::exp;
    using std::log1p;
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

template <class T>
SERPENT_HD inline T softplus_derivative(T x) {
    return sigmoid(x);
}

template <class T>
void sigmoid(std::size_t n, const T* x, T* y) {
    for (std::size_t i = 0; i < n; ++i)
        y[i] = sigmoid(x[i]);
}

template <class T>
void sigmoid_backward(std::size_t n, const T* x, const T* dy, T* dx) {
    for (std::size_t i = 0; i < n; ++i)
        dx[i] += dy[i] * sigmoid(x[i]) * sigmoid(-x[i]);
}

template <class T>
void silu(std::size_t n, const T* x, T* y) {
    for (std::size_t i = 0; i < n; ++i)
        y[i] = silu(x[i]);
}

template <class T>
void silu_backward(std::size_t n, const T* x, const T* dy, T* dx) {
    for (std::size_t i = 0; i < n; ++i)
        dx[i] += dy[i] * silu_derivative(x[i]);
}

template <class T>
void softplus(std::size_t n, const T* x, T* y) {
    for (std::size_t i = 0; i < n; ++i)
        y[i] = softplus(x[i]);
}

template <class T>
void softplus_backward(std::size_t n, const T* x, const T* dy, T* dx) {
    for (std::size_t i = 0; i < n; ++i)
        dx[i] += dy[i] * softplus_derivative(x[i]);
}

} // namespace serpent::equations
