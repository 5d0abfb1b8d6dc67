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

} // namespace

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
    const auto gain = [&](Value v) { return juce::Decibels::decibelsToGain(values_[v].getCurrentValue()); };
    const float highest_hz = 0.45f * static_cast<float>(sample_rate_hz_);
    const auto at = [&](float hz) { return std::min(hz, highest_hz); };
    *low_.state = Coefficients::makeLowShelf(sample_rate_hz_, at(low_hz), shelf_q, gain(low_db));
    *mid_.state = Coefficients::makePeakFilter(sample_rate_hz_, at(values_[mid_hz].getCurrentValue()), bell_q, gain(mid_db));
    *high_.state = Coefficients::makeHighShelf(sample_rate_hz_, at(high_hz), shelf_q, gain(high_db));
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
