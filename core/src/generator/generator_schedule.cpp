// SPDX-License-Identifier: MIT
#include "generator/generator_state.h"
#include "training/schedule_fields.h"

namespace serpent {

void check_schedule(const GeneratorSchedule& k) {
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
    check_field("restart", k.restart, 0, 1);
    check_field("gap_s", k.gap_s, 0, 3600);
    check_field("unsaid", k.unsaid, 0, 1);
    check_field("stay", k.stay, 0, 1);
    check_field("validate_every", k.validate_every, 1, any * any);
    check_field("longest_memory_s", k.longest_memory_s, 1e-6, 3600);
}

} // namespace serpent
