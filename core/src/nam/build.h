// SPDX-License-Identifier: MIT
#pragma once

#include "nam/network.h"

namespace serpent::nam {

/// The network as the engine runs it.
kernels::Network engine_network(const Network& network);

/// Samples that the answer depends on, the present one included; 0: any number.
int reach_of(const Network& network);

/// Multiply-accumulates per sample.
std::size_t macs_of(const Network& network);

/// Samples of silence after which it counts as settled: what the public player warms up with.
int settling_of(const Network& network);

} // namespace serpent::nam
