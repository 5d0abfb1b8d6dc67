// SPDX-License-Identifier: MIT
#include "training/loop_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace serpent {

double learning_rate(const LoopSchedule& k, std::int64_t step) {
    const double warm = std::min(1.0, double(step + 1) / std::max(1, k.rate_warmup));
    const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * double(step) / double(k.steps)));
    return k.rate * warm * (k.final_rate + (1 - k.final_rate) * cosine);
}

/// The average forgets its beginning: early on it is the plain mean of what there was.
float average_keep(const LoopSchedule& k, std::int64_t step) {
    return static_cast<float>(std::min(k.average, double(step) / double(step + 10)));
}

bool has_patience(const LoopSchedule& k, std::int64_t step, std::int64_t best_step) {
    const std::int64_t counted_from = std::max(best_step, k.steps / 2);
    return step - counted_from <= std::max<std::int64_t>(k.validate_every, std::int64_t(k.patience * double(k.steps)));
}

} // namespace serpent
