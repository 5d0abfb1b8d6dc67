// SPDX-License-Identifier: MIT
// Whether a wet recording keeps time with its dry one: two clocks that run apart, and samples that a driver lost, doubled or
// left empty. A model cannot learn any of these, and a latency measured once does not show them.
#pragma once

#include "serpent/audio_file.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace serpent {

struct TakeTiming {
    /// From here on the wet lies `samples` later than before; negative: so many were lost.
    struct Slip {
        std::size_t at_sample = 0;  ///< of the dry
        std::ptrdiff_t samples = 0;
    };
    /// So many samples of the wet stand still amid sound.
    struct Hole {
        std::size_t at_sample = 0;  ///< of the dry
        std::size_t samples = 0;
    };
    bool measured = false;     ///< false: too short, or the wet does not follow the dry closely enough to tell
    double drift_ppm = 0;      ///< how much longer the wet takes than the dry; 0 where that is less than half a sample in all
    double wander_samples = 0; ///< what drift and slips leave of the delay's motion: 95 % of the take is within
    std::vector<Slip> slips;   ///< in order
    std::vector<Hole> holes;   ///< in order

    bool keeps_time() const { return drift_ppm == 0 && slips.empty() && holes.empty(); }
};

/// Measures the delay some times a second, to a fraction of a sample, against the take's own mean response, so that filters
/// and distortion do not matter. `latency_samples`: about how far the wet lies behind; none: it is looked for. Takes a second
/// or two for a take of three minutes.
TakeTiming track_timing(std::span<const float> dry, std::span<const float> wet, std::optional<std::ptrdiff_t> latency_samples,
                        int sample_rate);

/// What was found, in words that name the recording; warnings begin with "warning: ".
std::vector<std::string> describe(const TakeTiming& timing, const std::string& wet_name, int sample_rate);

/// Plays the wet faster or slower so that both clocks agree.
void remove_drift(AudioBuffer& wet, double drift_ppm);

/// dry[i] is answered by wet[i + shift_samples] for begin <= i < end, when the longest stretch is aligned.
struct Stretch {
    std::size_t begin = 0, end = 0;
    std::ptrdiff_t shift_samples = 0;
};

/// What is left of `length` samples when the surroundings of slips and holes are cut out: stretches of a second and more, at
/// least one, in order.
std::vector<Stretch> sound_stretches(const TakeTiming& timing, std::size_t length, int sample_rate);
/// The same for a dry that lost `samples` at its begin.
TakeTiming without_begin(TakeTiming timing, std::size_t samples);
const Stretch& longest(const std::vector<Stretch>& stretches);

} // namespace serpent
