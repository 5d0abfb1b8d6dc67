// SPDX-License-Identifier: MIT
#include "serpent/training.h"

#include "model/as_error.h"
#include "training/gain_memory.h"
#include "training/signal_scale.h"

#include <algorithm>
#include <cstdio>

namespace serpent {

std::vector<std::string> suit_to_gear(TrainOptions& options, const TrainingSet& data) try {
    constexpr double memory_of_time_constant = 3;  // after which 5 % are left
    check_training_set(data);
    const GainMemory memory = gain_memory(data);
    char text[200];
    if (memory.static_error_db == 0)
        return {"memory: the recordings are too short or quiet to tell whether the gear rides its gain; taken as gear that does not"};
    if (memory.seconds == 0) {
        std::snprintf(text, sizeof text, "memory: the gain follows from what sounds now (within %.1f dB; with the past within %.1f): no compressor",
                      memory.static_error_db, memory.with_past_db);
        return {text};
    }
    const double seconds = std::clamp(memory_of_time_constant * memory.seconds, 0.5, 10.0);
    const int fir_out = options.config.fir_out;
    set_memory(options, seconds);
    if (data.delay_samples > 0) options.config.fir_out = fir_out;  // which is where a delay goes
    std::snprintf(text, sizeof text, "memory: the gear rides its gain (what sounds now leaves %.1f dB of it open, the last seconds %.1f dB): trained "
                  "with a memory of %.1f s, as --memory would", memory.static_error_db, memory.with_past_db, seconds);
    return {text};
} catch (...) {
    rethrow_as_error("train this model on these recordings");
}

} // namespace serpent
