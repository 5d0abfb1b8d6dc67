// SPDX-License-Identifier: GPL-3.0-or-later
#include "chain/equalizer.h"

#include <algorithm>

namespace serpent::plugin {

namespace {

constexpr float low_hz = 120.0f, high_hz = 3500.0f;
constexpr float shelf_q = 0.7f, bell_q = 0.8f;
constexpr std::size_t smoothing_step = 32;  // samples between coefficient updates while a knob moves
constexpr double ramp_s = 0.03;

using Coefficients = juce::dsp::IIR::ArrayCoefficients<float>;  // arrays, so that nothing is allocated
using Bands = std::array<std::array<float, 6>, 3>;

Bands bands_of(const EqualizerSettings& s, double rate_hz) noexcept {
    const auto gain = [](float db) { return juce::Decibels::decibelsToGain(db); };
    const auto at = [&](float hz) { return std::min(hz, 0.45f * static_cast<float>(rate_hz)); };
    return {Coefficients::makeLowShelf(rate_hz, at(low_hz), shelf_q, gain(s.low_db)),
            Coefficients::makePeakFilter(rate_hz, at(s.mid_hz), bell_q, gain(s.mid_db)),
            Coefficients::makeHighShelf(rate_hz, at(high_hz), shelf_q, gain(s.high_db))};
}

} // namespace

std::vector<double> equalizer_gains_db(const EqualizerSettings& settings, const std::vector<double>& frequencies_hz, double rate_hz) {
    std::vector<double> gains(frequencies_hz.size(), 1.0);
    for (const auto& band : bands_of(settings, rate_hz)) {
        const juce::dsp::IIR::Coefficients<float> filter(band);
        for (std::size_t i = 0; i < gains.size(); ++i) gains[i] *= filter.getMagnitudeForFrequency(frequencies_hz[i], rate_hz);
    }
    for (double& gain : gains) gain = juce::Decibels::gainToDecibels(gain);
    return gains;
}

void Equalizer::prepare(const juce::dsp::ProcessSpec& spec) {
    sample_rate_hz_ = spec.sampleRate;
    for (Filter* filter : {&low_, &mid_, &high_}) {
        *filter->state = Coefficients::makeAllPass(spec.sampleRate, 0.25f * static_cast<float>(spec.sampleRate));  // second order: room
        filter->prepare(spec);
    }
    for (auto& value : values_) value.reset(spec.sampleRate, ramp_s);
    snap({});
}

void Equalizer::reset() noexcept {
    for (Filter* filter : {&low_, &mid_, &high_}) filter->reset();
}

void Equalizer::aim(const EqualizerSettings& s) noexcept {
    const std::array<float, value_count> targets{s.low_db, s.mid_db, s.mid_hz, s.high_db};
    for (std::size_t i = 0; i < targets.size(); ++i) values_[i].setTargetValue(targets[i]);
}

void Equalizer::snap(const EqualizerSettings& settings) noexcept {
    aim(settings);
    for (auto& value : values_) value.setCurrentAndTargetValue(value.getTargetValue());
    update_filters();
}

void Equalizer::update_filters() noexcept {
    const auto now = [&](Value v) { return values_[v].getCurrentValue(); };
    const Bands bands = bands_of({now(low_db), now(mid_db), now(mid_hz), now(high_db)}, sample_rate_hz_);
    *low_.state = bands[0], *mid_.state = bands[1], *high_.state = bands[2];
}

void Equalizer::process(Block io, const EqualizerSettings& settings) noexcept {
    aim(settings);
    const auto moves = [](const auto& value) { return value.isSmoothing(); };
    for (std::size_t done = 0; done < io.getNumSamples();) {
        const bool moving = std::any_of(values_.begin(), values_.end(), moves);
        const std::size_t n = moving ? std::min(smoothing_step, io.getNumSamples() - done) : io.getNumSamples() - done;
        if (moving) {
            for (auto& value : values_) value.skip(static_cast<int>(n));
            update_filters();
        }
        Block part = io.getSubBlock(done, n);
        const juce::dsp::ProcessContextReplacing<float> context(part);
        low_.process(context), mid_.process(context), high_.process(context);
        done += n;
    }
}

} // namespace serpent::plugin
