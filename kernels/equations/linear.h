// SPDX-License-Identifier: MIT
// Affine map of every sample: y[t] = weight . x[t] + bias.
//
// Shapes    x (length, in), weight (out, in), bias (out) or null, y (length, out); rows contiguous.
// Aliasing  none allowed.
// Source    torch.nn.Linear.
//
// All backward functions of this folder add to the gradients they are given, and skip those that are null.
#pragma once

#include <cstddef>

namespace serpent::equations {

struct LinearShape {
    std::size_t length, in, out;
};

template <class T>
void linear(const LinearShape& shape, const T* x, const T* weight, const T* bias, T* y) {
    for (std::size_t t = 0; t < shape.length; ++t) {
        const T* x_t = x + t * shape.in;
        for (std::size_t o = 0; o < shape.out; ++o) {
            T sum = bias ? bias[o] : T(0);
            for (std::size_t i = 0; i < shape.in; ++i)
                sum += weight[o * shape.in + i] * x_t[i];
            y[t * shape.out + o] = sum;
        }
    }
}

/// dx = weight^T . dy,  dweight = sum_t dy[t] x[t]^T,  dbias = sum_t dy[t].
template <class T>
void linear_backward(const LinearShape& shape, const T* x, const T* weight, const T* dy, T* dx, T* dweight, T* dbias) {
    for (std::size_t t = 0; t < shape.length; ++t) {
        const std::size_t row = t * shape.in;
        for (std::size_t o = 0; o < shape.out; ++o) {
            const T g = dy[t * shape.out + o];
            if (dbias)
                dbias[o] += g;
            for (std::size_t i = 0; i < shape.in; ++i) {
                if (dx)
                    dx[row + i] += weight[o * shape.in + i] * g;
                if (dweight)
                    dweight[o * shape.in + i] += g * x[row + i];
            }
        }
    }
}

} // namespace serpent::equations
