// SPDX-License-Identifier: MIT
// Levels of a recording: silence, clipping, offset.
#pragma once

#include "serpent/audio_file.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace serpent {

/// Below -80 dBFS from begin to end.
bool is_silent(std::span<const float> channel);

/// Samples in runs of three and more that stand still at the signal's own maximum or minimum, which they reach at full speed:
/// what a converter or a hard limit leaves, at whatever level and in whatever format. Going beyond 1 is no clipping.
std::size_t clipped_samples(std::span<const float> channel);

/// Appends what is worth knowing about levels: clipping, offset, a recording so quiet that hiss will be learned.
/// `knob` is what to turn: "playback", "recording".
void check_levels(const AudioBuffer& audio, const std::filesystem::path& path, const char* knob,
                  std::vector<std::string>& notes);

} // namespace serpent
