// SPDX-License-Identifier: GPL-3.0-or-later
// The top line: the name, the preset, settings and bypass; and the bottom line: rates, latency and load.
#pragma once

#include "editor/actions.h"
#include "editor/knob.h"
#include "editor/model_panel.h"

namespace serpent::plugin {

class Header : public juce::Component {
public:
    Header(Processor& processor, Actions& actions);
    void update();
    bool refresh();
    void paint(juce::Graphics&) override;
    void resized() override;

private:
    void show_edits();
    void show_preset();

    Processor& processor_;
    Actions& actions_;
    IconButton previous_, next_, save_, undo_, redo_, menu_;
    juce::TextButton preset_;
    juce::TextButton bypass_{"Bypass"};
};

class StatusLine : public juce::Component {
public:
    explicit StatusLine(Processor& processor) : processor_(processor) { setInterceptsMouseClicks(false, false); }
    void refresh(double seconds);
    void paint(juce::Graphics&) override;
    /// What the output guard does; empty: nothing.
    const juce::String& guard() const { return guard_; }

private:
    juce::String look_at_guard();

    Processor& processor_;
    juce::String rates_, load_, guard_;
    double since_look_s_ = 1.0;
    int looks_since_guarded_ = 100;  // long ago
};

/// What went wrong, in words, and what to do about it. Invisible while there is nothing to say.
class Banner : public juce::Component {
public:
    Banner(Processor& processor, Actions& actions);
    void update();
    void paint(juce::Graphics&) override;
    void resized() override;

private:
    Processor& processor_;
    juce::Label text_;
    juce::TextButton locate_{"Locate..."};
    IconButton close_;
};

} // namespace serpent::plugin
