// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/nam.h"

#include <string_view>

namespace serpent::nam {

/// Throws Error that says what is wrong, not in which file.
Model read_model(std::string_view text);

} // namespace serpent::nam
