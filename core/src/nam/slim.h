// SPDX-License-Identifier: MIT
#pragma once

#include "nam/network.h"

#include <memory>

namespace serpent::nam {

/// The sizes that a file offers, smallest first, each as the least number in [0, 1] that chooses it; the first is 0.
std::vector<double> sizes_of(const File& file);

/// What plays at that size, in [0, 1]. Throws Error where it cannot be cut to it.
std::shared_ptr<const Network> at_size(const File& file, double size);

} // namespace serpent::nam
