// SPDX-License-Identifier: GPL-3.0-or-later
// A rotary control with its name above and its value, which can be typed over, below; and a switch with a lamp.
#pragma once

#include "editor/look.h"

#include <juce_audio_processors/juce_audio_processors.h>

namespace serpent::plugin {

/// What shows a parameter. It looks at it when the editor's timer says so, and listens to nothing: JUCE's attachments post a
/// message from the thread that sets the parameter, and with automation that is the audio thread.
class Shows {
public:
    virtual ~Shows() = default;
    virtual bool refresh() = 0;  ///< whether it has changed
};

class Knob : public juce::Component, public Shows {
public:
    Knob();

    /// Turns `parameter` from now on. `accessible_name` is read out, `shown_name` drawn, `help` the tooltip.
    void attach(juce::RangedAudioParameter& parameter, const juce::String& shown_name, const juce::String& accessible_name,
                const juce::String& help);
    void set_bipolar(bool from_middle);
    /// Whether what it turns is heard now: else it is drawn paler, and still turns.
    void set_heard(bool heard) { setAlpha(heard ? 1.0f : 0.42f); }
    bool refresh() override;
    void resized() override;
    bool keyPressed(const juce::KeyPress&) override;
    juce::Slider& slider() { return slider_; }

private:
    void turned();
    void typed();
    void show_value();

    juce::Slider slider_;
    juce::Label name_, value_;
    juce::RangedAudioParameter* parameter_ = nullptr;
    bool dragging_ = false;
    float shown_ = -1.0f;  // normalised
};

class Switch : public juce::ToggleButton, public Shows {
public:
    Switch(juce::RangedAudioParameter& parameter, const juce::String& shown_name, const juce::String& accessible_name,
           const juce::String& help);

    bool refresh() override;
    void clicked() override;

private:
    juce::RangedAudioParameter& parameter_;
};

} // namespace serpent::plugin
