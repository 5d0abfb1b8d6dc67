// SPDX-License-Identifier: MIT
// What a dry and a wet recording tell before anything is trained on them or scored by them. `train` and `evaluate` read every
// pair through read_take(), so that one accepts what the other does.
#pragma once

#include "serpent/audio_file.h"
#include "serpent/take_timing.h"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace serpent {

/// A pair as recorded: one rate and as many channels on both sides, but not yet aligned, and each of its own length.
struct RecordedTake {
    AudioBuffer dry, wet;
};

struct TakeRules {
    bool training = true;  ///< refuses what can be scored but not learned from: silence, less than 2 s, one file given twice
    int channels = 0;      ///< of the model there is; 0: as many as the recordings have
};

/// Reads a pair and brings both sides to the same channels: a silent one is left out, and of two that say the same one is used.
/// Appends what was found and done to `notes`, naming the file. Throws Error, naming the file and the remedy.
RecordedTake read_take(const std::filesystem::path& dry, const std::filesystem::path& wet, const TakeRules& rules,
                       std::vector<std::string>& notes);

/// The part where both recordings are there: dry[dry_begin + i] belongs to wet[wet_begin + i] for i < length.
struct Overlap {
    std::size_t dry_begin = 0, wet_begin = 0, length = 0;
};
Overlap overlap(std::size_t dry_length, std::size_t wet_length, std::ptrdiff_t latency_samples);

/// How many samples `wet` lies behind `dry` (negative: before), wherever they meet; none when they have nothing to do with
/// each other.
std::optional<std::ptrdiff_t> find_delay(std::span<const float> dry, std::span<const float> wet, int sample_rate);

/// Tells in `notes` whether the wet keeps time with the dry. With `repair` it does afterwards, but for dropouts, which
/// sound_stretches() leaves out. latency_samples as in track_timing().
TakeTiming check_timing(RecordedTake& take, std::optional<std::ptrdiff_t> latency_samples, bool repair,
                        const std::filesystem::path& wet, std::vector<std::string>& notes);

/// Moves channel c of the wet `latency_samples[c]` earlier and cuts all to what they share. Says so in `notes` when one of the
/// recordings goes on longer. Returns how many samples the dry lost at its begin. Throws Error when less than half of it is
/// left.
std::size_t align_take(RecordedTake& take, const std::vector<std::ptrdiff_t>& latency_samples, const std::filesystem::path& dry,
                       const std::filesystem::path& wet, std::vector<std::string>& notes);

/// Tells in `notes` of an aligned take whether a knob seems to have been moved in mid-take, and a delay or reverb left on.
/// `dry_begin`: how many samples the dry lost at its begin, so that times are those of the file.
void check_changes(const RecordedTake& take, std::size_t dry_begin, const std::filesystem::path& wet,
                   std::vector<std::string>& notes);

} // namespace serpent
