// SPDX-License-Identifier: MIT
#include "serpent/generator_training.h"

#include "generator/generator_task.h"
#include "model/as_error.h"
#include "training/training_loop.h"

namespace serpent {
namespace {

constexpr const char* train_this = "train this generator on these recordings";
constexpr const char* no_data = "load them with load_generator_data()";

} // namespace

struct GeneratorTrainer::Impl {
    Workers workers;
    GeneratorTask task;
    TrainingLoop loop;

    Impl(std::shared_ptr<const GeneratorData> data, GeneratorTrainerState state, int threads)
        : workers(threads), task(std::move(data), std::move(state), workers), loop(task, task.state, workers) {}
};

GeneratorTrainer::GeneratorTrainer(std::shared_ptr<const GeneratorData> data, GeneratorTrainOptions options) try {
    required(data, "GeneratorTrainer needs recordings", no_data);
    const int threads = options.threads;
    GeneratorTrainerState state = fresh_state(*data, std::move(options));
    impl_ = std::make_unique<Impl>(std::move(data), std::move(state), threads);
} catch (...) {
    rethrow_as_error(train_this);
}

GeneratorTrainer::GeneratorTrainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GeneratorTrainer GeneratorTrainer::resume(std::shared_ptr<const GeneratorData> data, const std::filesystem::path& checkpoint,
                                          int threads) try {
    required(data, "GeneratorTrainer needs recordings", no_data);
    check_generator_data(*data);
    GeneratorTrainerState state = read_checkpoint(checkpoint, *data);
    return GeneratorTrainer(std::make_unique<Impl>(std::move(data), std::move(state), threads));
} catch (...) {
    rethrow_as_error(train_this);
}

GeneratorTrainer::~GeneratorTrainer() = default;
GeneratorTrainer::GeneratorTrainer(GeneratorTrainer&&) noexcept = default;
GeneratorTrainer& GeneratorTrainer::operator=(GeneratorTrainer&&) noexcept = default;

bool GeneratorTrainer::step() try {
    return impl_->loop.step();
} catch (...) {
    rethrow_as_error(train_this);
}

void GeneratorTrainer::calibrate(double minutes) try {
    Impl trial(impl_->task.data(), impl_->task.snapshot(), impl_->workers.count());
    impl_->task.state.options.schedule.steps = steps_within(minutes, trial.loop.seconds_per_step(), 1);
} catch (...) {
    rethrow_as_error(train_this);
}

std::int64_t GeneratorTrainer::steps_done() const noexcept { return impl_->task.state.step; }
const GeneratorTrainOptions& GeneratorTrainer::options() const noexcept { return impl_->task.state.options; }
const std::vector<GeneratorPoint>& GeneratorTrainer::curve() const noexcept { return impl_->task.state.curve; }
double GeneratorTrainer::best_valid_bits() const noexcept { return impl_->task.state.best_score; }
int GeneratorTrainer::threads() const noexcept { return impl_->workers.count(); }
std::string GeneratorTrainer::divergence() const {
    const GeneratorTrainerState& s = impl_->task.state;
    return s.divergence.note(s.step, s.options.schedule.rate);
}

GeneratorModel GeneratorTrainer::best_model() const { return serpent::best_model(impl_->task.state); }

void GeneratorTrainer::save_checkpoint(const std::filesystem::path& path) const try {
    write_checkpoint(impl_->task.snapshot(), path);
} catch (...) {
    rethrow_as_error("write " + path.string());
}

} // namespace serpent
