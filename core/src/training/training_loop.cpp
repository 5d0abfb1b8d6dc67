// SPDX-License-Identifier: MIT
#include "training/training_loop.h"

#include <chrono>
#include <cmath>

namespace serpent {
namespace {

template <class Work>
double seconds_of(const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

TrainingLoop::TrainingLoop(TrainingTask& task, LoopState& state, Workers& workers)
    : task_(task), state_(state), workers_(workers), optimiser_(task.trained()) {}

bool TrainingLoop::step() {
    const LoopSchedule k = task_.schedule();
    if (state_.step >= k.steps || !has_patience(k, state_.step, state_.best_step)) return false;
    update();
    const bool validates = state_.step % k.validate_every == 0 || state_.step == k.steps;
    const bool replays = task_.replay_every() > 0 && state_.step % task_.replay_every() == 0;
    if (validates || replays) fetch();
    if (validates) validate();
    if (replays) task_.replay();
    return true;
}

/// A segment that overflowed teaches nothing: the weights stay as they were, and the lanes have moved on.
void TrainingLoop::update() {
    const LoopSchedule k = task_.schedule();
    const UpdateRates rates{state_.step + 1, learning_rate(k, state_.step), k.clip, average_keep(k, state_.step)};
    if (task_.on_device()) {
        task_.update_on_device(rates, state_.loss);
    } else {
        task_.gradient(gradient_, state_.loss);
        if (!optimiser_.update(gradient_, rates, workers_)) {
            ++state_.divergence.skipped_updates;
            note_divergence();
        }
    }
    ++state_.step;
}

void TrainingLoop::fetch() {
    if (!task_.on_device()) return;
    const double loss = task_.fetch();
    state_.loss.sum += loss;
    if (!std::isfinite(loss)) note_divergence();
}

/// A lane that overflowed is whole again when it begins anew, so that is remembered.
void TrainingLoop::note_divergence() { state_.divergence.lanes.merge(task_.overflowed_lanes()); }

void TrainingLoop::validate() {
    const double loss = state_.loss.mean();
    const Validation result = task_.validate(loss);
    if (result.score < state_.best_score && result.can_ship) {
        state_.best_score = result.score;
        state_.best_step = state_.step;
        task_.keep_best();
    }
    task_.add_point({state_.step, task_.epochs(state_.step), loss, result.score, learning_rate(task_.schedule(), state_.step)});
    state_.loss = {};
}

double TrainingLoop::seconds_per_update(std::int64_t at_step) {
    constexpr int warm_updates = 3;
    constexpr double warm_s = 1.0, timed_s = 1.5;
    const int at_once = task_.on_device() ? 32 : 1;  // a device works ahead of the clock
    const auto run = [&](int updates) {
        return seconds_of([&] {
            for (int i = 0; i < updates; ++i) {
                state_.step = at_step;
                update();
            }
            fetch();
        });
    };
    double seconds = 0;
    for (int i = 0; i < warm_updates && seconds < warm_s; ++i) seconds += run(1);
    seconds = 0;
    std::int64_t done = 0;
    for (; seconds < timed_s; done += at_once) seconds += run(at_once);
    return seconds / double(done);
}

double TrainingLoop::seconds_per_step() {
    const LoopSchedule k = task_.schedule();
    const double late = task_.late_share();
    double seconds = 0;
    if (late < 1) seconds += (1 - late) * seconds_per_update(0);
    if (late > 0) seconds += late * seconds_per_update(k.steps - 1);
    seconds += seconds_of([&] { validate(); }) / k.validate_every;
    if (task_.replay_every() > 0) seconds += seconds_of([&] { task_.replay(); }) / task_.replay_every();
    return seconds;
}

std::int64_t steps_within(double minutes, double seconds_per_step, std::int64_t least) {
    return std::max(least, std::int64_t(std::min(60 * minutes / seconds_per_step, double(most_steps))));
}

} // namespace serpent
