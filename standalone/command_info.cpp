// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "info_text.h"
#include "json_text.h"
#include "shipped_models.h"

#include "serpent/generator_model.h"
#include "serpent/model.h"
#include "serpent/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <numbers>
#include <sstream>
#include <string>

namespace {

using nlohmann::ordered_json;
using serpent::Model;

/// A text out of a stranger's file, safe for a terminal: no control characters, further lines aligned with the first.
std::string shown(const std::string& text, std::size_t margin) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto code = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
        if (text[i] == '\n') {
            out += '\n' + std::string(margin, ' ');
        } else if (code == 0xc2 && next >= 0x80 && next < 0xa0) {
            ++i;  // the C1 control characters, in UTF-8
        } else if (code >= 0x20 && code != 0x7f) {
            out += text[i];
        }
    }
    return out;
}

constexpr int label_width = 13;

} // namespace

void info_line(const std::string& label, const std::string& value) {
    if (value.empty()) return;
    std::cout << std::left << std::setw(label_width) << label << shown(value, label_width) << '\n';
}

std::string rounded(double value) {
    std::ostringstream text;
    if (std::fabs(value) >= 1000 && std::fabs(value) < 1e9) text << std::fixed << std::setprecision(0) << value;
    else text << std::setprecision(3) << value;
    return text.str();
}

namespace {

std::string rounded_time(double milliseconds) {
    if (!std::isfinite(milliseconds)) return "for ever";
    return milliseconds >= 1000 ? rounded(milliseconds / 1000) + " s" : rounded(milliseconds) + " ms";
}

std::string peak_text(float peak) { return rounded(20 * std::log10(static_cast<double>(peak))) + " dBFS"; }

bool has_biases(const Model& model) {
    return std::any_of(model.weights.layers.begin(), model.weights.layers.end(), [](const serpent::LayerWeights& layer) {
        return !layer.in_proj_bias.empty() || !layer.x_proj_bias.empty() || !layer.out_proj_bias.empty();
    });
}

std::vector<std::string> block_names(const serpent::ModelConfig& config) {
    std::vector<std::string> names;
    for (const serpent::BlockKind kind : config.blocks) names.emplace_back(serpent::kernels::block_kind_name(kind));
    return names;
}

/// "rotating, dilated by 1, 3, 9": kinds and dilations in the order in which layers take them.
std::string blocks_text(const serpent::ModelConfig& config) {
    std::string text;
    for (const std::string& name : block_names(config)) text += (text.empty() ? "" : ", ") + name;
    if (config.dilations == std::vector<int>(config.dilations.size(), 1)) return text;
    for (std::size_t i = 0; i < config.dilations.size(); ++i) text += (i == 0 ? ", dilated by " : ", ") + std::to_string(config.dilations[i]);
    return text;
}

/// What the states of rotating and time-invariant blocks turn at; empty where there are none.
std::string resonances_text(const Model& model) {
    double lowest = 1e300, highest = 0;
    for (const serpent::LayerWeights& layer : model.weights.layers)
        for (const float angle : layer.A_imag) {
            const double hz = std::fabs(std::remainder(angle, 2 * std::numbers::pi)) / (2 * std::numbers::pi) * model.config.sample_rate;
            lowest = std::min(lowest, hz), highest = std::max(highest, hz);
        }
    return highest > 0 ? "states turn at " + rounded(lowest) + " to " + rounded(highest) + " Hz" : "";
}

ordered_json config_json(const serpent::ModelConfig& config) {
    ordered_json controls = ordered_json::array();
    for (const auto& control : config.controls) {
        controls.push_back({{"name", control.name}, {"min", control.min}, {"max", control.max},
                            {"default", control.default_value}, {"unit", control.unit}});
    }
    return {{"kind", config.kind}, {"sample_rate", config.sample_rate}, {"channels", config.channels},
            {"d_model", config.d_model}, {"n_layers", config.n_layers}, {"d_state", config.d_state},
            {"d_conv", config.d_conv}, {"expand", config.expand}, {"dt_rank", config.dt_rank},
            {"a", config.a == serpent::DecayShape::tied ? "tied" : "full"},
            {"b_bar", config.b_bar == serpent::BBar::ema ? "ema" : "euler"},
            {"blocks", block_names(config)}, {"dilations", config.dilations}, {"fir_in", config.fir_in}, {"fir_out", config.fir_out},
            {"final_norm", config.final_norm}, {"skip", config.skip}, {"output_peak", config.output_peak},
            {"controls", controls}};
}

} // namespace

ordered_json parse_training(const std::string& text) {
    bool too_deep = false;
    const auto keep = [&](int depth, ordered_json::parse_event_t, ordered_json&) {
        too_deep = too_deep || depth > 16;
        return !too_deep;
    };
    ordered_json parsed = ordered_json::parse(text, keep, false);
    return too_deep || parsed.is_discarded() ? ordered_json() : parsed;
}

void print_training(const std::string& text) {
    if (text.empty()) return;
    const ordered_json record = parse_training(text);
    if (!record.is_object()) return info_line("Training", text.substr(0, 200));
    std::cout << "Training\n";
    for (const auto& [key, value] : record.items()) {
        if (value.is_array() && value.size() > 8) continue;  // curves are for programs: --json has them
        std::string figure = value.is_string() ? value.get<std::string>() : json_text(value);
        if (value.is_number_float()) figure = rounded(value.get<double>());
        if (figure.size() > 200) figure = figure.substr(0, 200) + "...";
        std::cout << "  " << std::left << std::setw(24) << shown(key, 0) << ' ' << shown(figure, 27) << '\n';
    }
}

void print_about(const serpent::Metadata& about) {
    info_line("Name", about.name);
    info_line("Author", about.author);
    info_line("Licence", about.license);
    info_line("Gear", about.gear);
    info_line("Description", about.description);
}

namespace {

void print_card(const Model& model) {
    const auto& config = model.config;
    const auto& about = model.metadata;
    const auto number = [](auto value) { return std::to_string(value); };
    print_about(about);
    info_line("Model", config.kind + ", " + number(config.channels) + (config.channels == 1 ? " channel" : " channels") + " at " +
                      number(config.sample_rate) + " Hz");
    info_line("Size", number(config.n_layers) + " layers, d_model " + number(config.d_model) + ", d_inner " +
                     number(config.d_inner()) + ", d_state " + number(config.d_state) + ", d_conv " + number(config.d_conv) +
                     ", dt_rank " + number(config.dt_rank));
    info_line("Blocks", blocks_text(config));
    if (config.fir_in + config.fir_out > 0)
        info_line("Filters", number(config.fir_in) + " taps at the input, " + number(config.fir_out) + " at the output");
    const bool any_selective = std::ranges::find(config.blocks, serpent::BlockKind::selective) != config.blocks.end();
    info_line("Options", std::string(config.a == serpent::DecayShape::tied ? "one decay per channel" : "full A") +
                        (!any_selective ? "" : config.b_bar == serpent::BBar::ema ? ", ema input" : ", Euler input") +
                        (has_biases(model) ? ", biases" : "") + (config.final_norm ? ", final norm" : "") +
                        (config.skip ? ", skip" : ""));
    const auto parameters = model.parameter_count(), macs = model.macs_per_sample();
    info_line("Parameters", number(parameters) + " (" + rounded(static_cast<double>(parameters) * 4 / 1024) + " kB in float32)");
    info_line("Cost", number(macs) + " multiply-accumulates per sample, " +
                     rounded(static_cast<double>(macs) * config.sample_rate * 1e-6) + " million per second");
    const serpent::TimeConstants memory = serpent::time_constants(model);
    const double ms = 1000.0 / config.sample_rate;
    info_line("Memory", "time constants from " + rounded_time(memory.shortest_samples * ms) + " to " +
                       rounded_time(memory.longest_samples * ms) + " (at silence)");
    info_line("Resonance", resonances_text(model));
    for (const auto& control : config.controls) {
        info_line("Control", control.name + ": " + rounded(control.min) + " to " + rounded(control.max) + ", default " +
                            rounded(control.default_value) + (control.unit.empty() ? "" : " " + control.unit));
    }
    if (config.output_peak > 0)
        info_line("Peak", peak_text(config.output_peak) + " in the recordings it learned from; it never plays above " +
                          peak_text(2 * config.output_peak));
    if (about.loudness_db) info_line("Loudness", rounded(*about.loudness_db) + " dB for an input of -18 dBFS");
    if (about.input_level_dbu) info_line("Input level", rounded(*about.input_level_dbu) + " dBu at full scale");
    for (const auto& [key, text] : about.other) info_line("Other", key + ": " + text.substr(0, 200));
    print_training(about.training);
}

void print_json(const Model& model, const std::string& path) {
    const auto& about = model.metadata;
    const auto or_null = [](const std::optional<double>& value) { return value ? ordered_json(*value) : ordered_json(); };
    const serpent::TimeConstants memory = serpent::time_constants(model);
    const double ms = 1000.0 / model.config.sample_rate;
    const ordered_json training = parse_training(about.training);
    const ordered_json object = {
        {"file", serpent::valid_utf8(path)}, {"name", about.name}, {"author", about.author}, {"license", about.license},
        {"description", about.description}, {"gear", about.gear}, {"config", config_json(model.config)},
        {"biases", has_biases(model)}, {"parameters", model.parameter_count()},
        {"macs_per_sample", model.macs_per_sample()},
        {"time_constants_ms", {memory.shortest_samples * ms, memory.longest_samples * ms}},
        {"loudness_db", or_null(about.loudness_db)}, {"input_level_dbu", or_null(about.input_level_dbu)},
        {"other", about.other}, {"training", training.is_null() ? ordered_json(about.training) : training},
    };
    std::cout << json_text(object, 2) << '\n';
}

} // namespace

CLI::App* add_info_command(CLI::App& app) {
    struct Options {
        std::string model;
        bool json = false;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("info", "Show what a model file holds: its card, sizes, cost and memory");
    command->add_option("MODEL", options->model, "The model file")->required()->transform(shipped_model());
    command->add_flag("--json", options->json, "Print JSON for a program");
    command->callback([options] {
        if (serpent::is_generator(options->model)) {
            const auto generator = serpent::GeneratorModel::load(options->model);
            options->json ? print_generator_json(generator, options->model) : print_generator_card(generator);
            return;
        }
        const Model model = Model::load(options->model);
        if (model.nam) {
            options->json ? print_nam_json(model, options->model) : print_nam_card(model);
            return;
        }
        if (options->json) print_json(model, options->model);
        else print_card(model);
    });
    return command;
}
