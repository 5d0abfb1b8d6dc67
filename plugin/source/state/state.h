// SPDX-License-Identifier: GPL-3.0-or-later
// What a session or a preset remembers, and its text: XML with a version. docs/plugin.md describes it.
#pragma once

#include "library/source_file.h"
#include "parameters.h"

#include <array>
#include <memory>
#include <utility>
#include <vector>

namespace serpent::plugin {

struct State {
    std::vector<std::pair<juce::String, float>> parameters;  ///< ID and normalised value; one that is absent has its default
    std::array<SourceFile, slot_count> models;               ///< empty: none
    SourceFile cabinet;
    bool resample = false;  ///< RateMode::resample instead of scale_dt
    int oversampling = 1;   ///< 1, 2 or 4
    int program = 0;        ///< the factory preset that was chosen last
    juce::String preset;    ///< the name of the preset that was chosen last
    bool modified = false;  ///< it no longer sounds as that preset
};

inline constexpr int state_version = 1;

std::unique_ptr<juce::XmlElement> to_xml(const State& state);
/// Reads every version up to this one, and of a later one what it knows. Throws serpent::Error when it is something else or
/// damaged.
State from_xml(const juce::XmlElement& xml);

} // namespace serpent::plugin
