// SPDX-License-Identifier: MIT
// How long gear remembers what it heard when it sets its gain: the attack and release of compressors, which a training has to be told
// (longer segments, slower states), and which a distortion has next to none of.
//
// Levels of 10 ms are compared: the gain is fitted by what sounds now (level and four bands, as polynomials), then also by envelopes
// and means of the level over longer and longer times. Gear rides its gain when the past halves what the present leaves unexplained;
// the shortest time that explains nearly as much as the longest is how long it remembers. Fitted on six frames of seven, judged by
// the seventh.
#pragma once

#include "serpent/training.h"

namespace serpent {

struct GainMemory {
    double static_error_db = 0;   ///< rms error of the gain as a function of the present sound
    double with_past_db = 0;      ///< the same when the past may help
    double seconds = 0;           ///< time constant of the past that helps; 0: the gear does not ride its gain
};

/// Over all takes, each fitted by itself (their controls differ). Zeros where they are too short or quiet to tell.
GainMemory gain_memory(const TrainingSet& data);

} // namespace serpent
