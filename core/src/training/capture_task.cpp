// SPDX-License-Identifier: MIT
#include "training/capture_task.h"

#include "model/bound_memory.h"
#include "model/isa.h"
#include "serpent/errors.h"
#include "serpent/kernels/device.h"
#include "serpent/render.h"
#include "training/schedule.h"
#include "training/signal_scale.h"
#include "training/validation.h"

#include <algorithm>
#include <limits>

namespace serpent {
namespace {

using namespace lanes;

std::size_t size(int a) { return static_cast<std::size_t>(a); }

} // namespace

CaptureTask::CaptureTask(std::shared_ptr<const TrainingSet> d, TrainerState s, Workers& workers)
    : state(std::move(s)), data_(std::move(d)), sampler_(*data_, state.options.schedule, state.options.seed), workers_(workers),
      model_(state.net.config, state.net.weights, kernels::lane_ops(required_isa(state.options.isa))), film_gradient_(state.net) {
    state.output_peak = output_peak(*data_);
    for (const TrainingTake& take : data_->train) take_weights_.push_back(take_weight(take, state.scale));
    if (state.options.device != Device::cpu) find_device();
    if (device_) return;
    make_groups();
    restore_lanes();
}

void CaptureTask::find_device() {
    try {
        device_ = std::make_unique<DeviceTraining>(*data_, state, sampler_, take_weights_);
        device_name_ = kernels::device_status().description;
    } catch (const kernels::DeviceError&) {
        if (state.options.device == Device::cuda) throw;
    }
}

void CaptureTask::make_groups() {
    const int count = state.options.schedule.lanes / lane_count;
    groups_.reserve(size(count));
    for (int g = 0; g < count; ++g) groups_.emplace_back(model_, state.net.weights, sampler_.longest_segment());
    for (const TensorRef& t : tensors(state.net.config, state.net.weights)) {
        std::vector<GradientPlace> places;
        for (SegmentGradient& group : groups_) places.push_back({group.gradients().of(t.data), true});
        sum_.add(t.data.size(), std::move(places));
    }
}

void CaptureTask::restore_lanes() {
    if (state.lane_states.empty()) return;
    for (int lane = 0; lane < state.options.schedule.lanes; ++lane) {
        SegmentGradient& group = groups_[size(lane / lane_count)];
        group.state.set_lane(lane % lane_count, state.lane_states[size(lane)]);
        for (std::size_t c = 0; c < state.lane_errors[size(lane)].size(); ++c)
            group.previous_error[lane_floats(c) + size(lane % lane_count)] = state.lane_errors[size(lane)][c];
    }
    state.lane_states.clear();
    state.lane_errors.clear();
}

void CaptureTask::collect_lanes(TrainerState& into) const {
    if (device_) return device_->collect_lanes(into);
    for (int lane = 0; lane < state.options.schedule.lanes; ++lane) {
        const SegmentGradient& group = groups_[size(lane / lane_count)];
        into.lane_states.push_back(group.state.lane(lane % lane_count, state.net.config));
        std::vector<float>& errors = into.lane_errors.emplace_back();
        for (int c = 0; c < state.net.config.channels; ++c)
            errors.push_back(group.previous_error[lane_floats(size(c)) + size(lane % lane_count)]);
    }
}

TrainerState CaptureTask::snapshot() const {
    TrainerState copy = state;
    collect_lanes(copy);
    return copy;
}

void CaptureTask::schedule_changed() { sampler_ = SegmentSampler(*data_, state.options.schedule, state.options.seed); }

TrainedWeights CaptureTask::trained() {
    return trained_weights(state.net.config, state.net.weights, state.average, state.m, state.v,
                           [&](const TensorRef& t) { return weight_decay_of(state.options.schedule, t); });
}

/// FiLM and silence state of every take at the present weights: runs that begin now start from there.
void CaptureTask::prepare_takes() {
    const std::size_t distinct = data_->controls.empty() ? 1 : data_->train.size();
    films_.resize(distinct);
    silences_.resize(distinct);
    for (std::size_t k = 0; k < distinct; ++k) {
        films_[k] = film(state.net, data_->train[k].controls);
        silences_[k] = silence_state(state.net, data_->train[k].controls);
    }
}

void CaptureTask::place_lane(SegmentGradient& group, int lane, int steps) {
    LaneRun& run = state.runs[size(lane)];
    const int at = lane % lane_count, channels = state.net.config.channels;
    const RunBegin begin = sampler_.advance(run, lane, steps, !state.played.empty());
    const std::size_t k = data_->controls.empty() ? 0 : run.take;
    if (begin != RunBegin::none) {
        group.state.set_lane(at, begin == RunBegin::from_silence ? silences_[k]
                                                                 : state.played.at(state.net.config, run.take, run.position));
        for (int c = 0; c < channels; ++c) group.previous_error[lane_floats(size(c)) + size(at)] = 0;
    }
    if (!data_->controls.empty()) group.film.set_lane(at, films_[k]);
    const TrainingTake& take = data_->train[run.take];
    group.lane_weight[size(at)] = take_weights_[run.take];
    const float dry_scale = static_cast<float>(1 / state.scale.dry), wet_scale = static_cast<float>(1 / state.scale.wet);
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

void CaptureTask::gradient(std::vector<float>& gradient, LossSum& loss) {
    const int steps = sampler_.segment_length(state.step);
    const SegmentLoss scored_by = segment_loss(state, steps);
    model_.weights_changed();
    prepare_takes();
    std::vector<double> parts(groups_.size());
    workers_.run([&](int thread) {
        for (std::size_t g = size(thread); g < groups_.size(); g += size(workers_.count())) {
            for (int lane = 0; lane < lane_count; ++lane) place_lane(groups_[g], static_cast<int>(g) * lane_count + lane, steps);
            parts[g] = groups_[g].run(steps, scored_by);
        }
    });
    sum_.run(gradient, workers_);
    if (!data_->controls.empty())
        for (int lane = 0; lane < state.options.schedule.lanes; ++lane)
            film_gradient_.add(groups_[size(lane / lane_count)].film_gradients(), lane % lane_count,
                               data_->train[state.runs[size(lane)].take].controls, gradient);
    double value = 0;
    for (const double part : parts) value += part;
    loss.sum += value;
    loss.weight += 1;
}

void CaptureTask::update_on_device(const UpdateRates& rates, LossSum& loss) {
    const int steps = sampler_.segment_length(state.step);
    device_->update(state, sampler_, steps, segment_loss(state, steps), rates.rate, rates.average_keep);
    loss.weight += 1;
}

double CaptureTask::fetch() {
    const double loss = device_->take_loss();
    device_->fetch_weights(state);
    return loss;
}

std::set<int> CaptureTask::overflowed_lanes() const {
    TrainerState lanes;
    lanes.net.config = state.net.config;
    collect_lanes(lanes);
    return serpent::overflowed_lanes(lanes);
}

/// Without takes for validation the training loss decides. What is validated, and may ship, has a bounded memory
/// (export_model); the weights in training follow, so that they learn to do with it.
Validation CaptureTask::validate(double train_loss) {
    const double longest_samples = longest_memory_samples(state.options.schedule, state.net.config.sample_rate);
    if (bound_memory(state.net, longest_samples) && device_) device_->send_weights(state);
    const bool playable = makes_valid_model(state, state.average);
    if (data_->valid.empty()) return {train_loss, playable};
    if (!playable) return {std::numeric_limits<double>::quiet_NaN(), false};
    RendererOptions options;
    options.isa = state.options.isa;
    options.threads = workers_.count();
    options.device = device_ ? Device::automatic : Device::cpu;
    return {validation_esr(std::make_shared<Model>(export_model(state, state.average)), data_->valid, options), true};
}

double CaptureTask::epochs(std::int64_t steps) const { return sampler_.expected_samples(steps) / double(sampler_.total_samples()); }

int CaptureTask::replay_every() const {
    const TrainSchedule& k = state.options.schedule;
    return k.silence_share < 1 ? k.replay_every : 0;
}

/// A net that ran off plays nothing: what was played before stays.
void CaptureTask::replay() {
    if (makes_valid_model(state, state.net.weights))
        state.played.play(*data_, state.net, 1 / state.scale.dry, state.options.isa, workers_.count());
}

} // namespace serpent
