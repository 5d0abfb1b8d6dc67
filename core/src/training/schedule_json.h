// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/training.h"

#include <nlohmann/json.hpp>

namespace serpent {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(TrainSchedule, steps, lanes, segment, late_segment, late_share, rate,
                                                final_rate, rate_warmup, weight_decay, film_weight_decay, clip, average, esr_weight,
                                                pre_emphasis_weight, mrstft_weight, shortest_run_s, longest_run_s,
                                                unscored_s, silence_share, replay_every, validate_every, patience, start, longest_memory_s, starts)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Control, name, min, max, default_value, unit)

} // namespace serpent
