// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace serpent::report {

/// A 16-bit sound file in memory that every browser decodes: FLAC, or WAV where libsndfile has no FLAC or the rate is
/// not one of FLAC's. Samples are taken times `scale` and saturate at full scale.
std::vector<std::uint8_t> sound_file(std::span<const float> signal, int sample_rate, double scale);

} // namespace serpent::report
