// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/model.h"

namespace serpent {

/// Raises |A| where a state would remember longer than `longest_samples` (a time constant, in silence), at the controls'
/// defaults and at both ends of each. Other weights, and states that forget soon enough, stay as they are. Returns whether
/// anything was raised.
bool bound_memory(Model& model, double longest_samples);

} // namespace serpent
