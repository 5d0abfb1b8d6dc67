// SPDX-License-Identifier: MIT
#include "training/schedule.h"

#include "training/loop_schedule.h"

#include <algorithm>

namespace serpent {

void check_schedule(const TrainSchedule& k) {
    constexpr double any = 1e6;  // beyond all use, and far from overflow
    check_loop_fields(k);
    check_field("late_segment", k.late_segment, 1, longest_segment_samples);
    check_field("late_share", k.late_share, 0, 1);
    check_field("film_weight_decay", k.film_weight_decay, 0, any);
    check_field("esr_weight", k.esr_weight, 0, any);
    check_field("pre_emphasis_weight", k.pre_emphasis_weight, 0, any);
    check_field("mrstft_weight", k.mrstft_weight, 0, any);
    if (k.esr_weight + k.pre_emphasis_weight + k.mrstft_weight <= 0)
        throw Error("the schedule's weights of the loss are all 0; give \"esr_weight\", \"pre_emphasis_weight\" or \"mrstft_weight\" more");
    check_field("shortest_run_s", k.shortest_run_s, 1e-6, 3600);
    check_field("longest_run_s", k.longest_run_s, k.shortest_run_s, 86400);
    check_field("silence_share", k.silence_share, 0, 1);
    check_field("replay_every", k.replay_every, 1, any * any);
    check_field("unscored_s", k.unscored_s, 0, 3600);
    check_field("starts", k.starts, 1, 64);
    if (k.start != "grid" && k.start != "slow")
        throw Error("the schedule's \"start\" is \"" + k.start + "\"; it must be \"grid\" or \"slow\"");
}

double longest_memory_samples(const TrainSchedule& schedule, int sample_rate_hz) {
    return std::max(4.0, schedule.longest_memory_s * sample_rate_hz);
}

} // namespace serpent
