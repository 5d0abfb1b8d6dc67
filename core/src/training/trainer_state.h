// SPDX-License-Identifier: MIT
// Everything a run is, at one moment: what a checkpoint holds.
#pragma once

#include "lanes/lane_model.h"
#include "serpent/training.h"
#include "training/played_states.h"
#include "training/segment_sampler.h"
#include "training/signal_scale.h"

#include <limits>

namespace serpent {

struct TrainerState {
    TrainOptions options;
    SignalScale scale;
    Model net;                      ///< weights being trained, in the scaled domain
    Weights average, m, v, best;    ///< moving average, AdamW's moments, and the average at the best validation
    std::int64_t step = 0;
    double best_valid_esr = std::numeric_limits<double>::infinity();
    std::int64_t best_step = 0;
    double loss_sum = 0;            ///< since the last point of the curve
    std::int64_t loss_count = 0;
    std::vector<TrainPoint> curve;
    std::vector<LaneRun> runs;                   ///< [lanes]
    std::vector<State> lane_states;              ///< [lanes], filled for a checkpoint only
    std::vector<std::vector<float>> lane_errors; ///< [lanes][channels], likewise
    PlayedStates played;
    std::uint64_t data_fingerprint = 0;
};

/// FNV-1a over all samples and controls: a checkpoint goes on only with the data it was made on.
std::uint64_t fingerprint(const TrainingSet& data);

void write_checkpoint(const TrainerState& state, const std::filesystem::path& path);
TrainerState read_checkpoint(const std::filesystem::path& path);

/// AdamW's decay of one tensor.
double weight_decay_of(const TrainSchedule& schedule, const TensorRef& tensor);

/// `weights` with the scale folded in, playing signals as recorded.
Model export_model(const TrainerState& state, const Weights& weights);

} // namespace serpent
