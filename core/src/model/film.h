// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/model.h"

#include <span>

namespace serpent {

/// film() without its allocations: `out` already has the model's sizes (as film() returns it).
/// `controls` holds one value per control of the model, or none for the defaults; NaN counts as the default.
void evaluate_film(const Model& model, std::span<const float> controls, Film& out) noexcept;

} // namespace serpent
