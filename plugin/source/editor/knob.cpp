// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/knob.h"

#include "parameters.h"

namespace serpent::plugin {

namespace {

constexpr int name_height = 16, value_height = 18, air = 4;
constexpr float sweep = 0.75f * juce::MathConstants<float>::pi;

} // namespace

Knob::Knob() {
    slider_.setSliderStyle(juce::Slider::RotaryHorizontalVerticalDrag);
    slider_.setTextBoxStyle(juce::Slider::NoTextBox, false, 0, 0);
    slider_.setRotaryParameters(juce::MathConstants<float>::twoPi - sweep, juce::MathConstants<float>::twoPi + sweep, true);
    slider_.setMouseDragSensitivity(220);
    slider_.setVelocityModeParameters(1.0, 1, 0.0, true, juce::ModifierKeys::shiftModifier);
    slider_.setWantsKeyboardFocus(true);
    slider_.setHasFocusOutline(true);
    for (juce::Label* label : {&name_, &value_}) {
        label->setJustificationType(juce::Justification::centred);
        label->setBorderSize({0, 0, 0, 0});
        label->setMinimumHorizontalScale(0.75f);
    }
    name_.setFont(type(12.5f));
    name_.setColour(juce::Label::textColourId, colour::quiet);
    name_.setInterceptsMouseClicks(false, false);
    name_.setAccessible(false);  // the slider says it
    value_.setFont(type(12.5f, Weight::strong));
    value_.setEditable(false, true, false);
    value_.setWantsKeyboardFocus(false);  // the knob has it, and opens the text with Return
    value_.setTooltip("Double-click to type a value, or press Return on the knob");
    value_.onEditorHide = [this] {
        if (value_.hasKeyboardFocus(true)) slider_.grabKeyboardFocus();
    };
    value_.onTextChange = [this] { typed(); };
    slider_.setRange(0.0, 1.0);
    slider_.onDragStart = [this] {
        dragging_ = true;
        if (parameter_) parameter_->beginChangeGesture();
    };
    slider_.onDragEnd = [this] {
        dragging_ = false;
        if (parameter_) parameter_->endChangeGesture();
    };
    slider_.onValueChange = [this] { turned(); };
    slider_.textFromValueFunction = [this](double value) {
        return parameter_ ? text_with_unit(*parameter_, static_cast<float>(value)) : juce::String();
    };
    slider_.valueFromTextFunction = [this](const juce::String& text) { return parameter_ ? parameter_->getValueForText(text) : 0.0f; };
    addAndMakeVisible(name_), addAndMakeVisible(slider_), addAndMakeVisible(value_);
}

void Knob::attach(juce::RangedAudioParameter& parameter, const juce::String& shown_name, const juce::String& accessible_name,
                  const juce::String& help) {
    if (dragging_ && parameter_) parameter_->endChangeGesture();
    dragging_ = false;
    parameter_ = &parameter;
    slider_.setDoubleClickReturnValue(true, parameter.getDefaultValue());
    name_.setText(shown_name, juce::dontSendNotification);
    for (juce::Component* component : {static_cast<juce::Component*>(&slider_), static_cast<juce::Component*>(this)})
        component->setName(accessible_name);
    slider_.setTitle(accessible_name);
    slider_.setTooltip(help + ". Double-click: " + text_with_unit(parameter, parameter.getDefaultValue()) + "; Shift: slowly");
    value_.setTitle(accessible_name + " value");
    value_.setName(accessible_name + " value");
    show_value();
}

void Knob::set_bipolar(bool from_middle) {
    if (from_middle) slider_.getProperties().set(Look::bipolar, true);
    else slider_.getProperties().remove(Look::bipolar);
}

void Knob::turned() {
    if (!parameter_) return;
    const auto value = static_cast<float>(slider_.getValue());
    if (dragging_) parameter_->setValueNotifyingHost(value);
    else set_by_user(*parameter_, value);  // by key
    show_value();
}

bool Knob::keyPressed(const juce::KeyPress& key) {
    if (key != juce::KeyPress::returnKey) return false;
    value_.showEditor();
    return true;
}

void Knob::typed() {
    if (!parameter_) return;
    set_by_user(*parameter_, parameter_->getValueForText(value_.getText()));
    show_value();
}

bool Knob::refresh() {
    if (!parameter_ || parameter_->getValue() == shown_) return false;
    show_value();
    return true;
}

void Knob::show_value() {
    const float value = parameter_->getValue();
    if (!dragging_) slider_.setValue(value, juce::dontSendNotification);
    if (value_.isBeingEdited()) return;
    value_.setText(text_with_unit(*parameter_, value), juce::dontSendNotification);
    shown_ = value;
}

void Knob::resized() {
    auto area = getLocalBounds();
    const int size = std::min(area.getWidth(), area.getHeight() - name_height - value_height - 2 * air);
    area = area.withSizeKeepingCentre(area.getWidth(), size + name_height + value_height + 2 * air);
    name_.setBounds(area.removeFromTop(name_height));
    value_.setBounds(area.removeFromBottom(value_height));
    slider_.setBounds(area.withSizeKeepingCentre(size, size));
}

Switch::Switch(juce::RangedAudioParameter& parameter, const juce::String& shown_name, const juce::String& accessible_name,
               const juce::String& help)
    : parameter_(parameter) {
    setButtonText(shown_name);
    setName(accessible_name);
    setTitle(accessible_name);
    setTooltip(help);
    setWantsKeyboardFocus(true);
    setHasFocusOutline(true);
    refresh();
}

bool Switch::refresh() {
    const bool on = parameter_.getValue() >= 0.5f;
    if (on == getToggleState()) return false;
    setToggleState(on, juce::dontSendNotification);
    return true;
}

void Switch::clicked() { set_by_user(parameter_, getToggleState() ? 1.0f : 0.0f); }

} // namespace serpent::plugin
