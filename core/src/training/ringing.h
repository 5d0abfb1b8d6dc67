// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace serpent {

/// How many samples before its onset (`latency_samples` behind the dry) the wet already moves, seen where something begins after digital
/// silence: filters of linear phase, in converters and in digital models of gear, ring ahead of what they let through. A moving wet
/// leaves the noise before it and 1e-4 of the sound's peak. None where the dry has no such silence, or nothing moves sooner.
std::optional<std::ptrdiff_t> rings_ahead_by(std::span<const float> dry, std::span<const float> wet, std::ptrdiff_t latency_samples,
                                             int sample_rate_hz);

} // namespace serpent
