// SPDX-License-Identifier: MIT
#include "generator/generator_state.h"

#include "generator/conditions.h"
#include "serpent/errors.h"

#include <cmath>

namespace serpent {

GeneratorTrainerState fresh_state(const GeneratorData& data, GeneratorTrainOptions options) {
    check_generator_data(data);
    check_schedule(options.schedule);
    GeneratorTrainerState s;
    options.config.sample_rate = data.sample_rate;
    options.config.conditions = data.conditions;
    s.options = std::move(options);
    for (const auto* list : {&data.train, &data.valid})
        for (const GeneratorRecording& r : *list) check_conditions(s.options.config, r.conditions);
    s.net = initial_generator_weights(s.options.config, s.options.schedule, s.options.seed);
    GeneratorModel{s.options.config, s.net, {}}.validate();
    s.average = s.best = s.net;
    lay_out(s.options.config, s.m);
    lay_out(s.options.config, s.v);
    GeneratorLane first;
    first.conditions.resize(s.options.config.conditions.size());
    s.lanes.assign(static_cast<std::size_t>(s.options.schedule.lanes), first);
    s.data_fingerprint = fingerprint(data);
    return s;
}

void check_generator_data(const GeneratorData& data) {
    if (data.train.empty()) throw Error("there is nothing to train on");
}

double weight_decay_of(const GeneratorSchedule& schedule, const TensorRef& tensor) {
    const bool matrix = tensor.name.ends_with("proj.weight") || tensor.name.ends_with("pool.weight") || tensor.name == "decoder.weight";
    return matrix ? schedule.weight_decay : 0.0;
}

bool makes_valid_model(const GeneratorConfig& config, const GeneratorWeights& weights) {
    try {
        GeneratorModel{config, weights, {}}.validate();
        return true;
    } catch (const Error&) {
        return false;
    }
}

GeneratorModel best_model(const GeneratorTrainerState& s) {
    const bool best = std::isfinite(s.best_score) || !makes_valid_model(s.options.config, s.average);
    return {s.options.config, best ? s.best : s.average, {}};
}

} // namespace serpent
