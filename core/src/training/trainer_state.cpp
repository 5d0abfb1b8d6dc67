// SPDX-License-Identifier: MIT
#include "training/trainer_state.h"

namespace serpent {

double weight_decay_of(const TrainSchedule& schedule, const TensorRef& tensor) {
    if (tensor.name.find("film.") != std::string::npos) return schedule.film_weight_decay;
    const bool matrix = tensor.shape.size() > 1 && !tensor.name.ends_with("A_log");
    return matrix ? schedule.weight_decay : 0.0;
}

} // namespace serpent
