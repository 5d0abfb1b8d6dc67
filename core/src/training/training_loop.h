// SPDX-License-Identifier: MIT
#pragma once

#include "training/training_task.h"

namespace serpent {

/// Every training's loop: updates, validations, patience, what to make of numbers that overflow, and how long it takes.
class TrainingLoop {
public:
    /// `state` is the task's own; all three must outlive the loop. Goes on from whatever state it is.
    TrainingLoop(TrainingTask& task, LoopState& state, Workers& workers);

    /// One update; validates when it is time to. False when the run is over: all steps done, or patience lost.
    bool step();
    /// Makes the state that of a device that worked ahead.
    void fetch();
    /// Seconds that a step takes here, with its share of validations. Trains on the way: for copies.
    double seconds_per_step();

private:
    void update();
    void validate();
    void note_divergence();
    double seconds_per_update(std::int64_t at_step);

    TrainingTask& task_;
    LoopState& state_;
    Workers& workers_;
    Optimiser optimiser_;
    std::vector<float> gradient_;
};

/// As many as fit into `minutes`, `least` at least.
std::int64_t steps_within(double minutes, double seconds_per_step, std::int64_t least);

} // namespace serpent
