// SPDX-License-Identifier: MIT
// The live engine's vector functions over arrays, so that tests can sweep them on every ISA.
#pragma once

#include "serpent/kernels/isa.h"

#include <cstddef>

namespace serpent::kernels {

/// out[i] = f(in[i]), i < n; the same array is allowed. Bounds: cpu/math-inl.h.
struct LiveMath {
    Isa isa;
    void (*exp2m1)(std::size_t n, const float* in, float* out);    ///< 2^x - 1, x <= 127
    void (*silu)(std::size_t n, const float* in, float* out);      ///< x / (1 + exp(-x))
    void (*softplus)(std::size_t n, const float* in, float* out);  ///< ln(1 + exp(x))
};

/// Throws std::invalid_argument when `isa` is not available.
const LiveMath& live_math_for(Isa isa);

} // namespace serpent::kernels
