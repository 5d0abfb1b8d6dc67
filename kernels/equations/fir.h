// SPDX-License-Identifier: MIT
// A filter of finite length at an end of a model, one channel: y[t] = sum_k weight[k] x[t - k].
//
// Shapes    x, y (length); weight (taps), that of the present sample first; history (taps - 1), oldest sample first; null: zeros
//           on the way in, not wanted on the way out.
// Aliasing  history_out may be history_in; otherwise none.
#pragma once

#include <cstddef>
#include <vector>

namespace serpent::equations {

template <class T>
void fir(std::size_t length, std::size_t taps, const T* x, const T* weight, const T* history_in, T* y, T* history_out) {
    std::vector<T> all(taps - 1, T(0));
    if (history_in) all.assign(history_in, history_in + taps - 1);
    all.insert(all.end(), x, x + length);
    for (std::size_t t = 0; t < length; ++t) {
        T sum = 0;
        for (std::size_t k = 0; k < taps; ++k) sum += weight[k] * all[t + taps - 1 - k];
        y[t] = sum;
    }
    for (std::size_t i = 0; history_out && i + 1 < taps; ++i) history_out[i] = all[length + i];
}

/// dx and dweight are added to; either may be null. The history is not differentiated.
template <class T>
void fir_backward(std::size_t length, std::size_t taps, const T* x, const T* weight, const T* history_in, const T* dy, T* dx, T* dweight) {
    for (std::size_t t = 0; t < length; ++t)
        for (std::size_t k = 0; k < taps; ++k) {
            const bool fresh = k <= t;
            if (dx && fresh) dx[t - k] += weight[k] * dy[t];
            if (dweight) dweight[k] += dy[t] * (fresh ? x[t - k] : history_in ? history_in[taps - 1 + t - k] : T(0));
        }
}

} // namespace serpent::equations
