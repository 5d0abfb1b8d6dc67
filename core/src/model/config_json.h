// SPDX-License-Identifier: MIT
// The "config" text of a model file: JSON <-> ModelConfig, and the limits that hold for every model.
#pragma once

#include "serpent/model.h"

#include <string>
#include <string_view>

namespace serpent {

inline constexpr float least_output_peak = 1e-30f, most_output_peak = 1e30f;  ///< equations/output_bound.h

/// Throws Error naming the field. Unknown keys are ignored; what design and docs call optional gets its default.
/// The result has passed check_config().
/// Files of version 1 know neither "blocks" nor "dilations" and filters: there these are unknown keys like any other.
ModelConfig parse_config(std::string_view text, int version = 2);

std::string config_text(const ModelConfig& config);
/// The oldest version of the format that can hold such a model.
int format_version(const ModelConfig& config);

/// What holds for a model of any family.
void check_rate_and_channels(const ModelConfig& config);

/// Throws Error naming the field that is outside its limits (docs/model_format.md).
void check_config(const ModelConfig& config);

} // namespace serpent
