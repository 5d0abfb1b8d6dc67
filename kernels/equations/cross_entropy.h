// SPDX-License-Identifier: MIT
// Cross-entropy of a softmax: loss[t] = ln sum_k exp(logits[t][k]) - logits[t][target[t]], in nats.
//
// Shapes    logits (length, classes); target (length), in [0, classes); loss (length).
// Source    torch.nn.CrossEntropyLoss without reduction.
#pragma once

#include <cmath>
#include <cstddef>

namespace serpent::equations {

struct CrossEntropyShape {
    std::size_t length, classes;
};

/// ln sum_k exp(row[k]), formed around the largest so that nothing overflows.
template <class T>
T log_sum_exp(std::size_t classes, const T* row) {
    T largest = row[0], sum = 0;
    for (std::size_t k = 1; k < classes; ++k) largest = row[k] > largest ? row[k] : largest;
    for (std::size_t k = 0; k < classes; ++k) sum += std::exp(row[k] - largest);
    return largest + std::log(sum);
}

template <class T>
void cross_entropy(const CrossEntropyShape& s, const T* logits, const int* target, T* loss) {
    for (std::size_t t = 0; t < s.length; ++t) {
        const T* row = logits + t * s.classes;
        loss[t] = log_sum_exp(s.classes, row) - row[target[t]];
    }
}

/// dlogits[t][k] += dloss[t] (softmax(logits[t])[k] - [k = target[t]]).
template <class T>
void cross_entropy_backward(const CrossEntropyShape& s, const T* logits, const int* target, const T* dloss, T* dlogits) {
    for (std::size_t t = 0; t < s.length; ++t) {
        const T* row = logits + t * s.classes;
        const T total = log_sum_exp(s.classes, row);
        for (std::size_t k = 0; k < s.classes; ++k) {
            const T probability = std::exp(row[k] - total);
            dlogits[t * s.classes + k] += dloss[t] * (probability - (static_cast<int>(k) == target[t] ? T(1) : T(0)));
        }
    }
}

} // namespace serpent::equations
