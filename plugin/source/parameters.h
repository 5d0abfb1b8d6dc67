// SPDX-License-Identifier: GPL-3.0-or-later
// Every host parameter: its stable ID, name, range and unit. IDs are for ever: sessions and automation refer to them.
#pragma once

#include "serpent/model.h"

#include <juce_audio_processors/juce_audio_processors.h>

#include <array>
#include <atomic>
#include <mutex>
#include <span>
#include <vector>

namespace serpent::plugin {

inline constexpr int slot_count = 2;         // A and B
inline constexpr int controls_per_slot = 8;  // of a model's own knobs, those that a host can automate

/// A number for people. (juce::String takes "no decimals" for "as many as there are".)
juce::String rounded(double value, int decimals);
/// What a parameter shows for a value: "12.5 dB".
juce::String text_with_unit(const juce::AudioProcessorParameter& parameter, float normalised);

/// A parameter whose master copy is the normalised value itself, so that what a host or a session sets is what it gets
/// back, to the last bit. Discrete ones snap. Any thread; setValue() and plain() neither allocate nor lock.
class Parameter : public juce::RangedAudioParameter {
public:
    enum class Kind { continuous, toggle, choice };
    struct Description {
        const char *id, *name, *unit;
        juce::NormalisableRange<float> range;
        float default_value;  ///< plain
        Kind kind = Kind::continuous;
        juce::StringArray choices = {};
        int decimals = 1;
        int version_hint = 1;  ///< of the parameter set that has it first, for Audio Units
    };
    explicit Parameter(const Description& description);

    float plain() const noexcept { return convertFrom0to1(getValue()); }
    bool on() const noexcept { return getValue() >= 0.5f; }

    float getValue() const override { return normalised_.load(std::memory_order_relaxed); }
    void setValue(float normalised) override;
    float getDefaultValue() const override { return default_; }
    const juce::NormalisableRange<float>& getNormalisableRange() const override { return range_; }
    int getNumSteps() const override;
    bool isDiscrete() const override { return kind_ != Kind::continuous; }
    bool isBoolean() const override { return kind_ == Kind::toggle; }
    juce::String getText(float normalised, int maximum_length) const override;
    float getValueForText(const juce::String& text) const override;

private:
    juce::NormalisableRange<float> range_;
    Kind kind_;
    juce::StringArray choices_;
    int decimals_;
    float default_;
    std::atomic<float> normalised_;
};

/// One of the eight knobs of a slot: carries the name, range and unit of the control of the model that the slot holds.
class ControlParameter : public juce::RangedAudioParameter {
public:
    ControlParameter(int slot, int index);

    /// From now on shows this control; nullptr: none. Not for the audio thread.
    void show(const Control* control);
    bool used() const noexcept { return used_.load(std::memory_order_relaxed); }
    Control control() const;
    /// The value in the model's units. For the audio thread too.
    float model_value() const noexcept { return model_value(getValue()); }
    float model_value(float normalised) const noexcept;

    float getValue() const override { return normalised_.load(std::memory_order_relaxed); }
    void setValue(float normalised) override;
    float getDefaultValue() const override { return default_.load(std::memory_order_relaxed); }
    const juce::NormalisableRange<float>& getNormalisableRange() const override { return range_; }
    juce::String getName(int maximum_length) const override;
    juce::String getLabel() const override { return control().unit; }
    juce::String getText(float normalised, int maximum_length) const override;
    float getValueForText(const juce::String& text) const override;

private:
    const juce::String slot_name_, generic_name_;
    const juce::NormalisableRange<float> range_{0.0f, 1.0f};
    mutable std::mutex mutex_;  // of control_, which has strings; never taken by the audio thread
    Control control_;
    std::atomic<bool> used_{false};
    std::atomic<float> min_{0.0f}, max_{1.0f}, default_{0.5f}, normalised_{0.5f};
};

/// The parameters of one plugin instance, owned by its processor.
struct Parameters {
    explicit Parameters(juce::AudioProcessor& owner);  ///< adds them all to `owner`

    Parameter *bypass, *input_db, *output_db, *mix;
    Parameter *gate_on, *gate_threshold_db, *gate_release_ms;
    Parameter *model_on, *slot, *match, *normalise;
    Parameter *eq_on, *eq_low_db, *eq_mid_db, *eq_mid_hz, *eq_high_db;
    Parameter *cabinet_on, *cabinet_db, *dc_block, *guard;
    /// A preset is a sound; these belong to the place where it is played, and presets leave them alone.
    std::array<Parameter*, 2> beside_presets() const { return {bypass, guard}; }
    std::array<std::array<ControlParameter*, controls_per_slot>, slot_count> controls;

    std::vector<juce::RangedAudioParameter*> all;  ///< in the host's order

    int active_slot() const noexcept { return slot->on() ? 1 : 0; }
    /// What the knobs of `slot` say, in the units of `model`; its defaults beyond the eighth control.
    std::vector<float> control_values(int slot_index, const Model& model) const;
};

/// Sets a parameter as a user's hand would, so that the host records it.
void set_by_user(juce::RangedAudioParameter& parameter, float normalised);

} // namespace serpent::plugin
