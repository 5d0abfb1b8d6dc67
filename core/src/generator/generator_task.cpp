// SPDX-License-Identifier: MIT
#include "generator/generator_task.h"

#include "generator/held_out.h"
#include "model/isa.h"

#include <algorithm>
#include <cmath>

namespace serpent {
namespace {

using namespace lanes;

std::size_t size(int a) { return static_cast<std::size_t>(a); }

} // namespace

GeneratorTask::GeneratorTask(std::shared_ptr<const GeneratorData> d, GeneratorTrainerState s, Workers& workers)
    : state(std::move(s)), data_(std::move(d)),
      sampler_(*data_, state.options.schedule, state.options.config.period(), state.options.seed), workers_(workers),
      net_(state.options.config, state.net, kernels::lane_ops(required_isa(state.options.isa))) {
    make_groups();
    for (std::size_t g = 0; g < state.groups.size(); ++g) groups_[g].state = state.groups[g];
    state.groups.clear();
}

int GeneratorTask::segment() const {
    const int period = state.options.config.period();
    return std::max(1, state.options.schedule.segment / period) * period;
}

void GeneratorTask::make_groups() {
    const int count = state.options.schedule.lanes / lane_count;
    groups_.reserve(size(count));
    for (int g = 0; g < count; ++g) groups_.emplace_back(net_, segment(), true);
    for (const TensorRef& t : tensors(state.options.config, state.net)) {
        std::vector<GradientPlace> places;
        for (GeneratorSegment& group : groups_) {
            const GeneratorSegment::Accumulator place = group.accumulator(t.data);
            places.push_back({place.values, place.lanes});
        }
        sum_.add(t.data.size(), std::move(places));
    }
}

GeneratorTrainerState GeneratorTask::snapshot() const {
    GeneratorTrainerState copy = state;
    for (const GeneratorSegment& group : groups_) copy.groups.push_back(group.state);
    return copy;
}

TrainedWeights GeneratorTask::trained() {
    return trained_weights(state.options.config, state.net, state.average, state.m, state.v,
                           [&](const TensorRef& t) { return weight_decay_of(state.options.schedule, t); });
}

/// The next segment of one lane: where it starts anew it is told so by a state of zero.
void GeneratorTask::fill_lane(GeneratorSegment& group, int lane) {
    GeneratorLane& at = state.lanes[size(lane)];
    const std::size_t column = size(lane % lane_count), conditions = state.options.config.conditions.size();
    const int period = state.options.config.period();
    if (sampler_.restarts(state.step, lane)) {
        group.state.clear_lane(lane % lane_count);
        sampler_.begin_anew(at, lane);
        at.last_class = mu_law_silence;
    }
    for (int t = 0; t < segment(); ++t) {
        if (t % period == 0) {
            sampler_.settle(at, lane);
            for (std::size_t j = 0; j < conditions; ++j)
                group.conditions[(size(t / period) * conditions + j) * lane_count + column] = at.conditions[j];
        }
        const std::size_t to = lane_floats(size(t)) + column;
        group.input[to] = static_cast<std::int32_t>(at.last_class);
        group.target[to] = sampler_.next(at, lane);
    }
}

void GeneratorTask::gradient(std::vector<float>& gradient, LossSum& loss) {
    const double scored = double(segment()) * state.options.schedule.lanes;
    net_.weights_changed();
    std::vector<double> nats(groups_.size());
    workers_.run([&](int thread) {
        for (std::size_t g = size(thread); g < groups_.size(); g += size(workers_.count())) {
            for (int lane = 0; lane < lane_count; ++lane) fill_lane(groups_[g], static_cast<int>(g) * lane_count + lane);
            std::ranges::fill(groups_[g].weight, static_cast<float>(1 / scored));
            nats[g] = groups_[g].run(segment(), true);
        }
    });
    sum_.run(gradient, workers_);
    for (const double part : nats) loss.sum += part;
    loss.weight += scored;
}

Validation GeneratorTask::validate(double) {
    const GeneratorConfig& config = state.options.config;
    return {held_out_bits(config, state.average, data_->valid, workers_, net_.ops), makes_valid_model(config, state.average)};
}

double GeneratorTask::epochs(std::int64_t steps) const {
    return double(steps) * state.options.schedule.lanes * segment() / double(std::max<std::int64_t>(1, sampler_.total_samples()));
}

std::set<int> GeneratorTask::overflowed_lanes() const {
    std::set<int> overflowed;
    for (std::size_t g = 0; g < groups_.size(); ++g)
        for (const LaneState& tier : groups_[g].state.tiers)
            for (const LaneBuffer* buffer : {&tier.conv, &tier.h})
                for (std::size_t i = 0; i < buffer->size(); ++i)
                    if (const float v = (*buffer)[i]; !std::isfinite(v * v))
                        overflowed.insert(static_cast<int>(g * lane_count + i % lane_count));
    return overflowed;
}

} // namespace serpent
