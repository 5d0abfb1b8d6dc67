// SPDX-License-Identifier: MIT
// The yardstick of the benchmarks: how many float multiply-adds one core can do at all.
#pragma once

#include "serpent/kernels/isa.h"

namespace serpent::kernels {

/// Multiply-adds per nanosecond of one core, all lanes counted: independent chains in registers, best of several short
/// runs that take about `seconds` together. SSE4 and scalar code multiply and add separately.
/// Throws std::invalid_argument when `isa` is not available.
double measure_peak_macs_per_ns(Isa isa, double seconds = 0.1);

} // namespace serpent::kernels
