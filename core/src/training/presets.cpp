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

/// The presets differ in depth alone: eight channels fill a vector of AVX2, and a stereo pair one of AVX-512, so that the
/// second channel is nearly free there.
ModelConfig narrow(int layers) {
    ModelConfig c;
    c.d_model = 8;
    c.expand = 1;
    c.d_state = 4;
    c.n_layers = layers;
    c.dt_rank = 1;
    c.b_bar = BBar::ema;
    c.skip = true;
    c.final_norm = false;  // gain that is ridden comes out better so, compressors and valve amps alike (docs/benchmarks.md)
    return c;
}

} // namespace

std::vector<std::string> train_preset_names() { return {"nano", "standard", "max"}; }

TrainOptions train_preset(const std::string& name) {
    TrainOptions o;
    if (name == "nano") {
        o.config = narrow(4);
    } else if (name == "standard") {
        o.config = narrow(6);
        o.config.final_norm = true;  // a hard clipper is easier to say with it
    } else if (name == "max") {
        o.config = narrow(8);
        o.schedule.rate = 3e-3;
        set_memory(o, 4.0);
    } else {
        throw Error("There is no preset \"" + name + "\"; choose nano, standard or max.");
    }
    return o;
}

void set_memory(TrainOptions& options, double seconds) {
    if (!(seconds >= 0.01 && seconds <= 60))
        throw Error("A memory of " + std::to_string(seconds) + " s is outside 0.01 to 60; most compressors remember 0.5 to 10 s.");
    TrainSchedule& k = options.schedule;
    k.start = "slow";
    k.longest_memory_s = seconds;
    k.longest_run_s = std::clamp(4 * seconds, 2.0, 30.0);
    k.silence_share = 0.1;
    k.segment = 512;
    k.late_segment = 2048;
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
