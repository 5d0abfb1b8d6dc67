// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/training.h"

namespace serpent {

/// Throws Error naming the field that is out of its range.
void check_schedule(const TrainSchedule& schedule);

/// The longest time constant in silence, at the start of a run and of every model that comes out of it.
double longest_memory_samples(const TrainSchedule& schedule, int sample_rate_hz);

} // namespace serpent
