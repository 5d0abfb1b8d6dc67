// SPDX-License-Identifier: MIT
// Everything a generator's training is, at one moment: what a checkpoint holds.
#pragma once

#include "generator/generator_sampler.h"
#include "generator/generator_segment.h"
#include "training/divergence.h"

#include <cstddef>
#include <limits>
#include <span>

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
    Divergence divergence;
    std::uint64_t data_fingerprint = 0;
};

/// Throws Error naming the field that is out of its range.
void check_schedule(const GeneratorSchedule& schedule);

/// FNV-1a over all classes and conditions: a checkpoint goes on only with the data it was made on.
std::uint64_t fingerprint(const GeneratorData& data);

void write_checkpoint(const GeneratorTrainerState& state, const std::filesystem::path& path);
std::vector<std::byte> checkpoint_bytes(const GeneratorTrainerState& state);
/// Throws Error, naming the file, when it is damaged or was made on other data.
GeneratorTrainerState read_checkpoint(const std::filesystem::path& path, const GeneratorData& data);
/// Of the state's own, everything is checked: what is read can be written. Throws Error saying what is wrong.
GeneratorTrainerState parse_generator_checkpoint(std::span<const std::byte> bytes);
/// Throws Error unless the state was made on these recordings and lies inside them.
void check_fits(const GeneratorTrainerState& state, const GeneratorData& data);

/// Random weights; time constants spread over 1 step to the schedule's longest memory.
GeneratorWeights initial_generator_weights(const GeneratorConfig& config, const GeneratorSchedule& schedule, std::uint64_t seed);

/// Makes every tensor as large as the config says, filled with zeros.
void resize_weights(const GeneratorConfig& config, GeneratorWeights& weights);

} // namespace serpent
