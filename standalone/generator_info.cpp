// SPDX-License-Identifier: GPL-3.0-or-later
#include "info_text.h"
#include "json_text.h"

#include "serpent/text.h"

#include <iostream>

using nlohmann::ordered_json;
using serpent::GeneratorModel;

void print_generator_card(const GeneratorModel& model) {
    const serpent::GeneratorConfig& config = model.config;
    const auto number = [](auto value) { return std::to_string(value); };
    print_about(model.metadata);
    info_line("Model", "generator, 1 channel at " + number(config.sample_rate) + " Hz, mu-law");
    for (std::size_t k = 0; k < config.tiers.size(); ++k) {
        const serpent::ModelConfig& c = config.tiers[k].stack;
        info_line("Tier " + number(k + 1), "every " + number(config.samples_per_step(static_cast<int>(k))) + " samples: " +
                                               number(c.n_layers) + (c.all_blocks(serpent::BlockKind::selective) ? " selective" : " time-invariant") + " layers, d_model " +
                                               number(c.d_model) + ", d_inner " + number(c.d_inner()) + ", d_state " + number(c.d_state));
    }
    for (const serpent::Condition& condition : config.conditions) {
        std::string values;
        for (const std::string& v : condition.values) values += (values.empty() ? "" : ", ") + std::string(v);
        info_line("Condition", condition.name + ": " + values);
    }
    const auto parameters = model.parameter_count(), macs = model.macs_per_sample();
    info_line("Parameters", number(parameters) + " (" + rounded(static_cast<double>(parameters) * 4 / 1024) + " kB in float32)");
    info_line("Cost", number(macs) + " multiply-accumulates per sample, " +
                          rounded(static_cast<double>(macs) * config.sample_rate * 1e-6) + " million per second");
    for (const auto& [key, text] : model.metadata.other) info_line("Other", key + ": " + text.substr(0, 200));
    print_training(model.metadata.training);
}

void print_generator_json(const GeneratorModel& model, const std::string& path) {
    const serpent::Metadata& about = model.metadata;
    const ordered_json training = parse_training(about.training);
    const ordered_json object = {
        {"file", serpent::valid_utf8(path)}, {"name", about.name}, {"author", about.author}, {"license", about.license},
        {"description", about.description}, {"config", ordered_json::parse(serpent::generator_config_text(model.config))},
        {"parameters", model.parameter_count()}, {"macs_per_sample", model.macs_per_sample()}, {"other", about.other},
        {"training", training.is_null() ? ordered_json(about.training) : training},
    };
    std::cout << json_text(object, 2) << '\n';
}
