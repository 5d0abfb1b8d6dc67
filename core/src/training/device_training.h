// SPDX-License-Identifier: MIT
// The trainer's updates on a GPU.
#pragma once

#include "serpent/kernels/device_train.h"
#include "training/segment_gradient.h"
#include "training/trainer_state.h"

namespace serpent {

class DeviceTraining {
public:
    /// Copies recordings, weights and sequences to the GPU. Throws kernels::DeviceError.
    DeviceTraining(const TrainingSet& data, TrainerState& state, const SegmentSampler& sampler, const std::vector<float>& take_weights);

    /// Queues one update: moves the sequences' runs on, but neither the weights in `state` nor its step.
    void update(TrainerState& state, const SegmentSampler& sampler, int samples, const SegmentLoss& loss, double rate, double average_keep);
    /// The losses since the last call, added up.
    double take_loss() { return trainer_.take_loss(); }
    /// Weights, average and moments as they are now.
    void fetch_weights(TrainerState& state) const;
    void send_weights(TrainerState& state);
    void collect_lanes(TrainerState& into) const;

private:
    const std::vector<float>& take_weights_;
    kernels::DeviceTrainer trainer_;
    std::vector<kernels::DeviceSequence> sequences_;
};

} // namespace serpent
