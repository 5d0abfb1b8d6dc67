// SPDX-License-Identifier: MIT
// Causal depthwise convolution over time: y[t][c] = bias[c] + sum_k weight[c][k] x[t - (taps - 1 - k) dilation][c].
// Samples before the first come from a history, so that a split call equals one call.
//
// Shapes    x, y (length, channels); weight (channels, taps), PyTorch's (channels, 1, taps); bias (channels) or null;
//           history ((taps - 1) dilation, channels), oldest sample first; null: zeros on the way in, not wanted on the way out.
// Aliasing  history_out may be history_in; otherwise none.
// Source    torch.nn.Conv1d(groups = channels, padding = (taps - 1) dilation, dilation), cut to the input's length, as Mamba uses it.
#pragma once

#include <cstddef>
#include <vector>

namespace serpent::equations {

struct ConvShape {
    std::size_t length, channels, taps, dilation = 1;

    std::size_t history_size() const { return (taps - 1) * dilation * channels; }
};

/// The history followed by x.
template <class T>
std::vector<T> with_history(const ConvShape& shape, const T* x, const T* history) {
    std::vector<T> all(shape.history_size(), T(0));
    if (history)
        all.assign(history, history + shape.history_size());
    all.insert(all.end(), x, x + shape.length * shape.channels);
    return all;
}

template <class T>
void conv1d(const ConvShape& shape, const T* x, const T* weight, const T* bias, const T* history_in, T* y,
            T* history_out) {
    const std::vector<T> all = with_history(shape, x, history_in);
    for (std::size_t t = 0; t < shape.length; ++t)
        for (std::size_t c = 0; c < shape.channels; ++c) {
            T sum = bias ? bias[c] : T(0);
            for (std::size_t k = 0; k < shape.taps; ++k)
                sum += weight[c * shape.taps + k] * all[(t + k * shape.dilation) * shape.channels + c];
            y[t * shape.channels + c] = sum;
        }
    if (history_out)
        for (std::size_t i = 0; i < shape.history_size(); ++i)
            history_out[i] = all[shape.length * shape.channels + i];
}

/// The gradients that one call of conv1d passes back; each may be null.
template <class T>
struct ConvGradients {
    T* x = nullptr;
    T* weight = nullptr;
    T* bias = nullptr;
    T* history_in = nullptr;
};

/// dhistory_out: gradient with respect to history_out, null for zeros.
template <class T>
void conv1d_backward(const ConvShape& shape, const T* x, const T* weight, const T* history_in, const T* dy,
                     const T* dhistory_out, const ConvGradients<T>& gradients) {
    const std::vector<T> all = with_history(shape, x, history_in);
    std::vector<T> dall(all.size(), T(0));
    const std::size_t history_size = shape.history_size();
    if (dhistory_out)
        for (std::size_t i = 0; i < history_size; ++i)
            dall[shape.length * shape.channels + i] = dhistory_out[i];
    for (std::size_t t = 0; t < shape.length; ++t)
        for (std::size_t c = 0; c < shape.channels; ++c) {
            const T g = dy[t * shape.channels + c];
            if (gradients.bias)
                gradients.bias[c] += g;
            for (std::size_t k = 0; k < shape.taps; ++k) {
                const std::size_t i = (t + k * shape.dilation) * shape.channels + c;
                dall[i] += weight[c * shape.taps + k] * g;
                if (gradients.weight)
                    gradients.weight[c * shape.taps + k] += all[i] * g;
            }
        }
    if (gradients.history_in)
        for (std::size_t i = 0; i < history_size; ++i)
            gradients.history_in[i] += dall[i];
    if (gradients.x)
        for (std::size_t i = 0; i < shape.length * shape.channels; ++i)
            gradients.x[i] += dall[history_size + i];
}

} // namespace serpent::equations
