// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/training.h"

namespace serpent {

/// Fresh weights with all optional biases, for signals of unit rms. Time constants cover 1 sample to
/// schedule.longest_memory_s: spread over states and channels ("grid") or channels alone, with A = 1..N ("slow"). Rotating blocks turn at
/// 40 Hz to 12 kHz, and remember 0.1 s at most, with "slow" as long as the others. The filter at the output delays by `delay_samples`.
Weights initial_weights(const ModelConfig& config, const TrainSchedule& schedule, std::uint64_t seed, int delay_samples = 0);

} // namespace serpent
