// SPDX-License-Identifier: MIT
// Root-mean-square normalisation of every sample: y[t][c] = x[t][c] weight[c] / sqrt(mean_c x[t][c]^2 + eps).
//
// Shapes    x, y (length, channels), weight (channels).
// Aliasing  y may be x in the forward direction; none in the backward one.
// Source    Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019); torch.nn.RMSNorm.
#pragma once

#include <cmath>
#include <cstddef>

namespace serpent::equations {

inline constexpr double rms_norm_eps = 1e-5;

template <class T>
T inverse_rms(const T* x, std::size_t channels) {
    T sum = 0;
    for (std::size_t c = 0; c < channels; ++c)
        sum += x[c] * x[c];
    return T(1) / std::sqrt(sum / T(channels) + T(rms_norm_eps));
}

template <class T>
void rms_norm(std::size_t length, std::size_t channels, const T* x, const T* weight, T* y) {
    for (std::size_t t = 0; t < length; ++t) {
        const std::size_t row = t * channels;
        const T r = inverse_rms(x + row, channels);
        for (std::size_t c = 0; c < channels; ++c)
            y[row + c] = x[row + c] * r * weight[c];
    }
}

/// With r = 1 / rms and g = dy weight:  dx = r g - x r^3 mean_c(g x),  dweight = sum_t dy x r.
template <class T>
void rms_norm_backward(std::size_t length, std::size_t channels, const T* x, const T* weight, const T* dy, T* dx,
                       T* dweight) {
    for (std::size_t t = 0; t < length; ++t) {
        const T* x_t = x + t * channels;
        const T* dy_t = dy + t * channels;
        const T r = inverse_rms(x_t, channels);
        T projection = 0;
        for (std::size_t c = 0; c < channels; ++c)
            projection += dy_t[c] * weight[c] * x_t[c];
        projection *= r * r * r / T(channels);
        for (std::size_t c = 0; c < channels; ++c) {
            if (dx)
                dx[t * channels + c] +=
                    r * dy_t[c] * weight[c] - projection * x_t[c];
            if (dweight)
                dweight[c] += dy_t[c] * x_t[c] * r;
        }
    }
}

} // namespace serpent::equations
