// SPDX-License-Identifier: MIT
// Error-to-signal ratio, plain and pre-emphasised, with the gradient with respect to the prediction.
//
//   ESR = sum_t (y[t] - p[t])^2 / (sum_t y[t]^2 + 1e-8)
//   pre-emphasised: the same of  y[t] - c y[t-1]  and  p[t] - c p[t-1],  c = 0.85 unless stated
//
// The sums are kept apart from their ratio, so that a long signal can come in pieces.
//
// Shapes    target, prediction, dprediction: n values, one channel.
// Aliasing  none.
// Source    Wright, Damskagg and Valimaki, "Real-Time Black-Box Modelling With Recurrent Neural Networks" (2019).
#pragma once

#include <cstddef>
#include <vector>

namespace serpent::equations {

inline constexpr double esr_eps = 1e-8;
inline constexpr double default_pre_emphasis = 0.85;

template <class T>
struct EsrSums {
    T error = 0;  ///< sum of squared differences
    T energy = 0; ///< sum of the target's squares

    T value() const { return error / (energy + T(esr_eps)); }
};

/// Adds the n samples to the sums.
template <class T>
void esr(std::size_t n, const T* target, const T* prediction, EsrSums<T>& sums) {
    for (std::size_t t = 0; t < n; ++t) {
        const T difference = prediction[t] - target[t];
        sums.error += difference * difference;
        sums.energy += target[t] * target[t];
    }
}

/// dloss: gradient with respect to the ratio whose denominator is energy + 1e-8. Adds to dprediction.
template <class T>
void esr_backward(std::size_t n, const T* target, const T* prediction, T energy, T dloss, T* dprediction) {
    const T factor = T(2) * dloss / (energy + T(esr_eps));
    for (std::size_t t = 0; t < n; ++t)
        dprediction[t] += factor * (prediction[t] - target[t]);
}

/// First-order high pass y[t] = x[t] - coefficient x[t-1]; `before` is x[-1] on the way in, x[n-1] on the way out.
template <class T>
std::vector<T> pre_emphasis(std::size_t n, const T* x, T coefficient, T& before) {
    std::vector<T> y(n);
    for (std::size_t t = 0; t < n; ++t) {
        y[t] = x[t] - coefficient * before;
        before = x[t];
    }
    return y;
}

/// dbefore_out: gradient with respect to `before` on the way out. Adds to dx, and to *dbefore_in unless null.
template <class T>
void pre_emphasis_backward(std::size_t n, const T* dy, T coefficient, T dbefore_out, T* dx, T* dbefore_in) {
    T later = dbefore_out; // what reaches x[t] from after t
    for (std::size_t t = n; t-- > 0;) {
        dx[t] += dy[t] + later;
        later = -coefficient * dy[t];
    }
    if (dbefore_in)
        *dbefore_in += later;
}

/// The last samples of the piece before this one.
template <class T>
struct PreEmphasisState {
    T target = 0, prediction = 0;
};

template <class T>
void pre_emphasised_esr(std::size_t n, const T* target, const T* prediction, T coefficient, PreEmphasisState<T>& state,
                        EsrSums<T>& sums) {
    const std::vector<T> y = pre_emphasis(n, target, coefficient, state.target);
    const std::vector<T> p = pre_emphasis(n, prediction, coefficient, state.prediction);
    esr(n, y.data(), p.data(), sums);
}

/// state: as it was before the forward call. dstate_out: gradient with respect to state.prediction after it (0 for the
/// last piece). Adds to dprediction, and to *dstate_in, the gradient with respect to state.prediction, unless null.
template <class T>
void pre_emphasised_esr_backward(std::size_t n, const T* target, const T* prediction, T coefficient,
                                 PreEmphasisState<T> state, T energy, T dloss, T dstate_out, T* dprediction,
                                 T* dstate_in) {
    const std::vector<T> y = pre_emphasis(n, target, coefficient, state.target);
    const std::vector<T> p = pre_emphasis(n, prediction, coefficient, state.prediction);
    std::vector<T> dp(n, T(0));
    esr_backward(n, y.data(), p.data(), energy, dloss, dp.data());
    pre_emphasis_backward(n, dp.data(), coefficient, dstate_out, dprediction, dstate_in);
}

} // namespace serpent::equations
