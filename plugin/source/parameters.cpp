// SPDX-License-Identifier: GPL-3.0-or-later
#include "parameters.h"

#include <cmath>

namespace serpent::plugin {

namespace {

constexpr juce::juce_wchar minus_sign = 0x2212;

juce::NormalisableRange<float> logarithmic(float min, float max) {
    return {min, max,
            [](float low, float high, float x) { return low * std::pow(high / low, x); },
            [](float low, float high, float v) { return std::log(v / low) / std::log(high / low); }};
}

juce::NormalisableRange<float> linear(float min, float max) { return {min, max}; }
juce::NormalisableRange<float> steps(int count) { return {0.0f, static_cast<float>(count - 1), 1.0f}; }

Parameter::Description toggle(const char* id, const char* name, bool on) {
    return {id, name, "", steps(2), on ? 1.0f : 0.0f, Parameter::Kind::toggle, {"Off", "On"}};
}

/// What a value in the unit that was typed is in the parameter's: 1000 for "k" or "kHz" where Hz is meant, and for "s" where ms is.
float scale_of(const juce::String& typed, const juce::String& unit) {
    if (typed.isEmpty() || typed == unit) return 1.0f;
    if (unit == "Hz") return typed.startsWithIgnoreCase("k") ? 1000.0f : 1.0f;
    if (unit == "kHz") return typed.equalsIgnoreCase("hz") ? 0.001f : 1.0f;
    if (unit == "ms") return typed.startsWithIgnoreCase("s") ? 1000.0f : 1.0f;
    if (unit == "s") return typed.equalsIgnoreCase("ms") ? 0.001f : 1.0f;
    return 1.0f;
}

/// "12.5 dB" -> 12.5, "1,2 k" -> 1200 where the unit is Hz. False: no number.
bool number_in(const juce::String& text, const juce::String& unit, float& value) {
    const juce::String plain = text.trim().replaceCharacter(',', '.').replaceCharacter(minus_sign, '-');
    if (!plain.containsAnyOf("0123456789")) return false;
    const juce::String last_digit = plain.retainCharacters("0123456789").getLastCharacters(1);
    value = plain.getFloatValue() * scale_of(plain.fromLastOccurrenceOf(last_digit, false, false).trim(), unit);
    return std::isfinite(value);
}

} // namespace

juce::String rounded(double value, int decimals) {
    const juce::String text = decimals > 0 ? juce::String(value, decimals) : juce::String::formatted("%.0f", value);
    return text.containsOnly("-0.") ? text.trimCharactersAtStart("-") : text;
}

juce::String text_with_unit(const juce::AudioProcessorParameter& parameter, float normalised) {
    return (parameter.getText(normalised, 0) + " " + parameter.getLabel()).trimEnd();
}

Parameter::Parameter(const Description& d)
    : RangedAudioParameter(juce::ParameterID(d.id, d.version_hint), d.name,
                           juce::AudioProcessorParameterWithIDAttributes().withLabel(d.unit)),
      range_(d.range), kind_(d.kind), choices_(d.choices), decimals_(d.decimals), default_(range_.convertTo0to1(d.default_value)),
      normalised_(default_) {}

void Parameter::setValue(float normalised) {
    float value = juce::jlimit(0.0f, 1.0f, std::isfinite(normalised) ? normalised : default_);
    if (kind_ != Kind::continuous) value = convertTo0to1(convertFrom0to1(value));
    normalised_.store(value, std::memory_order_relaxed);
}

int Parameter::getNumSteps() const {
    return kind_ == Kind::continuous ? juce::AudioProcessor::getDefaultNumParameterSteps() : choices_.size();
}

juce::String Parameter::getText(float normalised, int maximum_length) const {
    const float value = convertFrom0to1(juce::jlimit(0.0f, 1.0f, normalised));
    const juce::String text = kind_ == Kind::continuous ? rounded(value, decimals_) : choices_[juce::roundToInt(value)];
    return maximum_length > 0 ? text.substring(0, maximum_length) : text;
}

float Parameter::getValueForText(const juce::String& text) const {
    if (kind_ != Kind::continuous)
        for (int i = 0; i < choices_.size(); ++i)
            if (choices_[i].equalsIgnoreCase(text.trim())) return convertTo0to1(static_cast<float>(i));
    float value = 0.0f;
    if (!number_in(text, getLabel(), value)) return getValue();
    return convertTo0to1(juce::jlimit(range_.start, range_.end, value));
}

ControlParameter::ControlParameter(int slot, int index)
    : RangedAudioParameter(juce::ParameterID(juce::String(slot == 0 ? "a" : "b") + "_control_" + juce::String(index + 1), 1),
                           juce::String(slot == 0 ? "A" : "B") + " Control " + juce::String(index + 1)),
      slot_name_(slot == 0 ? "A" : "B"), generic_name_("Control " + juce::String(index + 1)) {}

void ControlParameter::setValue(float normalised) {
    normalised_.store(std::isfinite(normalised) ? juce::jlimit(0.0f, 1.0f, normalised) : getDefaultValue(), std::memory_order_relaxed);
}

void ControlParameter::show(const Control* control) {
    const std::lock_guard lock(mutex_);
    control_ = control ? *control : Control{};
    min_ = control_.min, max_ = control_.max;
    const float range = control_.max - control_.min;
    default_ = range > 0.0f ? juce::jlimit(0.0f, 1.0f, (control_.default_value - control_.min) / range) : 0.0f;
    used_ = control != nullptr;
}

Control ControlParameter::control() const {
    const std::lock_guard lock(mutex_);
    return control_;
}

float ControlParameter::model_value(float normalised) const noexcept {
    const float min = min_.load(std::memory_order_relaxed), max = max_.load(std::memory_order_relaxed);
    return min + normalised * (max - min);
}

juce::String ControlParameter::getName(int maximum_length) const {
    const juce::String shown = used() ? juce::String::fromUTF8(control().name.c_str()) : generic_name_;
    return (slot_name_ + " " + shown).substring(0, maximum_length);
}

juce::String ControlParameter::getText(float normalised, int maximum_length) const {
    const float span = std::abs(max_.load() - min_.load());
    // Three digits of the whole range.
    const int decimals = span > 0.0f ? juce::jlimit(0, 6, 3 - static_cast<int>(std::ceil(std::log10(span) + 1e-4f))) : 2;
    const juce::String text = rounded(model_value(juce::jlimit(0.0f, 1.0f, normalised)), decimals);
    return maximum_length > 0 ? text.substring(0, maximum_length) : text;
}

float ControlParameter::getValueForText(const juce::String& text) const {
    float value = 0.0f;
    const float min = min_.load(), range = max_.load() - min;
    if (!number_in(text, getLabel(), value) || !(range > 0.0f)) return getValue();
    return juce::jlimit(0.0f, 1.0f, (value - min) / range);
}

Parameters::Parameters(juce::AudioProcessor& owner) {
    const auto add = [&](Parameter::Description description) {
        auto* parameter = new Parameter(description);
        owner.addParameter(parameter);
        all.push_back(parameter);
        return parameter;
    };
    input_db = add({"input_db", "Input", "dB", linear(-24, 24), 0});
    gate_on = add(toggle("gate_on", "Gate On", false));
    gate_threshold_db = add({"gate_threshold_db", "Gate Threshold", "dB", linear(-96, -20), -66});
    gate_release_ms = add({"gate_release_ms", "Gate Release", "ms", logarithmic(10, 1000), 120, Parameter::Kind::continuous, {}, 0});
    model_on = add(toggle("model_on", "Model On", true));
    slot = add({"slot", "Slot", "", steps(2), 0, Parameter::Kind::choice, {"A", "B"}});
    match = add(toggle("match", "Match A/B Loudness", true));
    normalise = add(toggle("normalise", "Normalise Loudness", false));
    for (int s = 0; s < slot_count; ++s)
        for (int i = 0; i < controls_per_slot; ++i) {
            auto* control = new ControlParameter(s, i);
            owner.addParameter(control);
            all.push_back(control);
            controls[static_cast<std::size_t>(s)][static_cast<std::size_t>(i)] = control;
        }
    eq_on = add(toggle("eq_on", "EQ On", false));
    eq_low_db = add({"eq_low_db", "Bass", "dB", linear(-15, 15), 0});
    eq_mid_db = add({"eq_mid_db", "Middle", "dB", linear(-15, 15), 0});
    eq_mid_hz = add({"eq_mid_hz", "Middle Frequency", "Hz", logarithmic(200, 5000), 800, Parameter::Kind::continuous, {}, 0});
    eq_high_db = add({"eq_high_db", "Treble", "dB", linear(-15, 15), 0});
    cabinet_on = add(toggle("cabinet_on", "Cabinet On", true));
    cabinet_db = add({"cabinet_db", "Cabinet Level", "dB", linear(-24, 12), 0});
    dc_block = add(toggle("dc_block", "DC Block", false));
    mix = add({"mix", "Mix", "%", linear(0, 100), 100, Parameter::Kind::continuous, {}, 0});
    output_db = add({"output_db", "Output", "dB", linear(-24, 24), 0});
    bypass = add(toggle("bypass", "Bypass", false));
    Parameter::Description output_guard = toggle("guard", "Output Guard", true);
    output_guard.version_hint = 2;
    guard = add(output_guard);
}

std::vector<float> Parameters::control_values(int slot_index, const Model& model) const {
    std::vector<float> values;
    for (std::size_t i = 0; i < model.config.controls.size(); ++i) {
        const Control& control = model.config.controls[i];
        if (i >= controls_per_slot) {
            values.push_back(control.default_value);
            continue;
        }
        const float normalised = controls[static_cast<std::size_t>(slot_index)][i]->getValue();
        values.push_back(control.min + normalised * (control.max - control.min));
    }
    return values;
}

void set_by_user(juce::RangedAudioParameter& parameter, float normalised) {
    parameter.beginChangeGesture();
    parameter.setValueNotifyingHost(normalised);
    parameter.endChangeGesture();
}

} // namespace serpent::plugin
