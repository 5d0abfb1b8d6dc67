// SPDX-License-Identifier: GPL-3.0-or-later
// The model: its name, how to change it, A and B, its knobs, and the levels before and after.
#pragma once

#include "editor/actions.h"
#include "editor/knob.h"
#include "editor/levels.h"

#include <array>
#include <functional>
#include <vector>

namespace serpent::plugin {

/// A button with a drawn sign instead of a word.
class IconButton : public juce::Button {
public:
    enum class Icon { previous, next, folder, menu, info, save, undo, redo, copy, close };
    IconButton(Icon icon, const juce::String& accessible_name);
    void paintButton(juce::Graphics&, bool over, bool down) override;

private:
    const Icon icon_;
};

class ModelPanel : public juce::Component {
public:
    ModelPanel(Processor& processor, Actions& actions, std::function<void()> show_info);
    /// The session has changed.
    void update();
    /// The levels during the last `seconds`. Returns whether anything has changed.
    bool refresh(float input_db, float output_db, double seconds);
    void paint(juce::Graphics&) override;
    void resized() override;

private:
    void attach_knobs();
    void choose_slot(int slot);

    Processor& processor_;
    Actions& actions_;
    juce::TextButton slot_a_{"A"}, slot_b_{"B"};
    Switch model_on_, match_, normalise_;
    juce::TextButton name_;
    juce::Label about_;
    IconButton copy_, previous_, next_, folder_, info_;
    std::array<Knob, controls_per_slot> knobs_;
    std::size_t knobs_shown_ = 0;
    History history_;
    int shown_slot_ = -1;
};

} // namespace serpent::plugin
