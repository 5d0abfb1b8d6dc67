// SPDX-License-Identifier: MIT
#include "nam/capture.h"

#include "model/as_error.h"
#include "model/json_text.h"
#include "nam/build.h"
#include "nam/document.h"
#include "nam/read.h"
#include "nam/slim.h"
#include "serpent/errors.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace serpent {

namespace nam {

namespace {

using nlohmann::json;

constexpr double usual_rate_hz = 48000.0;  // what is meant where none is named

std::string text_of(const json& metadata, const char* key) {
    const auto found = metadata.find(key);
    return found != metadata.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<double> number_of(const json& metadata, const char* key) {
    const auto found = metadata.find(key);
    if (found == metadata.end() || !found->is_number() || !std::isfinite(found->get<double>())) return std::nullopt;
    return found->get<double>();
}

std::string date_of(const json& metadata) {
    const auto date = metadata.find("date");
    if (date == metadata.end() || !date->is_object()) return {};
    int parts[3] = {};
    const char* const keys[] = {"year", "month", "day"};
    for (int i = 0; i < 3; ++i) {
        const double part = number_of(*date, keys[i]).value_or(-1.0);
        if (!(part >= 0 && part <= 9999)) return {};
        parts[i] = static_cast<int>(part);
    }
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02d-%02d", parts[0], parts[1], parts[2]);
    return text;
}

std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

/// A card never keeps a capture from playing: what is not as expected is left out.
Metadata metadata_of(const json& document) {
    Metadata metadata;
    const auto found = document.find("metadata");
    if (found == document.end() || !found->is_object()) return metadata;
    const json& from = *found;
    metadata.name = text_of(from, "name");
    metadata.author = text_of(from, "modeled_by");
    metadata.gear = text_of(from, "gear_make");
    const std::string gear = text_of(from, "gear_model");
    if (!gear.empty()) metadata.gear += (metadata.gear.empty() ? "" : " ") + gear;
    metadata.loudness_db = number_of(from, "loudness");
    metadata.input_level_dbu = number_of(from, "input_level_dbu");
    for (const char* key : {"gear_type", "tone_type"})
        if (const std::string text = text_of(from, key); !text.empty()) metadata.other[key] = text;
    for (const char* key : {"gain", "output_level_dbu"})
        if (const auto number = number_of(from, key)) metadata.other[key] = number_text(*number);
    if (const std::string date = date_of(from); !date.empty()) metadata.other["date"] = date;
    const auto training = from.find("training");
    if (training != from.end() && training->is_object()) metadata.training = json_text(*training);
    return metadata;
}

/// The card of what plays: a container's own, or that of its largest part.
const json& card_of(const json& document) {
    const auto own = document.find("metadata");
    if (document["architecture"] != "SlimmableContainer" || (own != document.end() && own->is_object() && !own->empty())) return document;
    return document["config"]["submodels"].back()["model"];
}

std::string layout_of(const Network& network);

std::string layout_of_net(const WaveNet& net) {
    std::string text;
    for (const LayerArray& array : net.arrays)
        text += (text.empty() ? "" : ", then ") + std::to_string(array.layers.size()) + " layers of " + std::to_string(array.channels) +
                (array.channels == 1 ? " channel" : " channels");
    return net.condition ? text + "; conditioned on " + net.condition->architecture + " (" + layout_of(*net.condition) + ")" : text;
}
std::string layout_of_net(const Lstm& net) {
    return std::to_string(net.cells.size()) + " x " + std::to_string(net.cells.front().hidden);
}
std::string layout_of_net(const ConvNet& net) {
    return std::to_string(net.blocks.size()) + " layers of " + std::to_string(net.blocks.front().conv.out) + " channels";
}
std::string layout_of_net(const Linear& net) { return std::to_string(net.taps.size()) + " taps"; }

std::string layout_of(const Network& network) {
    return std::visit([](const auto& net) { return layout_of_net(net); }, network.what);
}

std::shared_ptr<const NamCapture> capture_of(std::shared_ptr<const File> file, double size) {
    auto capture = std::make_shared<NamCapture>();
    capture->network = at_size(*file, size);
    const Network& network = *capture->network;
    capture->version = network.version, capture->architecture = network.architecture, capture->layout = layout_of(network);
    capture->has_rate = network.sample_rate_hz.has_value();
    const auto engine = engine_network(network);
    for (const auto& op : engine.ops) capture->macs_per_sample += op.weight.size() + op.side_weight.size();
    capture->parameters = network.parameters;
    capture->reach = reach_of(network);
    capture->sizes = sizes_of(*file), capture->size = size;
    capture->file = std::move(file);
    return capture;
}

void set_network(Model& model, std::shared_ptr<const NamCapture> capture) {
    model.config = {};
    model.config.kind = "nam";
    model.config.sample_rate = static_cast<int>(std::lround(capture->network->sample_rate_hz.value_or(usual_rate_hz)));
    model.config.channels = capture->network->in_channels;
    model.config.n_layers = 0;
    model.weights = {};
    model.nam = std::move(capture);
}

} // namespace

Model read_model(std::string_view text) {
    if (text.size() > max_bytes)
        throw Error("it has " + std::to_string(text.size()) + " bytes; of a .nam file at most " + std::to_string(max_bytes) + " are read");
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    const Document document = parse_document(text);
    Model model;
    set_network(model, capture_of(read_file_of(document), 1.0));
    model.metadata = metadata_of(card_of(document.json));
    if (model.nam->network->in_channels != model.nam->network->out_channels)
        throw Error("it makes " + std::to_string(model.nam->network->out_channels) + " channels of " + std::to_string(model.config.channels) +
                    "; Serpent plays captures with as many at the output as at the input");
    return model;
}

} // namespace nam

Model nam_at_size(const Model& model, double size) try {
    if (!model.nam) throw Error("Only a .nam capture has sizes to choose from; this is another kind of model.");
    if (!(size >= 0.0 && size <= 1.0)) throw Error("The size must be from 0 to 1, the whole.");
    Model other;
    nam::set_network(other, nam::capture_of(model.nam->file, size));
    other.metadata = model.metadata;
    return other;
} catch (...) {
    rethrow_as_error("play this capture at another size");
}

} // namespace serpent
