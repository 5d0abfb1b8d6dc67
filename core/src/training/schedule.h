// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/training.h"

namespace serpent {

/// Throws Error naming the field that is out of its range.
void check_schedule(const TrainSchedule& schedule);

} // namespace serpent
