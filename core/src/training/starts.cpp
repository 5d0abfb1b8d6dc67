// SPDX-License-Identifier: MIT
#include "serpent/training.h"

#include "model/as_error.h"
#include "training/signal_scale.h"

#include <algorithm>
#include <limits>

namespace serpent {
namespace {

/// Seeds of starts lie far apart, so that those of neighbouring runs are no others' again.
std::uint64_t seed_of(std::uint64_t seed, int start) { return seed + (std::uint64_t(start) << 32); }

double esr_after(const std::shared_ptr<const TrainingSet>& data, TrainOptions options, std::int64_t updates, const std::function<bool()>& step) {
    options.schedule.validate_every = static_cast<int>(updates);
    Trainer trainer(data, std::move(options));
    for (std::int64_t i = 0; i < updates && step(); ++i)
        if (!trainer.step()) break;
    return trainer.best_valid_esr();
}

} // namespace

std::int64_t start_updates(const TrainSchedule& k) {
    constexpr std::int64_t share = 20, least = 100, most = 1000;
    const std::int64_t updates = std::min(most, k.steps / share);
    return k.starts > 1 && updates >= least ? updates : 0;
}

Starts try_starts(std::shared_ptr<const TrainingSet> data, const TrainOptions& options, const std::function<bool(double share)>& go_on) try {
    check_training_set(*data);
    Starts found{options.seed, start_updates(options.schedule), {}, true};
    if (found.updates < 1 || data->valid.empty()) return found;
    constexpr double off_the_ground = 0.5;  // ESR; a net that is silent has 1
    const int once = options.schedule.starts;
    double best = std::numeric_limits<double>::infinity();
    std::int64_t done = 0;
    int wanted = once;
    const auto step = [&] { return found.finished = go_on(double(done++) / double(wanted * found.updates)); };
    for (int start = 0; start < wanted; ++start) {
        TrainOptions trial = options;
        trial.seed = seed_of(options.seed, start);
        const double esr = esr_after(data, trial, found.updates, step);
        if (!found.finished) return found;
        found.valid_esr.push_back(esr);
        if (esr < best) best = esr, found.seed = trial.seed;
        if (start + 1 == once && !(best < off_the_ground)) wanted = 2 * once;
    }
    return found;
} catch (...) {
    rethrow_as_error("train this model on these recordings");
}

} // namespace serpent
