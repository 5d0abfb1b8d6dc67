// SPDX-License-Identifier: GPL-3.0-or-later
// Bass shelf, middle bell, treble shelf, over juce::dsp's filters.
#pragma once

#include "chain/fader.h"

#include <array>
#include <vector>

namespace serpent::plugin {

struct EqualizerSettings {
    float low_db = 0.0f, mid_db = 0.0f, mid_hz = 800.0f, high_db = 0.0f;
    bool operator==(const EqualizerSettings&) const = default;
};

/// What it does at these frequencies, in dB, to be drawn. May allocate.
std::vector<double> equalizer_gains_db(const EqualizerSettings& settings, const std::vector<double>& frequencies_hz, double rate_hz);

class Equalizer {
public:
    void prepare(const juce::dsp::ProcessSpec& spec);
    void reset() noexcept;
    void snap(const EqualizerSettings& settings) noexcept;
    void process(Block io, const EqualizerSettings& settings) noexcept;

private:
    using Filter = juce::dsp::ProcessorDuplicator<juce::dsp::IIR::Filter<float>, juce::dsp::IIR::Coefficients<float>>;
    enum Value { low_db, mid_db, mid_hz, high_db, value_count };

    void aim(const EqualizerSettings& settings) noexcept;
    void update_filters() noexcept;

    double sample_rate_hz_ = 48000.0;
    std::array<juce::SmoothedValue<float>, value_count> values_;
    Filter low_, mid_, high_;
};

} // namespace serpent::plugin
