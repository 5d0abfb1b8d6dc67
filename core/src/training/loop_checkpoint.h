// SPDX-License-Identifier: MIT
// The part of a checkpoint that is TrainingLoop's, whatever is trained.
#pragma once

#include "model/isa.h"
#include "training/checkpoint_file.h"
#include "training/schedule_fields.h"
#include "training/training_task.h"

#include <utility>

namespace serpent::checkpoint {

/// What files of one format call it.
struct LoopNames {
    const char *best_score, *loss_sum, *loss_weight;  ///< LoopState's
    const char *train_loss, *score;                   ///< CurvePoint's
};

nlohmann::json loop_json(const LoopState& state, const LoopNames& names);
/// Throws Error when it is damaged.
LoopState loop_of(const nlohmann::json& progress, const LoopNames& names, std::int64_t steps, int lanes);
nlohmann::json point_json(const CurvePoint& point, const LoopNames& names);
CurvePoint point_of(const nlohmann::json& value, const LoopNames& names, std::int64_t steps);

/// Of a TrainerState or GeneratorTrainerState, all that both have but tensors and configuration.
template <class State>
nlohmann::json common_json(const State& s, const LoopNames& names) {
    nlohmann::json j = loop_json(s, names), curve = nlohmann::json::array();
    for (const auto& [step, epoch, loss, score, rate] : s.curve) curve.push_back(point_json({step, epoch, loss, score, rate}, names));
    j.update({{"schedule", s.options.schedule},
              {"seed", s.options.seed},
              {"isa", std::string(kernels::isa_name(required_isa(s.options.isa)))},
              {"curve", std::move(curve)},
              {"data_fingerprint", s.data_fingerprint}});
    return j;
}

template <class State>
void read_common(const nlohmann::json& j, const LoopNames& names, State& s) {
    auto& options = s.options;
    options.schedule = patched_schedule(decltype(options.schedule){}, j.at("schedule"));
    check_schedule(options.schedule);
    options.seed = bits_of(j.at("seed"), "seed");
    options.isa = kernels::isa_from_name(j.at("isa").get<std::string>());
    static_cast<LoopState&>(s) = loop_of(j, names, options.schedule.steps, options.schedule.lanes);
    for (const nlohmann::json& value : j.at("curve")) {
        const CurvePoint p = point_of(value, names, s.step);
        s.curve.push_back({p.step, p.epoch, p.train_loss, p.score, p.rate});
    }
    s.data_fingerprint = bits_of(j.at("data_fingerprint"), "fingerprint");
}

/// visit(prefix of names, weights) for the weights in training (`net`), their average, AdamW's moments and the best average.
template <class State, class Weights, class Visit>
void each_weights(State& s, Weights& net, const Visit& visit) {
    visit("net.", net), visit("average.", s.average), visit("m.", s.m), visit("v.", s.v), visit("best.", s.best);
}

template <class Config, class Weights>
void add_tensors(const Config& config, const std::string& prefix, const Weights& weights, std::vector<TensorRef>& list) {
    for (TensorRef& t : tensors(config, weights)) {
        t.name.insert(0, prefix);
        list.push_back(std::move(t));
    }
}

} // namespace serpent::checkpoint
