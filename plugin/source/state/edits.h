// SPDX-License-Identifier: GPL-3.0-or-later
// Undo and redo of what the user does in the editor. What the host does is the host's to undo.
#pragma once

#include "parameters.h"
#include "session.h"

#include <juce_data_structures/juce_data_structures.h>

#include <atomic>

namespace serpent::plugin {

/// For the message thread, but for forget().
class Edits : private juce::AudioProcessorParameter::Listener {
public:
    /// From now on every gesture on a parameter is one edit; those on one parameter within a second are one together.
    Edits(Parameters& parameters, Session& session);
    ~Edits() override;

    /// To be called before anything but a parameter is changed: a model, a preset, the rate.
    void remember(const juce::String& what);
    void undo();
    void redo();
    /// What undo() and redo() would take back and bring back; empty: nothing.
    juce::String next_undo() { return current().getUndoDescription(); }
    juce::String next_redo() { return current().getRedoDescription(); }

    /// Any thread: the host has restored a session, to which the edits until now do not apply.
    void forget() noexcept { stale_ = true; }

private:
    void parameterValueChanged(int, float) override {}
    void parameterGestureChanged(int index, bool starting) override;
    juce::UndoManager& current();

    Parameters& parameters_;
    Session& session_;
    juce::UndoManager manager_;
    std::atomic<bool> stale_{false};
    bool replaying_ = false;
    int turned_ = -1;           // the parameter under the hand
    float before_ = 0.0f;       // its value when the gesture began
    int last_turned_ = -1;
    juce::uint32 last_ms_ = 0;  // when
};

} // namespace serpent::plugin
