// SPDX-License-Identifier: MIT
// The "config" text of a model file: JSON <-> ModelConfig, and the limits that hold for every model.
#pragma once

#include "serpent/model.h"

#include <string>
#include <string_view>

namespace serpent {

inline constexpr float least_output_peak = 1e-30f, most_output_peak = 1e30f;  ///< reference/output_bound.h

/// Throws Error naming the field. Unknown keys are ignored; what design and docs call optional gets its default.
/// The result has passed check_config().
ModelConfig parse_config(std::string_view text);

std::string config_text(const ModelConfig& config);

/// Throws Error naming the field that is outside its limits (docs/model_format.md).
void check_config(const ModelConfig& config);

} // namespace serpent
