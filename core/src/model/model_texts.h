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

/// The format's version. Throws Error unless the texts are those of a Serpent model of a version known here, with a config.
int check_format(const Texts& texts);

/// The texts for people; throws Error when one that should be a number is not.
Metadata metadata_from(Texts texts);
Texts texts_from(const Metadata& metadata, const std::string& config, int version);

/// Throws Error naming the tensor whose size or values are out of bounds.
void check_values(const TensorRef& tensor);

/// Why `bytes` are no model: another kind of file, if they are known to be one, or else `reason`.
std::string why_no_model(std::span<const std::byte> bytes, const std::string& reason);

} // namespace serpent
