// SPDX-License-Identifier: MIT
#include "generator/generator_schedule_json.h"
#include "generator/generator_state.h"
#include "model/json_text.h"
#include "serpent/errors.h"
#include "serpent/generator_training.h"
#include "training/schedule_fields.h"

namespace serpent {
namespace {

GeneratorTier tier(int pool, bool selective, int d_model, int n_layers, int d_state) {
    GeneratorTier t;
    t.pool = pool;
    t.stack.blocks = {selective ? BlockKind::selective : BlockKind::time_invariant};
    t.stack.d_model = d_model;
    t.stack.n_layers = n_layers;
    t.stack.d_state = d_state;
    t.stack.dt_rank = (d_model + 15) / 16;
    t.stack.b_bar = BBar::ema;
    return t;
}

} // namespace

std::vector<std::string> generator_preset_names() { return {"small", "voice", "large"}; }

/// Selective outside, time-invariant inside: the best of the four ways that docs/benchmarks.md compares.
GeneratorTrainOptions generator_preset(const std::string& name) {
    GeneratorTrainOptions o;
    if (name == "small") {
        o.config.tiers = {tier(1, true, 16, 2, 8), tier(4, false, 32, 2, 8)};
    } else if (name == "voice") {
        o.config.tiers = {tier(1, true, 32, 3, 16), tier(8, false, 64, 4, 16)};
    } else if (name == "large") {
        o.config.tiers = {tier(1, true, 64, 3, 16), tier(16, false, 128, 5, 16)};
    } else {
        throw Error("there is no preset \"" + name + "\"; choose small, voice or large");
    }
    return o;
}

void override_generator_config(GeneratorTrainOptions& options, const std::string& json) {
    const nlohmann::json config = nlohmann::json::parse(generator_config_text(options.config));
    options.config = parse_generator_config(patched(config, parse_json(json, "the change of the model"), "model").dump());
}

void override_generator_schedule(GeneratorTrainOptions& options, const std::string& json) {
    options.schedule = patched_schedule(options.schedule, parse_json(json, "the change of the schedule"));
    check_schedule(options.schedule);
}

} // namespace serpent
