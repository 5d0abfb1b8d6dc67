// SPDX-License-Identifier: MIT
// Everything a generator's training is, at one moment: what a checkpoint holds.
#pragma once

#include "generator/generator_sampler.h"
#include "generator/generator_segment.h"

#include <limits>

namespace serpent {

struct GeneratorTrainerState {
    GeneratorTrainOptions options;
    GeneratorWeights net, average, m, v, best;  ///< being trained; moving average; AdamW's moments; best average
    std::int64_t step = 0;
    double best_valid_bits = std::numeric_limits<double>::infinity();
    double nats_sum = 0, scored_sum = 0;        ///< since the last point of the curve
    std::vector<GeneratorPoint> curve;
    std::vector<GeneratorLane> lanes;
    std::vector<GeneratorLaneState> groups;     ///< [lanes / 16], filled for a checkpoint only
    std::uint64_t data_fingerprint = 0;
};

/// FNV-1a over all classes and conditions: a checkpoint goes on only with the data it was made on.
std::uint64_t fingerprint(const GeneratorData& data);

void write_checkpoint(const GeneratorTrainerState& state, const std::filesystem::path& path);
GeneratorTrainerState read_generator_checkpoint(const std::filesystem::path& path);

/// Random weights; time constants spread over 1 step to the schedule's longest memory.
GeneratorWeights initial_generator_weights(const GeneratorConfig& config, const GeneratorSchedule& schedule, std::uint64_t seed);

/// Makes every tensor as large as the config says, filled with zeros.
void resize_weights(const GeneratorConfig& config, GeneratorWeights& weights);

} // namespace serpent
