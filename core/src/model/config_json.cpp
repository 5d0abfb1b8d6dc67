// SPDX-License-Identifier: MIT
#include "model/config_json.h"

#include "model/json_text.h"
#include "model/safetensors.h"
#include "serpent/errors.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>

namespace serpent {

using nlohmann::json;

namespace {

[[noreturn]] void fail(const std::string& field, const std::string& reason) {
    throw Error("config: \"" + field + "\" " + reason);
}

const json* find(const json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

void read(const json& value, const std::string& field, int& out) {
    const auto fits = [](auto number) {
        return number >= std::numeric_limits<int>::min() && number <= std::numeric_limits<int>::max();
    };
    const bool ok = value.is_number_unsigned() ? value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<int>::max()}
                                               : value.is_number_integer() && fits(value.get<std::int64_t>());
    if (!ok) fail(field, "must be a whole number within its limits");
    out = value.get<int>();
}

void read(const json& value, const std::string& field, bool& out) {
    if (!value.is_boolean()) fail(field, "must be true or false");
    out = value.get<bool>();
}

void read(const json& value, const std::string& field, float& out) {
    if (!value.is_number()) fail(field, "must be a number");
    out = value.get<float>();
}

void read(const json& value, const std::string& field, std::string& out) {
    if (!value.is_string()) fail(field, "must be a text");
    out = value.get<std::string>();
}

/// Leaves `out` alone when the key is absent; says whether it was there.
template <class T>
bool optional(const json& object, const std::string& prefix, const char* key, T& out) {
    const json* value = find(object, key);
    if (value) read(*value, prefix + key, out);
    return value != nullptr;
}

template <class T>
void required(const json& object, const std::string& prefix, const char* key, T& out) {
    if (!optional(object, prefix, key, out)) fail(prefix + key, "is missing");
}

template <class Enum>
void optional_choice(const json& object, const char* key, const char* first_name, Enum first, const char* second_name,
                     Enum second, Enum& out) {
    std::string text;
    if (!optional(object, "", key, text)) return;
    if (text == first_name) out = first;
    else if (text == second_name) out = second;
    else fail(key, "is " + printable(text) + "; it must be \"" + first_name + "\" or \"" + second_name + "\"");
}

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

void check_range(const char* field, int value, int low, int high) {
    if (value < low || value > high) {
        fail(field, "is " + std::to_string(value) + "; it must be from " + std::to_string(low) + " to " + std::to_string(high));
    }
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

} // namespace

ModelConfig parse_config(std::string_view text) {
    const json object = parse_json(text, "config");
    if (!object.is_object()) throw Error("config must be a JSON object");
    ModelConfig config;
    required(object, "", "kind", config.kind);
    required(object, "", "sample_rate", config.sample_rate);
    optional(object, "", "channels", config.channels);
    required(object, "", "d_model", config.d_model);
    required(object, "", "n_layers", config.n_layers);
    required(object, "", "d_state", config.d_state);
    optional(object, "", "d_conv", config.d_conv);
    optional(object, "", "expand", config.expand);
    config.dt_rank = config.d_model / 16 + (config.d_model % 16 > 0 ? 1 : 0);
    optional(object, "", "dt_rank", config.dt_rank);
    optional_choice(object, "a", "full", DecayShape::full, "tied", DecayShape::tied, config.a);
    optional_choice(object, "b_bar", "euler", BBar::euler, "ema", BBar::ema, config.b_bar);
    optional(object, "", "final_norm", config.final_norm);
    optional(object, "", "skip", config.skip);
    if (const json* controls = find(object, "controls")) config.controls = parse_controls(*controls);
    check_config(config);
    return config;
}

std::string config_text(const ModelConfig& config) {
    nlohmann::ordered_json controls = nlohmann::ordered_json::array();
    for (const Control& control : config.controls) {
        nlohmann::ordered_json entry = {
            {"name", control.name}, {"min", control.min}, {"max", control.max}, {"default", control.default_value}};
        if (!control.unit.empty()) entry["unit"] = control.unit;
        controls.push_back(std::move(entry));
    }
    const nlohmann::ordered_json object = {
        {"kind", config.kind},
        {"sample_rate", config.sample_rate},
        {"channels", config.channels},
        {"d_model", config.d_model},
        {"n_layers", config.n_layers},
        {"d_state", config.d_state},
        {"d_conv", config.d_conv},
        {"expand", config.expand},
        {"dt_rank", config.dt_rank},
        {"a", config.a == DecayShape::tied ? "tied" : "full"},
        {"b_bar", config.b_bar == BBar::ema ? "ema" : "euler"},
        {"final_norm", config.final_norm},
        {"skip", config.skip},
        {"controls", controls},
    };
    try {
        return object.dump();
    } catch (const json::exception&) {
        throw Error("config: the name or unit of a control is not valid UTF-8; write it in UTF-8");
    }
}

void check_config(const ModelConfig& config) {
    if (config.kind != "effect") {
        fail("kind", "is " + printable(config.kind) + "; this version of serpent plays \"effect\" models only");
    }
    check_range("sample_rate", config.sample_rate, 1000, 768000);
    check_range("channels", config.channels, 1, 64);
    check_range("d_model", config.d_model, 1, 1024);
    check_range("n_layers", config.n_layers, 1, 64);
    check_range("d_state", config.d_state, 1, 256);
    check_range("d_conv", config.d_conv, 1, 64);
    check_range("expand", config.expand, 1, 16);
    check_range("dt_rank", config.dt_rank, 1, 1024);
    check_controls(config.controls);
}

} // namespace serpent
