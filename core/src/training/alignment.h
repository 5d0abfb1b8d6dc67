// SPDX-License-Identifier: MIT
// How many samples the wet recording lies behind the dry one.
//
// The answer is the onset of the wet: the first sample that an input makes the gear move. The peak of a
// cross-correlation is something else, because filters and distortion move it either way, and aligning peaks would ask
// a causal model to foresee its input. Two observers are combined:
//
// * The impulse response between the two: its first tap that stands out is the answer. Both are filtered by the dry
//   signal's linear predictor, block by block, so that the dry becomes white; the rest is least squares. For a
//   distorted signal this is the best linear approximation (Bussgang), whose beginning is as causal as the gear.
// * Sharp attacks after silence, the clicks of the capture signal above all: the first wet sample that leaves the
//   noise before it. Any such attack is an upper bound, a low quantile of many a robust one.
#pragma once

#include "serpent/capture.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace serpent {

struct Alignment {
    std::ptrdiff_t latency_samples = 0;  ///< wet[i + latency] answers dry[i]; negative: the wet begins earlier
    bool found = false;                  ///< false: latency_samples is 0 for want of anything better
    bool polarity_inverted = false;      ///< the first tap of the response is mostly negative; never corrected
    bool clicks_disagree = false;        ///< those of the capture signal: samples were lost or inserted, or a clock drifted
    std::string confidence;              ///< one sentence for a person
    std::optional<std::ptrdiff_t> roughly; ///< not found: where the whole take was searched, about how far the wet lies behind
};

/// Latency, wherever in the recordings the two meet. layout: where the clicks are, when dry is the capture signal.
Alignment find_latency(std::span<const float> dry, std::span<const float> wet, int sample_rate,
                       const std::optional<CaptureLayout>& layout = {});

} // namespace serpent
