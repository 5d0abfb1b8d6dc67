// SPDX-License-Identifier: GPL-3.0-or-later
// A noise gate whose threshold may jump.
#pragma once

#include "chain/fader.h"

namespace serpent::plugin {

/// As juce::dsp::NoiseGate, on the same level detectors, but for the threshold: that one applies it at once, which at a ratio of 10
/// is a step of 9 dB for each. Here a change fades in, and one that comes meanwhile waits for its end.
class Gate {
public:
    void prepare(const juce::dsp::ProcessSpec& spec);
    void reset() noexcept;
    void process(Block io, float threshold_db, float release_ms) noexcept;

private:
    juce::dsp::BallisticsFilter<float> level_, envelope_;
    float release_ms_ = 0.0f;
    float threshold_ = 0.0f, coming_ = 0.0f;  // gains
    juce::SmoothedValue<float> share_;        // of coming_
    bool heard_ = false;                      // since reset()
};

} // namespace serpent::plugin
