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

/// New settings are those of a second set of filters, which fades in; settings that come meanwhile wait for its end. A filter whose
/// coefficients move rings and clicks, however small the steps are.
class Equalizer {
public:
    void prepare(const juce::dsp::ProcessSpec& spec);
    void reset() noexcept;
    /// Goes to the settings at once.
    void snap(const EqualizerSettings& settings) noexcept;
    void process(Block io, const EqualizerSettings& settings) noexcept;

private:
    using Filter = juce::dsp::ProcessorDuplicator<juce::dsp::IIR::Filter<float>, juce::dsp::IIR::Coefficients<float>>;

    struct Bank {
        std::array<Filter, 3> filters;  // low, middle, high
        EqualizerSettings settings;
        void set(const EqualizerSettings& settings, double rate_hz) noexcept;
        void process(Block io) noexcept;
    };
    void fade(Block io) noexcept;

    double sample_rate_hz_ = 48000.0;
    std::array<Bank, 2> banks_;
    std::size_t playing_ = 0;  // of them; the other is coming, or idle
    juce::SmoothedValue<float> share_;  // of coming_, while it moves
    juce::AudioBuffer<float> faded_in_;
};

} // namespace serpent::plugin
