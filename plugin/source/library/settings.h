// SPDX-License-Identifier: GPL-3.0-or-later
// What the user's instances share and keep from day to day: recent files and the size of the window.
#pragma once

#include <juce_data_structures/juce_data_structures.h>

namespace serpent::plugin {

/// Where a user's settings and presets are kept: $XDG_CONFIG_HOME/Serpent, ~/.config/Serpent, or the platform's equivalent.
juce::File user_folder();
/// Gives `file` of the user's folder what an earlier version kept at `old`, if there is nothing yet. Never overwrites. Returns
/// whether nothing is left at `old`.
bool adopt(const juce::File& old, const juce::File& file);

/// For the message thread. One for the process (juce::SharedResourcePointer), written soon after a change.
class Settings {
public:
    Settings();

    juce::StringArray recent_models() const;  ///< paths, the latest first, at most 12
    void add_recent_model(const juce::File& file);

    int editor_width() const;  ///< 0: none yet
    void set_editor_width(int width);

    juce::File folder(const juce::String& kind) const;  ///< where a file of that kind was chosen last
    void set_folder(const juce::String& kind, const juce::File& folder);

private:
    juce::PropertiesFile file_;
};

} // namespace serpent::plugin
