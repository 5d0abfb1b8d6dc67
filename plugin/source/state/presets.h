// SPDX-License-Identifier: GPL-3.0-or-later
// Factory presets, which are the host's programs, and the user's, which are files.
#pragma once

#include "state/state.h"

#include <vector>

namespace serpent::plugin {

/// The names of the factory presets: never empty, and the same list for the whole life of the process.
const std::vector<juce::String>& factory_preset_names();
/// 0 <= program < factory_preset_names().size(). Throws serpent::Error.
State factory_preset(int program);

/// Where the user's presets are kept; it may not exist yet.
juce::File user_preset_folder();
/// In the order of their names.
std::vector<juce::File> user_presets();
/// What a preset in this file is called. Characters that a file's name cannot have everywhere are escaped in it: "%2F".
juce::String preset_name(const juce::File& file);
/// The file of the preset that is called so, but for upper and lower case; else the one that it will have. Throws serpent::Error
/// when nothing can be called so.
juce::File preset_file(const juce::String& name);
/// The file appears whole or not at all. Throws serpent::Error.
void save_user_preset(const juce::File& file, State state);
/// Throw serpent::Error; another preset is never replaced.
void rename_user_preset(const juce::File& file, const juce::String& name);
void delete_user_preset(const juce::File& file);
State read_user_preset(const juce::File& file);

inline constexpr const char* preset_extension = ".serpentpreset";

} // namespace serpent::plugin
