// SPDX-License-Identifier: MIT
// What every kind of model file shares: its texts, and the checks that every tensor goes through.
#pragma once

#include "serpent/model.h"

#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace serpent {

using Texts = std::map<std::string, std::string>;

/// Throws Error unless the texts are those of a Serpent model of this version, with a config.
void check_format(const Texts& texts);

/// The texts for people; throws Error when one that should be a number is not.
Metadata metadata_from(Texts texts);
Texts texts_from(const Metadata& metadata, const std::string& config);

/// Throws Error naming the tensor whose size or values are out of bounds.
void check_values(const TensorRef& tensor);

/// Multiply-accumulates of one layer, per step.
std::size_t layer_macs(const ModelConfig& config);

/// Why `bytes` are no model: another kind of file, if they are known to be one, or else `reason`.
std::string why_no_model(std::span<const std::byte> bytes, const std::string& reason);

} // namespace serpent
