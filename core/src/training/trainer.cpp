// SPDX-License-Identifier: MIT
#include "serpent/training.h"

#include "model/as_error.h"
#include "model/bound_memory.h"
#include "model/isa.h"
#include "lanes/workers.h"
#include "reference/adamw.h"
#include "serpent/errors.h"
#include "serpent/kernels/device.h"
#include "serpent/render.h"
#include "training/device_training.h"
#include "training/film_gradient.h"
#include "training/schedule.h"
#include "training/schedule_fields.h"
#include "training/segment_gradient.h"
#include "training/signal_scale.h"
#include "training/trainer_state.h"
#include "training/validation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace serpent {
namespace {

using namespace lanes;

std::size_t size(int a) { return static_cast<std::size_t>(a); }

constexpr const char* train_this = "train this model on these recordings";
constexpr const char* no_data = "load them with load_pair() or load_takes()";

template <class Work>
double seconds_of(const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

struct Trainer::Impl {
    std::shared_ptr<const TrainingSet> data;
    TrainerState s;
    SegmentSampler sampler;
    Workers workers;
    LaneModel model;
    std::vector<SegmentGradient> groups;  // none where there is a device
    std::vector<float> gradient;
    FilmGradient film_gradient;
    std::vector<float> take_weights;  // every take counts by its own ESR, however loud it is
    std::vector<Film> films;      // of every take, at the present weights
    std::vector<State> silences;  // likewise
    std::unique_ptr<DeviceTraining> device;
    std::string device_name = "cpu";

    Impl(std::shared_ptr<const TrainingSet> d, TrainerState state, int threads)
        : data(std::move(d)), s(std::move(state)), sampler(*data, s.options.schedule, s.options.seed), workers(threads),
          model(s.net.config, s.net.weights,
                kernels::lane_ops(required_isa(s.options.isa))),
          film_gradient(s.net) {
        s.output_peak = output_peak(*data);
        for (const TrainingTake& take : data->train) take_weights.push_back(take_weight(take, s.scale));
        if (s.options.device != Device::cpu) find_device();
        if (device) return;
        for (int g = 0; g < s.options.schedule.lanes / lane_count; ++g)
            groups.emplace_back(model, s.net.weights, sampler.longest_segment());
        gradient.resize(groups.front().gradients().size());
        restore_lanes();
    }

    void find_device();
    void fetch();
    void restore_lanes();
    void collect_lanes(TrainerState& into) const;
    void place_lane(SegmentGradient& group, int lane, int steps);
    void prepare_takes();
    void note_divergence();
    double update();
    void reduce_gradient();
    void optimise();
    void validate();
    void replay();
    double seconds_per_update(std::int64_t at_step);
};

void Trainer::Impl::find_device() {
    try {
        device = std::make_unique<DeviceTraining>(*data, s, sampler, take_weights);
        device_name = kernels::device_status().description;
    } catch (const kernels::DeviceError&) {
        if (s.options.device == Device::cuda) throw;
    }
}

/// Brings what a device holds into the state: losses, weights and moments, but not the lanes.
void Trainer::Impl::fetch() {
    if (!device) return;
    const double loss = device->take_loss();
    s.loss_sum += loss;
    if (!std::isfinite(loss)) note_divergence();
    device->fetch_weights(s);
}

void Trainer::Impl::restore_lanes() {
    if (s.lane_states.empty()) return;
    for (int lane = 0; lane < s.options.schedule.lanes; ++lane) {
        SegmentGradient& group = groups[size(lane / lane_count)];
        group.state.set_lane(lane % lane_count, s.lane_states[size(lane)]);
        for (std::size_t c = 0; c < s.lane_errors[size(lane)].size(); ++c)
            group.previous_error[lane_floats(c) + size(lane % lane_count)] = s.lane_errors[size(lane)][c];
    }
    s.lane_states.clear();
    s.lane_errors.clear();
}

void Trainer::Impl::collect_lanes(TrainerState& into) const {
    if (device) return device->collect_lanes(into);
    for (int lane = 0; lane < s.options.schedule.lanes; ++lane) {
        const SegmentGradient& group = groups[size(lane / lane_count)];
        into.lane_states.push_back(group.state.lane(lane % lane_count, s.net.config));
        std::vector<float>& errors = into.lane_errors.emplace_back();
        for (int c = 0; c < s.net.config.channels; ++c)
            errors.push_back(group.previous_error[lane_floats(size(c)) + size(lane % lane_count)]);
    }
}

/// FiLM and silence state of every take at the present weights: runs that begin now start from there.
void Trainer::Impl::prepare_takes() {
    const std::size_t distinct = data->controls.empty() ? 1 : data->train.size();
    films.resize(distinct);
    silences.resize(distinct);
    for (std::size_t k = 0; k < distinct; ++k) {
        films[k] = film(s.net, data->train[k].controls);
        silences[k] = silence_state(s.net, data->train[k].controls);
    }
}

void Trainer::Impl::place_lane(SegmentGradient& group, int lane, int steps) {
    LaneRun& run = s.runs[size(lane)];
    const int at = lane % lane_count, channels = s.net.config.channels;
    const RunBegin begin = sampler.advance(run, lane, steps, !s.played.empty());
    const std::size_t k = data->controls.empty() ? 0 : run.take;
    if (begin != RunBegin::none) {
        group.state.set_lane(at, begin == RunBegin::from_silence ? silences[k]
                                                                 : s.played.at(s.net.config, run.take, run.position));
        for (int c = 0; c < channels; ++c) group.previous_error[lane_floats(size(c)) + size(at)] = 0;
    }
    if (!data->controls.empty()) group.film.set_lane(at, films[k]);
    const TrainingTake& take = data->train[run.take];
    group.lane_weight[size(at)] = take_weights[run.take];
    const float dry_scale = static_cast<float>(1 / s.scale.dry), wet_scale = static_cast<float>(1 / s.scale.wet);
    for (int c = 0; c < channels; ++c)
        for (int t = 0; t < steps; ++t) {
            const std::size_t to = lane_floats(size(t * channels + c)) + size(at), from = run.position + size(t);
            group.in[to] = dry_scale * take.dry[size(c)][from];
            group.target[to] = wet_scale * take.wet[size(c)][from];
        }
    group.unscored[size(at)] = static_cast<int>(std::min<std::size_t>(run.unscored, size(steps)));
    run.unscored -= size(group.unscored[size(at)]);
    run.position += size(steps);
}

/// A lane that overflowed is whole again when it begins anew, so that is remembered.
void Trainer::Impl::note_divergence() {
    TrainerState lanes;
    lanes.net.config = s.net.config;
    collect_lanes(lanes);
    s.divergence.lanes.merge(overflowed_lanes(lanes));
}

/// One step of the optimiser; returns the loss, or 0 where a device adds it up for fetch().
double Trainer::Impl::update() {
    const int steps = sampler.segment_length(s.step);
    const SegmentLoss loss = segment_loss(s, steps);
    if (device) {
        device->update(s, sampler, steps, loss, learning_rate(s), average_keep(s));
        ++s.step;
        return 0;
    }
    model.weights_changed();
    prepare_takes();
    std::vector<double> parts(groups.size());
    workers.run([&](int thread) {
        for (std::size_t g = size(thread); g < groups.size(); g += size(workers.count())) {
            for (int lane = 0; lane < lane_count; ++lane) place_lane(groups[g], static_cast<int>(g) * lane_count + lane, steps);
            parts[g] = groups[g].run(steps, loss);
        }
    });
    reduce_gradient();
    optimise();
    ++s.step;
    double value = 0;
    for (const double part : parts) value += part;
    return value;
}

/// Sums lanes and groups in fixed order, and turns the gradient of A into that of A_log.
void Trainer::Impl::reduce_gradient() {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        float sum = 0;
        for (SegmentGradient& group : groups) sum += group.gradients().sum(i);
        gradient[i] = sum;
    }
    std::size_t at = 0;
    for (const TensorRef& t : tensors(s.net.config, s.net.weights)) {
        if (t.transform == kernels::Transform::decay)
            for (std::size_t i = 0; i < t.data->size(); ++i) gradient[at + i] *= -std::exp((*t.data)[i]);
        at += t.data->size();
    }
    if (!data->controls.empty())
        for (int lane = 0; lane < s.options.schedule.lanes; ++lane)
            film_gradient.add(groups[size(lane / lane_count)].film_gradients(), lane % lane_count,
                              data->train[s.runs[size(lane)].take].controls, gradient);
}

void Trainer::Impl::optimise() {
    double square = 0;
    for (const float g : gradient) square += double(g) * double(g);
    const double norm = std::sqrt(square);
    if (!std::isfinite(norm)) {  // a segment that overflowed teaches nothing; the weights stay as they were
        ++s.divergence.skipped_updates;
        note_divergence();
        return;
    }
    const TrainSchedule& k = s.options.schedule;
    if (norm > k.clip)
        for (float& g : gradient) g *= static_cast<float>(k.clip / norm);
    const auto weights = tensors(s.net.config, s.net.weights), m = tensors(s.net.config, s.m),
               v = tensors(s.net.config, s.v), average = tensors(s.net.config, s.average);
    const float keep = average_keep(s);
    std::size_t at = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        std::vector<float>& w = *weights[i].data;
        reference::adamw<float>(w.size(), {learning_rate(s), 0.9, 0.99, 1e-8, weight_decay_of(k, weights[i])},
                                static_cast<long>(s.step + 1), gradient.data() + at, w.data(), m[i].data->data(),
                                v[i].data->data());
        for (std::size_t j = 0; j < w.size(); ++j) {
            float& a = (*average[i].data)[j];
            a = keep * a + (1 - keep) * w[j];
        }
        at += w.size();
    }
}

/// Without takes for validation the training loss decides. What is validated, and may ship, has a bounded memory
/// (export_model); the weights in training follow, so that they learn to do with it.
void Trainer::Impl::validate() {
    if (bound_memory(s.net, longest_memory_samples(s.options.schedule, s.net.config.sample_rate)) && device) device->send_weights(s);
    RendererOptions options;
    options.isa = s.options.isa;
    options.threads = workers.count();
    options.device = device ? Device::automatic : Device::cpu;
    const double loss = s.loss_sum / double(std::max<std::int64_t>(1, s.loss_count));
    const bool playable = makes_valid_model(s, s.average);
    double esr = loss;
    if (!data->valid.empty())
        esr = playable ? validation_esr(std::make_shared<Model>(export_model(s, s.average)), data->valid, options)
                       : std::numeric_limits<double>::quiet_NaN();
    if (esr < s.best_valid_esr && playable) {
        s.best_valid_esr = esr;
        s.best_step = s.step;
        s.best = s.average;
    }
    s.curve.push_back({s.step, sampler.expected_samples(s.step) / double(sampler.total_samples()), loss, esr, learning_rate(s)});
    s.loss_sum = 0;
    s.loss_count = 0;
}

/// A net that ran off plays nothing: what was played before stays.
void Trainer::Impl::replay() {
    if (makes_valid_model(s, s.net.weights)) s.played.play(*data, s.net, 1 / s.scale.dry, s.options.isa, workers.count());
}

/// Of an update at that step of the schedule. The state moves on.
double Trainer::Impl::seconds_per_update(std::int64_t at_step) {
    const int at_once = device ? 32 : 1;  // a device works ahead of the clock
    const auto run = [&](int updates) {
        for (int i = 0; i < updates; ++i) {
            s.step = at_step;
            update();
        }
        fetch();
    };
    run(3);
    std::int64_t done = 0;
    double seconds = 0;
    for (; seconds < 1.0; done += at_once) seconds += seconds_of([&] { run(at_once); });
    return seconds / double(done);
}

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
    TrainerState& s = impl_->s;
    const TrainSchedule& k = s.options.schedule;
    const std::int64_t counted_from = std::max(s.best_step, k.steps / 2);
    const bool patient = s.step - counted_from <= std::max<std::int64_t>(k.validate_every, std::int64_t(k.patience * double(k.steps)));
    if (s.step >= k.steps || !patient) return false;
    s.loss_sum += impl_->update();
    ++s.loss_count;
    const bool validates = s.step % k.validate_every == 0 || s.step == k.steps;
    const bool replays = k.silence_share < 1 && s.step % k.replay_every == 0;
    if (validates || replays) impl_->fetch();
    if (validates) impl_->validate();
    if (replays) impl_->replay();
    return true;
} catch (...) {
    rethrow_as_error(train_this);
}

void Trainer::calibrate(double minutes) try {
    TrainerState before = impl_->s;
    if (impl_->device) impl_->collect_lanes(before);
    Impl trial(impl_->data, before, impl_->workers.count());
    const TrainSchedule& k = before.options.schedule;
    const double early = trial.seconds_per_update(0), late = trial.seconds_per_update(k.steps - 1);
    double per_step = (1 - k.late_share) * early + k.late_share * late + seconds_of([&] { trial.validate(); }) / k.validate_every;
    if (k.silence_share < 1) per_step += seconds_of([&] { trial.replay(); }) / k.replay_every;
    impl_->s.options.schedule.steps = std::max<std::int64_t>(k.validate_every, std::int64_t(std::min(60 * minutes / per_step, double(most_steps))));
    impl_->sampler = SegmentSampler(*impl_->data, impl_->s.options.schedule, impl_->s.options.seed);
} catch (...) {
    rethrow_as_error(train_this);
}

std::int64_t Trainer::steps_done() const noexcept { return impl_->s.step; }
const TrainOptions& Trainer::options() const noexcept { return impl_->s.options; }
const std::vector<TrainPoint>& Trainer::curve() const noexcept { return impl_->s.curve; }
double Trainer::best_valid_esr() const noexcept { return impl_->s.best_valid_esr; }
std::string Trainer::divergence() const try {
    impl_->fetch();
    return impl_->s.divergence.note(impl_->s.step, impl_->s.options.schedule.rate);
} catch (...) {
    rethrow_as_error(train_this);
}
int Trainer::threads() const noexcept { return impl_->workers.count(); }
const std::string& Trainer::device() const noexcept { return impl_->device_name; }
double Trainer::samples_per_step() const noexcept {
    const std::int64_t steps = impl_->s.options.schedule.steps;
    return impl_->sampler.expected_samples(steps) / double(steps);
}

double Trainer::multiply_accumulates_per_step() const noexcept {
    // Forward, its recomputation, and twice as much backward (gradients of inputs and of weights).
    return 4.0 * static_cast<double>(impl_->s.net.macs_per_sample()) * samples_per_step();
}

Model Trainer::best_model() const try {
    impl_->fetch();
    return serpent::best_model(impl_->s);
} catch (...) {
    rethrow_as_error("finish the model");
}

void Trainer::save_checkpoint(const std::filesystem::path& path) const try {
    impl_->fetch();
    TrainerState copy = impl_->s;
    impl_->collect_lanes(copy);
    write_checkpoint(copy, path);
} catch (...) {
    rethrow_as_error("write " + path.string());
}

} // namespace serpent
