// SPDX-License-Identifier: MIT
// Feature-wise linear modulation: y[t][c] = x[t][c] scale[c] + shift[c], and the small network that makes scale and
// shift of one layer from the control values v in [-1, 1]:
//
//   hidden = tanh(hidden_weight . v + hidden_bias);  [s, shift] = weight . hidden + bias;  scale = 1 + s
//
// Shapes    x, y (length, channels); scale, shift (channels); v (controls); hidden_weight (hidden, controls);
//           weight (2 channels, hidden), the scale's rows first.
// Aliasing  y may be x in the forward direction; none in the backward one.
// Source    Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer" (2018).
#pragma once

#include "equations/linear.h"

#include <cmath>
#include <cstddef>
#include <vector>

namespace serpent::equations {

template <class T>
void film(std::size_t length, std::size_t channels, const T* x, const T* scale, const T* shift, T* y) {
    for (std::size_t t = 0; t < length; ++t)
        for (std::size_t c = 0; c < channels; ++c) {
            const std::size_t i = t * channels + c;
            y[i] = x[i] * scale[c] + shift[c];
        }
}

template <class T>
void film_backward(std::size_t length, std::size_t channels, const T* x, const T* scale, const T* dy, T* dx, T* dscale,
                   T* dshift) {
    for (std::size_t t = 0; t < length; ++t)
        for (std::size_t c = 0; c < channels; ++c) {
            const std::size_t i = t * channels + c;
            if (dx)
                dx[i] += dy[i] * scale[c];
            if (dscale)
                dscale[c] += dy[i] * x[i];
            if (dshift)
                dshift[c] += dy[i];
        }
}

struct FilmShape {
    std::size_t controls, hidden, channels;
};

/// T const for the weights, T for their gradients.
template <class P>
struct FilmParameters {
    P* hidden_weight;
    P* hidden_bias;
    P* weight;
    P* bias;
};

template <class T>
std::vector<T> film_hidden_values(const FilmShape& shape, const T* v, const FilmParameters<const T>& p) {
    std::vector<T> hidden(shape.hidden);
    linear<T>({1, shape.controls, shape.hidden}, v, p.hidden_weight, p.hidden_bias, hidden.data());
    for (T& value : hidden)
        value = std::tanh(value);
    return hidden;
}

template <class T>
void film_coefficients(const FilmShape& shape, const T* v, const FilmParameters<const T>& p, T* scale, T* shift) {
    const std::vector<T> hidden = film_hidden_values(shape, v, p);
    std::vector<T> both(2 * shape.channels);
    linear<T>({1, shape.hidden, 2 * shape.channels}, hidden.data(), p.weight, p.bias, both.data());
    for (std::size_t c = 0; c < shape.channels; ++c) {
        scale[c] = T(1) + both[c];
        shift[c] = both[shape.channels + c];
    }
}

template <class T>
void film_coefficients_backward(const FilmShape& shape, const T* v, const FilmParameters<const T>& p, const T* dscale,
                                const T* dshift, T* dv, const FilmParameters<T>& gradients) {
    const std::vector<T> hidden = film_hidden_values(shape, v, p);
    std::vector<T> dboth(dscale, dscale + shape.channels);
    dboth.insert(dboth.end(), dshift, dshift + shape.channels);
    std::vector<T> dhidden(hidden.size(), T(0));
    linear_backward<T>({1, shape.hidden, 2 * shape.channels}, hidden.data(), p.weight, dboth.data(), dhidden.data(),
                       gradients.weight, gradients.bias);
    for (std::size_t i = 0; i < hidden.size(); ++i)
        dhidden[i] *= T(1) - hidden[i] * hidden[i];
    linear_backward<T>({1, shape.controls, shape.hidden}, v, p.hidden_weight, dhidden.data(), dv,
                       gradients.hidden_weight, gradients.hidden_bias);
}

} // namespace serpent::equations
