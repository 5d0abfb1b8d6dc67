// SPDX-License-Identifier: GPL-3.0-or-later
#include "chain/equalizer.h"

#include <algorithm>

namespace serpent::plugin {

namespace {

constexpr float low_hz = 120.0f, high_hz = 3500.0f;
constexpr float shelf_q = 0.7f, bell_q = 0.8f;
constexpr std::size_t fade_step = 32;  // samples in which a fade begins or ends

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

void Equalizer::Bank::set(const EqualizerSettings& wanted, double rate_hz) noexcept {
    const Bands bands = bands_of(settings = wanted, rate_hz);
    for (std::size_t i = 0; i < filters.size(); ++i) *filters[i].state = bands[i];
}

void Equalizer::Bank::process(Block io) noexcept {
    const juce::dsp::ProcessContextReplacing<float> context(io);
    for (Filter& filter : filters) filter.process(context);
}

void Equalizer::prepare(const juce::dsp::ProcessSpec& spec) {
    sample_rate_hz_ = spec.sampleRate;
    for (Bank& bank : banks_)
        for (Filter& filter : bank.filters) {
            *filter.state = Coefficients::makeAllPass(spec.sampleRate, 0.25f * static_cast<float>(spec.sampleRate));  // second order: room
            filter.prepare(spec);
        }
    share_.reset(spec.sampleRate, change_s);
    faded_in_.setSize(static_cast<int>(spec.numChannels), static_cast<int>(spec.maximumBlockSize));
    snap({});
}

void Equalizer::reset() noexcept {
    for (Filter& filter : banks_[playing_].filters) filter.reset();
    share_.setCurrentAndTargetValue(0.0f);
}

void Equalizer::snap(const EqualizerSettings& settings) noexcept {
    banks_[playing_].set(settings, sample_rate_hz_);
    share_.setCurrentAndTargetValue(0.0f);
}

void Equalizer::process(Block io, const EqualizerSettings& settings) noexcept {
    for (std::size_t done = 0; done < io.getNumSamples();) {
        std::size_t n = io.getNumSamples() - done;
        if (!share_.isSmoothing() && !(settings == banks_[playing_].settings)) {
            Bank& coming = banks_[1 - playing_];
            coming.set(settings, sample_rate_hz_);
            for (Filter& filter : coming.filters) filter.reset();
            share_.setCurrentAndTargetValue(0.0f);
            share_.setTargetValue(1.0f);
        }
        if (share_.isSmoothing()) {
            n = std::min(n, fade_step);
            fade(io.getSubBlock(done, n));
        } else {
            banks_[playing_].process(io.getSubBlock(done, n));
        }
        done += n;
    }
}

void Equalizer::fade(Block io) noexcept {
    Block fresh = Block(faded_in_).getSubsetChannelBlock(0, io.getNumChannels()).getSubBlock(0, io.getNumSamples());
    fresh.copyFrom(io);
    banks_[playing_].process(io);
    banks_[1 - playing_].process(fresh);
    for (std::size_t t = 0; t < io.getNumSamples(); ++t) {
        const float share = eased(share_.getNextValue());
        for (std::size_t c = 0; c < io.getNumChannels(); ++c) {
            float& sample = io.getChannelPointer(c)[t];
            sample += share * (fresh.getChannelPointer(c)[t] - sample);
        }
    }
    if (!share_.isSmoothing()) playing_ = 1 - playing_;
}

} // namespace serpent::plugin
