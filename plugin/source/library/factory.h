// SPDX-License-Identifier: GPL-3.0-or-later
// What comes with the plugin: its models.
#pragma once

#include "library/capture.h"

#include <vector>

namespace serpent::plugin {

struct FactoryModel {
    juce::String id;     ///< its file's name without the extension
    juce::String title;
    juce::String about;  ///< one line
};

/// In the order of the menu; the same list for the whole life of the process.
const std::vector<FactoryModel>& factory_models();
/// Throws serpent::Error when there is no such model.
std::shared_ptr<const Capture> factory_capture(const juce::String& id);

} // namespace serpent::plugin
