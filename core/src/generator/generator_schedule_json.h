// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/generator_training.h"

#include <nlohmann/json.hpp>

namespace serpent {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(GeneratorSchedule, steps, lanes, segment, rate, final_rate, rate_warmup,
                                                weight_decay, clip, average, restart, gap_s, unsaid, stay, validate_every,
                                                patience, longest_memory_s)

} // namespace serpent
