// SPDX-License-Identifier: MIT
// What a model's output passes last: the identity as far as the model was trained, a smooth bound beyond.
//
//   a = |x|,  knee = 1.25 peak,  room = 0.75 peak,  e = a - knee
//   y = x                                          where a <= knee: the same bits
//   y = sign(x) (knee + room / (1 + room / e))     beyond: once differentiable, rises, and never leaves 2 peak (+6 dB)
//
// peak is the largest sample the model was trained to put out; 0: no bound. One sample at a time, so every cut of a signal
// gives the same answer; no product meets a sum, so that no compiler fuses them and every instruction set has the same bits.
// What is not finite passes: who looks for broken states still sees it.
// Values    peak from 1e-30 to 1e30, so that nothing here overflows.
#pragma once

#include "equations/host_device.h"

#include <cmath>
#include <limits>

namespace serpent::equations {

template <class T>
struct OutputBound {
    T knee = std::numeric_limits<T>::infinity(), room = T(0);

    OutputBound() = default;
    explicit OutputBound(T peak) {
        if (!(peak > T(0))) return;
        knee = T(1.25) * peak;
        room = T(2) * peak - knee;  // exact, so that knee + room is 2 peak
    }

    SERPENT_HD bool bounds() const { return room > T(0); }

    SERPENT_HD T operator()(T x) const {
        const T a = std::fabs(x);
        if (!(a > knee && std::isfinite(a))) return x;
        const T y = knee + room / (T(1) + room / (a - knee));
        return x < T(0) ? -y : y;
    }
};

} // namespace serpent::equations
