// SPDX-License-Identifier: MIT
#include "training/trainer_state.h"

#include "serpent/errors.h"
#include "training/initial_weights.h"
#include "training/schedule.h"
#include "training/signal_scale.h"

#include <algorithm>
#include <cmath>

namespace serpent {
TrainerState fresh_state(const TrainingSet& data, TrainOptions options) {
    check_training_set(data);
    check_schedule(options.schedule);
    TrainerState s;
    s.options = std::move(options);
    s.net.config = s.options.config;
    s.net.config.sample_rate = data.sample_rate;
    s.net.config.channels = static_cast<int>(data.train.front().dry.size());
    s.net.config.controls = data.controls;
    s.net.config.output_peak = 0;  // in the scaled domain, and where it learns, a model is not bound
    s.options.config = s.net.config;
    s.net.weights = initial_weights(s.net.config, s.options.schedule, s.options.seed, data.delay_samples);
    s.net.validate();
    s.scale = measure_scale(data);
    s.average = s.best = s.net.weights;
    lay_out(s.net.config, s.m);
    lay_out(s.net.config, s.v);
    s.runs.resize(static_cast<std::size_t>(s.options.schedule.lanes));
    s.data_fingerprint = fingerprint(data);
    return s;
}

double weight_decay_of(const TrainSchedule& schedule, const TensorRef& tensor) {
    switch (tensor.decay_class) {
    case kernels::DecayClass::film: return schedule.film_weight_decay;
    case kernels::DecayClass::matrix: return schedule.weight_decay;
    default: return 0.0;
    }
}

SegmentLoss segment_loss(const TrainerState& s, int steps) {
    const TrainSchedule& k = s.options.schedule;
    const bool late = double(s.step) >= (1 - k.late_share) * double(k.steps);
    SegmentLoss loss;
    loss.esr_weight = k.esr_weight;
    loss.pre_emphasis_weight = k.pre_emphasis_weight;
    loss.mrstft_weight = late ? k.mrstft_weight : 0.0;
    loss.pre_emphasised_power = s.scale.pre_emphasised;
    loss.sequences = double(k.lanes) * s.net.config.channels;
    loss.samples = loss.sequences * steps;
    return loss;
}

std::set<int> overflowed_lanes(const TrainerState& s) {
    const auto overflowed = [](const std::vector<float>& values) {
        return std::any_of(values.begin(), values.end(), [](float v) { return !std::isfinite(v * v); });
    };
    std::set<int> lanes;
    for (std::size_t lane = 0; lane < s.lane_states.size(); ++lane)
        if (overflowed(s.lane_states[lane].conv) || overflowed(s.lane_states[lane].h) || overflowed(s.lane_errors[lane]))
            lanes.insert(static_cast<int>(lane));
    return lanes;
}

bool makes_valid_model(const TrainerState& state, const Weights& weights) {
    try {
        export_model(state, weights).validate();
        return true;
    } catch (const Error&) {
        return false;
    }
}

Model best_model(const TrainerState& s) {
    if (std::isfinite(s.best_score) || !makes_valid_model(s, s.average)) return export_model(s, s.best);
    return export_model(s, s.average);
}

} // namespace serpent
