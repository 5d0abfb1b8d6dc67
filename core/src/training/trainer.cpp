// SPDX-License-Identifier: MIT
#include "serpent/training.h"

#include "model/as_error.h"
#include "training/capture_task.h"
#include "training/data_checks.h"
#include "training/training_loop.h"

namespace serpent {
namespace {

constexpr const char* train_this = "train this model on these recordings";
constexpr const char* no_data = "load them with load_pair() or load_takes()";

} // namespace

struct Trainer::Impl {
    Workers workers;
    CaptureTask task;
    TrainingLoop loop;

    Impl(std::shared_ptr<const TrainingSet> data, TrainerState state, int threads)
        : workers(threads), task(std::move(data), std::move(state), workers), loop(task, task.state, workers) {}
    TrainerState snapshot() {
        loop.fetch();
        return task.snapshot();
    }
};

Trainer::Trainer(std::shared_ptr<const TrainingSet> data, TrainOptions options) try {
    required(data, "Trainer needs recordings", no_data);
    const int threads = options.threads;
    TrainerState state = fresh_state(*data, std::move(options));
    impl_ = std::make_unique<Impl>(std::move(data), std::move(state), threads);
} catch (...) {
    rethrow_as_error(train_this);
}

Trainer::Trainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Trainer Trainer::resume(std::shared_ptr<const TrainingSet> data, const std::filesystem::path& checkpoint, int threads,
                        Device device) try {
    required(data, "Trainer needs recordings", no_data);
    check_training_set(*data);
    TrainerState state = read_checkpoint(checkpoint, *data);
    state.options.device = device;
    return Trainer(std::make_unique<Impl>(std::move(data), std::move(state), threads));
} catch (...) {
    rethrow_as_error(train_this);
}

Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;

bool Trainer::step() try {
    return impl_->loop.step();
} catch (...) {
    rethrow_as_error(train_this);
}

void Trainer::calibrate(double minutes) try {
    Impl trial(impl_->task.data(), impl_->snapshot(), impl_->workers.count());
    TrainSchedule& k = impl_->task.state.options.schedule;
    const std::int64_t all = steps_within(minutes, trial.loop.seconds_per_step(), k.validate_every);
    k.steps = all;
    while (start_updates(k) > 0 && k.steps + k.starts * start_updates(k) > all) k.steps -= std::max<std::int64_t>(1, k.steps / 1000);
    if (start_updates(k) == 0) k.steps = all;
    impl_->task.schedule_changed();
} catch (...) {
    rethrow_as_error(train_this);
}

std::int64_t Trainer::steps_done() const noexcept { return impl_->task.state.step; }
const TrainOptions& Trainer::options() const noexcept { return impl_->task.state.options; }
const std::vector<TrainPoint>& Trainer::curve() const noexcept { return impl_->task.state.curve; }
double Trainer::best_valid_esr() const noexcept { return impl_->task.state.best_score; }
std::string Trainer::divergence() const try {
    impl_->loop.fetch();
    const TrainerState& s = impl_->task.state;
    return s.divergence.note(s.step, s.options.schedule.rate);
} catch (...) {
    rethrow_as_error(train_this);
}
int Trainer::threads() const noexcept { return impl_->workers.count(); }
const std::string& Trainer::device() const noexcept { return impl_->task.device_name(); }
double Trainer::samples_per_step() const noexcept {
    const std::int64_t steps = options().schedule.steps;
    return impl_->task.sampler().expected_samples(steps) / double(steps);
}

double Trainer::multiply_accumulates_per_step() const noexcept {
    // Forward, its recomputation, and twice as much backward (gradients of inputs and of weights).
    return 4.0 * static_cast<double>(impl_->task.state.net.macs_per_sample()) * samples_per_step();
}

Model Trainer::best_model() const try {
    impl_->loop.fetch();
    return serpent::best_model(impl_->task.state);
} catch (...) {
    rethrow_as_error("finish the model");
}

void Trainer::save_checkpoint(const std::filesystem::path& path) const try {
    write_checkpoint(impl_->snapshot(), path);
} catch (...) {
    rethrow_as_error("write " + path.string());
}

} // namespace serpent
