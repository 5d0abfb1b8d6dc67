// SPDX-License-Identifier: MIT
// What the recordings are like before training: whether they fit together, and how loud they are.
#pragma once

#include "serpent/training.h"

namespace serpent {

/// The data's scale. Training sees signals of unit rms; it is folded into encoder, decoder and skip on the way out.
struct SignalScale {
    double dry = 1, wet = 1;        ///< rms of all training takes
    double pre_emphasised = 1;      ///< mean square of the pre-emphasised wet, over wet^2
};

/// Throws Error unless every take has equal, non-empty channels and a value for every control.
void check_training_set(const TrainingSet& data);

/// Throws Error when the training takes are silent.
SignalScale measure_scale(const TrainingSet& data);

/// The largest sample of any take's wet side, training or validation: ModelConfig::output_peak. 0 (no bound) where it is out
/// of range.
float output_peak(const TrainingSet& data);

/// What makes a take's squared error an ESR of its own: the mean power of all takes over that of this one. Takes more
/// than 40 dB quieter than the rest count as if they were 40 dB quieter.
float take_weight(const TrainingTake& take, const SignalScale& scale);

} // namespace serpent
