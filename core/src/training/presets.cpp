// SPDX-License-Identifier: MIT
#include "serpent/errors.h"
#include "serpent/training.h"

#include "model/config_json.h"
#include "model/json_text.h"
#include "training/schedule.h"
#include "training/schedule_fields.h"
#include "training/schedule_json.h"

#include <algorithm>

namespace serpent {
namespace {

/// Blocks that ring and blocks that ride, in turn, between two filters (docs/benchmarks.md, "Amplifiers and rigs"). The presets differ in depth: eight channels fill
/// a vector of AVX2, and a stereo pair one of AVX-512, so that the second channel is nearly free there.
ModelConfig resonant(int layers) {
    ModelConfig c;
    c.d_model = 8;
    c.expand = 1;
    c.d_state = 4;
    c.n_layers = layers;
    c.dt_rank = 1;
    c.b_bar = BBar::ema;
    c.skip = true;
    c.blocks = {BlockKind::rotating, BlockKind::selective};
    c.dilations = {1, 3, 9, 27, 81, 243};
    c.fir_in = 64;
    c.fir_out = 256;
    return c;
}

/// Long segments: a gradient reaches as far as the dilated convolutions and the filters do. And, for such models, a high rate.
TrainSchedule thorough() {
    TrainSchedule k;
    k.segment = k.late_segment = 4096;
    k.rate = 0.008;
    k.pre_emphasis_weight = 0.5;
    k.unscored_s = 0.05;
    k.validate_every = 200;
    k.replay_every = 200;
    k.starts = 4;
    return k;
}

} // namespace

std::vector<std::string> train_preset_names() { return {"nano", "standard", "max"}; }

TrainOptions train_preset(const std::string& name) {
    TrainOptions o;
    o.schedule = thorough();
    if (name == "nano") {
        o.config = resonant(3);
        o.config.dilations = {1, 9, 81};  // as far as six layers less one reach
    } else if (name == "standard") {
        o.config = resonant(6);
        o.config.fir_out = 512;
    } else if (name == "max") {
        o.config = resonant(12);
        o.config.fir_out = 1024;
        o.schedule.rate = 0.006;
    } else {
        throw Error("There is no preset \"" + name + "\"; choose nano, standard or max.");
    }
    return o;
}

/// What rides its gain has slow states to learn and next to no resonances.
void set_memory(TrainOptions& options, double seconds) {
    if (!(seconds >= 0.01 && seconds <= 60))
        throw Error("A memory of " + std::to_string(seconds) + " s is outside 0.01 to 60; most compressors remember 0.5 to 10 s.");
    TrainSchedule& k = options.schedule;
    options.config.blocks = {BlockKind::selective};
    options.config.dilations = {1};
    options.config.fir_in = options.config.fir_out = 0;
    options.config.final_norm = false;  // gain that is ridden comes out better so
    options.config.n_layers = std::clamp(options.config.n_layers, 4, 8);
    k = TrainSchedule{};
    k.segment = 512;
    k.late_segment = 2048;
    k.start = "slow";
    k.longest_memory_s = seconds;
    k.longest_run_s = std::clamp(4 * seconds, 2.0, 30.0);
    k.silence_share = 0.1;
}

void override_config(TrainOptions& options, const std::string& json) {
    const nlohmann::json config = nlohmann::json::parse(config_text(options.config));
    options.config = parse_config(patched(config, parse_json(json, "the change of the model"), "model").dump());
}

void override_schedule(TrainOptions& options, const std::string& json) {
    options.schedule = patched_schedule(options.schedule, parse_json(json, "the change of the schedule"));
    check_schedule(options.schedule);
}

} // namespace serpent
