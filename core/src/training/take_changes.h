// SPDX-License-Identifier: MIT
// What makes a recording one that no capture can follow though it keeps time: a knob that was moved in mid-take, and a delay or
// reverb that was left on. A model would learn a mixture of both settings, and neither remembers what sounded a second ago.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace serpent {

struct TakeChanges {
    /// From here on the wet has so much more level than before where the dry plays the same.
    struct Step {
        std::size_t at_sample = 0;
        double gain_db = 0;
        double low_hz = 0, high_hz = 0;  ///< of the band in which it does; 0: on the whole
    };
    struct Echo {
        double delay_s = 0, level_db = 0;  ///< of the first repetition, beside what is repeated
    };
    std::vector<Step> steps;                 ///< in order
    std::optional<Echo> echo;
    std::optional<double> reverberation_db;  ///< what sounds from 50 to 400 ms after the direct sound, beside that
};

/// wet[i] answers dry[i], give or take some milliseconds; both have one length. In less than 26 s of playing nothing is found:
/// chance would tell as much.
std::vector<TakeChanges::Step> find_steps(std::span<const float> dry, std::span<const float> wet, int sample_rate);
/// Sets echo or reverberation_db, or neither.
void find_repetition(std::span<const float> dry, std::span<const float> wet, int sample_rate, TakeChanges& found);

/// Both; steps only where nothing repeats.
TakeChanges find_changes(std::span<const float> dry, std::span<const float> wet, int sample_rate);

/// What was found, in words that name the recording; times are those of the dry before it lost `dry_begin` samples at its begin.
std::vector<std::string> describe(const TakeChanges& found, const std::string& wet_name, std::size_t dry_begin,
                                  int sample_rate);

} // namespace serpent
