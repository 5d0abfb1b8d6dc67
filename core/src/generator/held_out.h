// SPDX-License-Identifier: MIT
#pragma once

#include "lanes/workers.h"
#include "serpent/generator_training.h"
#include "serpent/kernels/lanes.h"

namespace serpent {

/// bits_per_sample() on threads that are there already.
double held_out_bits(const GeneratorConfig& config, const GeneratorWeights& weights,
                     const std::vector<GeneratorRecording>& recordings, Workers& workers, const kernels::LaneOps& ops);

} // namespace serpent
