// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/audio_file.h"

#include <filesystem>
#include <string>
#include <vector>

namespace serpent {

/// What a listener would notice about a pair before training on it. Throws Error, naming the file and the remedy, when
/// it cannot be trained on: rates or channels that differ, a wet shorter than its dry, silence, hardly any length.
/// Appends what is merely worth knowing (clipping, DC, a longer wet) to `notes`.
void check_pair(const AudioBuffer& dry, const AudioBuffer& wet, const std::filesystem::path& dry_path,
                const std::filesystem::path& wet_path, std::vector<std::string>& notes);

} // namespace serpent
