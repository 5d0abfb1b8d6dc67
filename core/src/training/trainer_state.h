// SPDX-License-Identifier: MIT
// Everything a run is, at one moment: what a checkpoint holds.
#pragma once

#include "lanes/lane_model.h"
#include "serpent/training.h"
#include "training/played_states.h"
#include "training/segment_gradient.h"
#include "training/segment_sampler.h"
#include "training/signal_scale.h"
#include "training/training_task.h"

#include <cstddef>
#include <span>

namespace serpent {

struct TrainerState : LoopState {
    TrainOptions options;
    SignalScale scale;
    float output_peak = 0;          ///< of the recordings: no checkpoint holds it, and training does without
    Model net;                      ///< weights being trained, in the scaled domain
    Weights average, m, v, best;    ///< moving average, AdamW's moments, and the average at the best validation
    std::vector<TrainPoint> curve;
    std::vector<LaneRun> runs;                   ///< [lanes]
    std::vector<State> lane_states;              ///< [lanes], filled for a checkpoint only
    std::vector<std::vector<float>> lane_errors; ///< [lanes][channels], likewise
    PlayedStates played;
    std::uint64_t data_fingerprint = 0;
};

/// Of a run before its first step. Throws Error when data, schedule or configuration is not valid.
TrainerState fresh_state(const TrainingSet& data, TrainOptions options);

/// FNV-1a over all samples and controls: a checkpoint goes on only with the data it was made on.
std::uint64_t fingerprint(const TrainingSet& data);

void write_checkpoint(const TrainerState& state, const std::filesystem::path& path);
std::vector<std::byte> checkpoint_bytes(const TrainerState& state);
/// Throws Error, naming the file, when it is damaged or was made on other data.
TrainerState read_checkpoint(const std::filesystem::path& path, const TrainingSet& data);
/// Of the state's own, everything is checked: what is read can be written. Throws Error saying what is wrong.
TrainerState parse_checkpoint(std::span<const std::byte> bytes);
/// Throws Error unless the state was made on these recordings and lies inside them.
void check_fits(const TrainerState& state, const TrainingSet& data);

/// AdamW's decay of one tensor.
double weight_decay_of(const TrainSchedule& schedule, const TensorRef& tensor);
/// The loss of a segment in the update that comes next.
SegmentLoss segment_loss(const TrainerState& state, int steps);

/// The lanes of `lane_states` and `lane_errors` in which numbers overflowed.
std::set<int> overflowed_lanes(const TrainerState& state);

/// `weights` with the scale folded in, playing signals as recorded, with the recordings' bound on the output and the
/// schedule's on the memory.
Model export_model(const TrainerState& state, const Weights& weights);
bool makes_valid_model(const TrainerState& state, const Weights& weights);
/// The best weights that make a valid model: a training that diverged may have some that do not.
Model best_model(const TrainerState& state);

} // namespace serpent
