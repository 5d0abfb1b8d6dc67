// SPDX-License-Identifier: MIT
// A filter of finite length over one running signal: y[t] = sum_k weight[k] x[t - k]  (kernels/equations/fir.h).
//
// The order of the sums of a sample depends on the number of taps alone: lanes lie along the taps, in four chains of
// multiply-adds, then one fixed tree over chains and lanes. Every cut of the signal gives the same bits on one ISA.
//
// Shapes    packed: fir_padded(taps) weights, made by pack_fir(), aligned to 64 bytes. x: n samples, with fir_padded(taps) - 1
//           more readable in front of them, of which the last taps - 1 are the history, oldest first; what lies in front of
//           those counts with weight 0, so that it has to be finite. y: n samples. x and y need no alignment.
// Aliasing  y must not overlap x, its history included.
// Error     1e-6 of sum_k |weight[k] x[t - k]|.
#pragma once

#include "serpent/kernels/isa.h"

#include <cstddef>

namespace serpent::kernels {

/// The taps with the zeros that fill their last vector, whatever the ISA: at least 16.
constexpr std::size_t fir_padded(std::size_t taps) { return taps < 16 ? 16 : (taps + 15) / 16 * 16; }

/// weight[taps], that of the present sample first, to packed[fir_padded(taps)]: zeros, then the oldest sample's weight first.
void pack_fir(std::size_t taps, const float* weight, float* packed) noexcept;

struct FirOps {
    Isa isa;
    /// padded: fir_padded(taps). No allocation; any n.
    void (*filter)(std::size_t padded, const float* packed, const float* x, float* y, std::size_t n);
};

/// Throws std::invalid_argument when `isa` is not available.
const FirOps& fir_ops_for(Isa isa);

} // namespace serpent::kernels
