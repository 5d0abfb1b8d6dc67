// SPDX-License-Identifier: MIT
#include "generator/generator_state.h"
#include "training/loop_schedule.h"

namespace serpent {

void check_schedule(const GeneratorSchedule& k) {
    check_loop_fields(k);
    check_field("restart", k.restart, 0, 1);
    check_field("gap_s", k.gap_s, 0, 3600);
    check_field("unsaid", k.unsaid, 0, 1);
    check_field("stay", k.stay, 0, 1);
}

} // namespace serpent
