// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/nam.h"

#include <span>
#include <string_view>

namespace serpent::nam {

/// Whether the bytes begin as a .nam file does, rather than as a safetensors file.
bool looks_like_nam(std::span<const std::byte> bytes);

/// Throws Error that says what is wrong, not in which file.
Model read_model(std::string_view text);

} // namespace serpent::nam
