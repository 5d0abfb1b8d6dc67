// SPDX-License-Identifier: MIT
#include "serpent/errors.h"
#include "serpent/training.h"

#include "model/config_json.h"
#include "training/schedule_json.h"

namespace serpent {
namespace {

ModelConfig narrow(int expand, int layers) {
    ModelConfig c;
    c.d_model = 8;
    c.expand = expand;
    c.d_state = 4;
    c.n_layers = layers;
    c.dt_rank = 1;
    c.b_bar = BBar::ema;
    c.skip = true;
    return c;
}

/// Applies a JSON merge patch to a JSON object, refusing keys that it does not have.
nlohmann::json patched(nlohmann::json object, const std::string& text, const char* what) {
    const auto patch = nlohmann::json::parse(text, nullptr, false);
    if (!patch.is_object()) throw Error(std::string(what) + " overrides are a JSON object, for instance {\"d_state\": 8}.");
    for (const auto& [key, value] : patch.items()) {
        if (!object.contains(key)) throw Error("There is no " + std::string(what) + " setting named \"" + key + "\".");
        object[key] = value;
    }
    return object;
}

} // namespace

std::vector<std::string> train_preset_names() { return {"nano", "standard", "max"}; }

TrainOptions train_preset(const std::string& name) {
    TrainOptions o;
    if (name == "nano") {
        o.config = narrow(1, 4);
    } else if (name == "standard") {
        o.config = narrow(2, 4);
        o.config.a = DecayShape::tied;  // costs little on distortion and saves most of the exponentials
    } else if (name == "max") {
        o.config = narrow(2, 2);
        o.config.d_state = 8;
        o.schedule.start = "slow";
        o.schedule.longest_memory_s = 4.0;
        o.schedule.rate = 3e-3;
        o.schedule.shortest_run_s = 0.5;
        o.schedule.longest_run_s = 16.0;
        o.schedule.unscored_s = 0.1;
    } else {
        throw Error("There is no preset \"" + name + "\"; choose nano, standard or max.");
    }
    return o;
}

void override_config(TrainOptions& options, const std::string& json) {
    options.config = parse_config(patched(nlohmann::json::parse(config_text(options.config)), json, "model").dump());
}

void override_schedule(TrainOptions& options, const std::string& json) {
    try {
        options.schedule = patched(options.schedule, json, "schedule").get<TrainSchedule>();
    } catch (const nlohmann::json::exception& e) {
        throw Error(std::string("A schedule setting has the wrong type: ") + e.what());
    }
}

} // namespace serpent
