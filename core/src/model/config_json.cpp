// SPDX-License-Identifier: MIT
#include "model/config_json.h"

#include "model/config_fields.h"
#include "model/json_text.h"
#include "serpent/text.h"

#include <cmath>
#include <set>

namespace serpent {

using nlohmann::json;
using namespace fields;

namespace {

std::vector<Control> parse_controls(const json& list) {
    if (!list.is_array()) fail("controls", "must be a list");
    std::vector<Control> controls;
    for (const json& entry : list) {
        const std::string name = "controls[" + std::to_string(controls.size()) + "]";
        if (!entry.is_object()) fail(name, "must be a JSON object");
        const std::string prefix = name + ".";
        Control control;
        required(entry, prefix, "name", control.name);
        optional(entry, prefix, "min", control.min);
        optional(entry, prefix, "max", control.max);
        control.default_value = 0.5f * (control.min + control.max);
        optional(entry, prefix, "default", control.default_value);
        optional(entry, prefix, "unit", control.unit);
        controls.push_back(std::move(control));
    }
    return controls;
}

void check_controls(const std::vector<Control>& controls) {
    constexpr std::size_t max_controls = 32;
    if (controls.size() > max_controls) fail("controls", "has more than " + std::to_string(max_controls) + " entries");
    std::set<std::string> names;
    for (std::size_t i = 0; i < controls.size(); ++i) {
        const Control& control = controls[i];
        const std::string field = "controls[" + std::to_string(i) + "]";
        if (control.name.empty()) fail(field + ".name", "is empty");
        if (!names.insert(control.name).second) fail(field + ".name", "is " + printable(control.name) + " again; names must differ");
        const bool finite = std::isfinite(control.min) && std::isfinite(control.max) && std::isfinite(control.max - control.min);
        if (!finite || !(control.min < control.max)) fail(field, "needs a finite \"min\" below its \"max\"");
        if (!(control.default_value >= control.min && control.default_value <= control.max)) {
            fail(field + ".default", "must lie between \"min\" and \"max\"");
        }
    }
}

constexpr int longest_fir = 8192;  // taps: a cabinet's response at 48 kHz, with room

void check_output_peak(float peak) {
    if (peak != 0.0f && !(peak >= least_output_peak && peak <= most_output_peak))
        fail("output_peak", "is " + std::to_string(peak) + "; it must be 0, or from 1e-30 to 1e30");
}

void check_in_turn(const std::string& field, std::size_t count) {
    constexpr std::size_t most = 64;
    if (count < 1 || count > most) fail(field, "has " + std::to_string(count) + " entries; give 1 to 64, which the layers take in turn");
}

} // namespace

ModelConfig parse_config(std::string_view text, int version) {
    const json object = parse_json(text, "config");
    if (!object.is_object()) throw Error("config must be a JSON object");
    ModelConfig config;
    required(object, "", "kind", config.kind);
    if (config.kind == "generator")
        fail("kind", "is \"generator\": this model makes sound of its own, with `serpent generate` or `serpent live`");
    required(object, "", "sample_rate", config.sample_rate);
    optional(object, "", "channels", config.channels);
    read_stack(object, "", config);
    if (version >= 2) {
        read_blocks(object, "", config);
        optional(object, "", "fir_in", config.fir_in);
        optional(object, "", "fir_out", config.fir_out);
    }
    optional(object, "", "final_norm", config.final_norm);
    optional(object, "", "skip", config.skip);
    optional(object, "", "output_peak", config.output_peak);
    if (const json* controls = find(object, "controls")) config.controls = parse_controls(*controls);
    check_config(config);
    return config;
}

std::string config_text(const ModelConfig& config) {
    nlohmann::ordered_json controls = nlohmann::ordered_json::array();
    for (const Control& control : config.controls) {
        nlohmann::ordered_json entry = {
            {"name", valid_utf8(control.name)}, {"min", control.min}, {"max", control.max}, {"default", control.default_value}};
        if (!control.unit.empty()) entry["unit"] = valid_utf8(control.unit);
        controls.push_back(std::move(entry));
    }
    nlohmann::ordered_json object = {
        {"kind", config.kind},
        {"sample_rate", config.sample_rate},
        {"channels", config.channels},
    };
    write_stack(config, object);
    write_blocks(config, object);
    if (config.fir_in > 0) object["fir_in"] = config.fir_in;
    if (config.fir_out > 0) object["fir_out"] = config.fir_out;
    object["final_norm"] = config.final_norm;
    object["skip"] = config.skip;
    if (config.output_peak != 0.0f) object["output_peak"] = config.output_peak;
    object["controls"] = controls;
    return json_text(object);
}

void fields::read_stack(const json& object, const std::string& prefix, ModelConfig& config) {
    required(object, prefix, "d_model", config.d_model);
    required(object, prefix, "n_layers", config.n_layers);
    required(object, prefix, "d_state", config.d_state);
    optional(object, prefix, "d_conv", config.d_conv);
    optional(object, prefix, "expand", config.expand);
    config.dt_rank = config.d_model / 16 + (config.d_model % 16 > 0 ? 1 : 0);
    optional(object, prefix, "dt_rank", config.dt_rank);
    optional_choice(object, prefix, "a", "full", DecayShape::full, "tied", DecayShape::tied, config.a);
    optional_choice(object, prefix, "b_bar", "euler", BBar::euler, "ema", BBar::ema, config.b_bar);
}

void fields::write_stack(const ModelConfig& config, nlohmann::ordered_json& object) {
    object["d_model"] = config.d_model;
    object["n_layers"] = config.n_layers;
    object["d_state"] = config.d_state;
    object["d_conv"] = config.d_conv;
    object["expand"] = config.expand;
    object["dt_rank"] = config.dt_rank;
    object["a"] = config.a == DecayShape::tied ? "tied" : "full";
    object["b_bar"] = config.b_bar == BBar::ema ? "ema" : "euler";
}

void fields::check_stack(const ModelConfig& config, const std::string& prefix) {
    check_range(prefix + "d_model", config.d_model, 1, 1024);
    check_range(prefix + "n_layers", config.n_layers, 1, 64);
    check_range(prefix + "d_state", config.d_state, 1, 256);
    check_range(prefix + "d_conv", config.d_conv, 1, 64);
    check_range(prefix + "expand", config.expand, 1, 16);
    check_range(prefix + "dt_rank", config.dt_rank, 1, 1024);
    check_in_turn(prefix + "blocks", config.blocks.size());
    check_in_turn(prefix + "dilations", config.dilations.size());
    if (config.d_state % 2 != 0 && !config.all_blocks(BlockKind::selective))
        fail(prefix + "d_state", "is odd; rotating and time-invariant blocks have complex states, two numbers each");
    constexpr int longest_history = 16384;
    for (const int dilation : config.dilations) {
        check_range(prefix + "dilations", dilation, 1, longest_history);
        if (dilation * (config.d_conv - 1) > longest_history)
            fail(prefix + "dilations", "makes a convolution reach back more than " + std::to_string(longest_history) + " samples");
    }
}

namespace {

bool needs_version_2(const ModelConfig& config) {
    return !config.all_blocks(BlockKind::selective) || config.dilations != std::vector<int>(config.dilations.size(), 1);
}

BlockKind block_kind(const json& value, const std::string& field) {
    std::string text;
    fields::read(value, field, text);
    for (const BlockKind kind : kernels::block_kinds)
        if (text == kernels::block_kind_name(kind)) return kind;
    fail(field, "is " + printable(text) + "; it must be \"selective\", \"rotating\" or \"time_invariant\"");
}

/// One value for all layers, or a list that they take in turn.
template <class T, class Read>
void read_in_turn(const json& object, const std::string& prefix, const char* key, std::vector<T>& out, const Read& read_one) {
    const json* value = find(object, key);
    if (!value) return;
    out.clear();
    if (!value->is_array()) return out.push_back(read_one(*value, prefix + key));
    for (const json& one : *value) out.push_back(read_one(one, prefix + key + "[" + std::to_string(out.size()) + "]"));
}

} // namespace

void fields::read_blocks(const json& object, const std::string& prefix, ModelConfig& config) {
    read_in_turn(object, prefix, "blocks", config.blocks, block_kind);
    read_in_turn(object, prefix, "dilations", config.dilations, [](const json& value, const std::string& field) {
        int dilation = 1;
        read(value, field, dilation);
        return dilation;
    });
}

void fields::write_blocks(const ModelConfig& config, nlohmann::ordered_json& object) {
    if (!needs_version_2(config)) return;
    nlohmann::ordered_json kinds = nlohmann::ordered_json::array();
    for (const BlockKind kind : config.blocks) kinds.push_back(kernels::block_kind_name(kind));
    object["blocks"] = kinds.size() == 1 ? kinds[0] : kinds;
    if (config.dilations.size() == 1) object["dilations"] = config.dilations[0];
    else object["dilations"] = config.dilations;
}

int format_version(const ModelConfig& config) {
    return needs_version_2(config) || config.fir_in > 0 || config.fir_out > 0 ? 2 : 1;
}

void check_rate_and_channels(const ModelConfig& config) {
    check_range("sample_rate", config.sample_rate, 1000, 768000);
    check_range("channels", config.channels, 1, 64);
}

void check_config(const ModelConfig& config) {
    if (config.kind != "effect") {
        fail("kind", "is " + printable(config.kind) + "; this version of serpent plays \"effect\" models only");
    }
    check_rate_and_channels(config);
    check_stack(config, "");
    check_range("fir_in", config.fir_in, 0, longest_fir);
    check_range("fir_out", config.fir_out, 0, longest_fir);
    check_output_peak(config.output_peak);
    check_controls(config.controls);
}

} // namespace serpent
