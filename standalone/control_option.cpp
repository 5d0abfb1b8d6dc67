// SPDX-License-Identifier: GPL-3.0-or-later
#include "control_option.h"

#include "serpent/errors.h"
#include "serpent/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <iostream>
#include <sstream>

namespace {

bool equal_in_any_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

/// "Drive (0 to 1), Tone (0 to 10 dB)"
std::string names_and_ranges(const serpent::Model& model) {
    std::ostringstream text;
    for (const serpent::Control& control : model.config.controls) {
        if (&control != &model.config.controls.front()) text << ", ";
        text << control.name << " (" << control.min << " to " << control.max;
        if (!control.unit.empty()) text << ' ' << control.unit;
        text << ')';
    }
    return text.str();
}

std::size_t find_control(const serpent::Model& model, const std::string& name) {
    const std::vector<serpent::Control>& controls = model.config.controls;
    if (controls.empty()) throw serpent::Error("--control " + name + ": this model has no controls");
    for (std::size_t i = 0; i < controls.size(); ++i) {
        if (equal_in_any_case(controls[i].name, name)) return i;
    }
    throw serpent::Error("--control " + name + ": this model's controls are " + names_and_ranges(model));
}

float parse_value(const std::string& setting, std::string_view text) {
    float value = 0.0f;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
        throw serpent::Error("--control " + setting + ": write NAME=VALUE with a number, for instance Drive=0.7");
    }
    return value;
}

} // namespace

CLI::Option* add_control_option(CLI::App& command, std::vector<std::string>& settings) {
    return command.add_option("--control", settings, "Turn a knob of the model; once for each knob")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
}

std::vector<float> control_values(const serpent::Model& model, const std::vector<std::string>& settings) {
    std::vector<float> values;
    for (const serpent::Control& control : model.config.controls) values.push_back(control.default_value);
    for (const std::string& bytes : settings) {
        const std::string setting = serpent::valid_utf8(bytes);
        const std::size_t equals = setting.rfind('=');
        const std::string name = setting.substr(0, equals);
        const std::size_t index = find_control(model, name);
        const serpent::Control& control = model.config.controls[index];
        const std::string text = equals == std::string::npos ? "" : setting.substr(equals + 1);
        const float wanted = parse_value(setting, text);
        values[index] = std::clamp(wanted, control.min, control.max);
        if (values[index] != wanted) {
            std::cerr << control.name << ' ' << wanted << " is outside its range; " << values[index] << " is used\n";
        }
    }
    return values;
}
