// SPDX-License-Identifier: MIT
// Everything a generator's training is, at one moment: what a checkpoint holds.
#pragma once

#include "generator/generator_sampler.h"
#include "generator/generator_segment.h"
#include "training/training_task.h"

#include <cstddef>
#include <span>

namespace serpent {

struct GeneratorTrainerState : LoopState {
    GeneratorTrainOptions options;
    GeneratorWeights net, average, m, v, best;  ///< being trained; moving average; AdamW's moments; best average
    std::vector<GeneratorPoint> curve;
    std::vector<GeneratorLane> lanes;
    std::vector<GeneratorLaneState> groups;     ///< [lanes / 16], filled for a checkpoint only
    std::uint64_t data_fingerprint = 0;
};

/// Of a run before its first step. Throws Error when data, schedule or configuration is not valid.
GeneratorTrainerState fresh_state(const GeneratorData& data, GeneratorTrainOptions options);
/// Throws Error when there is nothing to train on.
void check_generator_data(const GeneratorData& data);

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

/// AdamW's decay of one tensor.
double weight_decay_of(const GeneratorSchedule& schedule, const TensorRef& tensor);

bool makes_valid_model(const GeneratorConfig& config, const GeneratorWeights& weights);
/// The best weights that make a valid model, if there are any; the averaged ones before the first validation.
GeneratorModel best_model(const GeneratorTrainerState& state);

} // namespace serpent
