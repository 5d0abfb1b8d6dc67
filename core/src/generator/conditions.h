// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/generator_model.h"

namespace serpent {

/// Throws Error unless there is one value for each of the model's conditions, and it has them.
void check_conditions(const GeneratorConfig& config, const std::vector<int>& conditions);

} // namespace serpent
