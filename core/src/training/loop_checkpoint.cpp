// SPDX-License-Identifier: MIT
#include "training/loop_checkpoint.h"

#include "serpent/errors.h"

#include <bit>
#include <cmath>

namespace serpent::checkpoint {
namespace {

using nlohmann::json;

/// Old files of generators do not say when the best validation was; the curve does.
std::int64_t best_step_of(const json& progress, const LoopNames& names, const LoopState& state) {
    if (progress.contains("best_step")) return count_of(progress.at("best_step"), "step of the best validation", state.step);
    for (const json& value : progress.at("curve"))
        if (const CurvePoint p = point_of(value, names, state.step); p.score == state.best_score) return p.step;
    return 0;
}

} // namespace

json loop_json(const LoopState& s, const LoopNames& names) {
    return {{"step", s.step},
            {names.best_score, std::bit_cast<std::uint64_t>(s.best_score)},
            {"best_step", s.best_step},
            {names.loss_sum, number_json(s.loss.sum)},
            {names.loss_weight, number_json(s.loss.weight)},
            {"divergence", s.divergence.to_json()}};
}

LoopState loop_of(const json& j, const LoopNames& names, std::int64_t steps, int lanes) {
    LoopState s;
    s.step = count_of(j.at("step"), "step", steps);
    s.best_score = std::bit_cast<double>(bits_of(j.at(names.best_score), "best validation"));
    if (!(s.best_score >= 0)) throw Error("its best validation is out of range");
    s.best_step = best_step_of(j, names, s);
    s.loss = {number_of(j.at(names.loss_sum)), number_of(j.at(names.loss_weight))};
    if (!(s.loss.weight >= 0)) throw Error("its number of losses is out of range");
    s.divergence = Divergence::from(j, lanes, s.step);
    return s;
}

json point_json(const CurvePoint& p, const LoopNames& names) {
    return {{"step", p.step}, {"epoch", number_json(p.epoch)}, {names.train_loss, number_json(p.train_loss)},
            {names.score, number_json(p.score)}, {"rate", number_json(p.rate)}};
}

CurvePoint point_of(const json& j, const LoopNames& names, std::int64_t steps) {
    return {count_of(j.at("step"), "step of the curve", steps), number_of(j.at("epoch")), number_of(j.at(names.train_loss)),
            number_of(j.at(names.score)), number_of(j.at("rate"))};
}

} // namespace serpent::checkpoint
