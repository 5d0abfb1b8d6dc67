// SPDX-License-Identifier: MIT
// What the schedules of all trainings have in common, and what it says about an update.
#pragma once

#include "training/schedule_fields.h"

#include <cstdint>

namespace serpent {

/// TrainSchedule's and GeneratorSchedule's fields of these names.
struct LoopSchedule {
    std::int64_t steps = 1;
    double rate = 1e-3, final_rate = 0.01;
    int rate_warmup = 0;
    double clip = 1.0, average = 0.99;
    int validate_every = 1;
    double patience = 1.0;
};

template <class Schedule>
LoopSchedule loop_schedule(const Schedule& k) {
    return {k.steps, k.rate, k.final_rate, k.rate_warmup, k.clip, k.average, k.validate_every, k.patience};
}

/// Throws Error naming the field that is out of its range.
template <class Schedule>
void check_loop_fields(const Schedule& k) {
    constexpr double any = 1e6;  // beyond all use, and far from overflow
    check_field("steps", k.steps, 1, double(most_steps));
    check_lanes_field(k.lanes);
    check_field("segment", k.segment, 1, longest_segment_samples);
    check_field("rate", k.rate, 1e-30, any);
    check_field("final_rate", k.final_rate, 0, 1);
    check_field("rate_warmup", k.rate_warmup, 0, any * any);
    check_field("weight_decay", k.weight_decay, 0, any);
    check_field("clip", k.clip, 1e-30, any);
    check_field("average", k.average, 0, 1);
    check_field("validate_every", k.validate_every, 1, any * any);
    check_field("patience", k.patience, 0, 1000);
    check_field("longest_memory_s", k.longest_memory_s, 1e-6, 3600);
}

/// Of the update that follows `step` others: AdamW's rate, a warm-up times a cosine; and what the averaged weights keep.
double learning_rate(const LoopSchedule& schedule, std::int64_t step);
float average_keep(const LoopSchedule& schedule, std::int64_t step);

/// Whether to go on after `step` updates, the best validation having been that at `best_step`. Patience counts in the second half
/// only, since at a high rate the validation jumps about.
bool has_patience(const LoopSchedule& schedule, std::int64_t step, std::int64_t best_step);

} // namespace serpent
