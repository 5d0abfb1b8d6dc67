// SPDX-License-Identifier: GPL-3.0-or-later
#include "info_text.h"
#include "json_text.h"

#include "serpent/nam.h"
#include "serpent/text.h"

#include <iostream>

using nlohmann::ordered_json;

namespace {

std::string sizes_text(const serpent::NamCapture& capture) {
    std::string text;
    for (const double size : capture.sizes) text += (text.empty() ? "" : ", ") + rounded(size);
    return text;
}

} // namespace

void print_nam_card(const serpent::Model& model) {
    const serpent::NamCapture& capture = *model.nam;
    const serpent::Metadata& about = model.metadata;
    const auto number = [](auto value) { return std::to_string(value); };
    print_about(about);
    info_line("Model", "Neural Amp Modeler capture, version " + capture.version + ", " + number(model.config.channels) +
                           (model.config.channels == 1 ? " channel" : " channels") + " at " + number(model.config.sample_rate) + " Hz" +
                           (capture.has_rate ? "" : " (the file does not say)"));
    info_line("Network", capture.architecture + ", " + capture.layout);
    if (capture.sizes.size() > 1) info_line("Sizes", "from " + sizes_text(capture) + " on; it plays at " + rounded(capture.size));
    info_line("Parameters", number(capture.parameters) + " (" + rounded(static_cast<double>(capture.parameters) * 4 / 1024) + " kB in float32)");
    info_line("Cost", number(capture.macs_per_sample) + " multiply-accumulates per sample, " +
                          rounded(static_cast<double>(capture.macs_per_sample) * model.config.sample_rate * 1e-6) + " million per second");
    info_line("Memory", capture.reach > 0 ? "the last " + rounded(1000.0 * capture.reach / model.config.sample_rate) + " ms"
                                          : "recurrent: without a limit of its own");
    if (about.loudness_db) info_line("Loudness", rounded(*about.loudness_db) + " dB");
    if (about.input_level_dbu) info_line("Input level", rounded(*about.input_level_dbu) + " dBu at full scale");
    for (const auto& [key, text] : about.other) info_line("Other", key + ": " + text.substr(0, 200));
    print_training(about.training);
}

void print_nam_json(const serpent::Model& model, const std::string& path) {
    const serpent::NamCapture& capture = *model.nam;
    const serpent::Metadata& about = model.metadata;
    const auto or_null = [](const std::optional<double>& value) { return value ? ordered_json(*value) : ordered_json(); };
    const ordered_json training = parse_training(about.training);
    const ordered_json object = {
        {"file", serpent::valid_utf8(path)}, {"name", about.name}, {"author", about.author}, {"gear", about.gear},
        {"config", {{"kind", model.config.kind}, {"sample_rate", model.config.sample_rate}, {"channels", model.config.channels}}},
        {"nam", {{"version", capture.version}, {"architecture", capture.architecture}, {"layout", capture.layout},
                 {"reach", capture.reach}, {"sizes", capture.sizes}, {"size", capture.size}}},
        {"parameters", capture.parameters}, {"macs_per_sample", capture.macs_per_sample},
        {"loudness_db", or_null(about.loudness_db)}, {"input_level_dbu", or_null(about.input_level_dbu)},
        {"other", about.other}, {"training", training},
    };
    std::cout << json_text(object, 2) << '\n';
}
