// SPDX-License-Identifier: GPL-3.0-or-later
#include "chain/gate.h"

#include <cmath>
#include <utility>

namespace serpent::plugin {

namespace {

constexpr float ratio = 10.0f, attack_ms = 1.0f, level_ms = 50.0f;

float gain_at(float level, float threshold) noexcept { return level > threshold ? 1.0f : std::pow(level / threshold, ratio - 1.0f); }

} // namespace

void Gate::prepare(const juce::dsp::ProcessSpec& spec) {
    level_.setLevelCalculationType(juce::dsp::BallisticsFilterLevelCalculationType::RMS);
    level_.setAttackTime(0.0f);
    level_.setReleaseTime(level_ms);
    level_.prepare(spec);
    envelope_.setAttackTime(attack_ms);
    envelope_.prepare(spec);
    release_ms_ = 0.0f;
    share_.reset(spec.sampleRate, change_s);
    reset();
}

void Gate::reset() noexcept {
    level_.reset(), envelope_.reset();
    heard_ = false;
}

void Gate::process(Block io, float threshold_db, float release_ms) noexcept {
    if (release_ms != release_ms_) envelope_.setReleaseTime(release_ms_ = release_ms);
    const float wanted = juce::Decibels::decibelsToGain(threshold_db);
    if (!std::exchange(heard_, true)) {
        threshold_ = coming_ = wanted;
        share_.setCurrentAndTargetValue(1.0f);
    }
    for (std::size_t t = 0; t < io.getNumSamples(); ++t) {
        if (!share_.isSmoothing() && coming_ != wanted) {
            threshold_ = std::exchange(coming_, wanted);
            share_.setCurrentAndTargetValue(0.0f);
            share_.setTargetValue(1.0f);
        }
        const bool fading = share_.isSmoothing();
        const float share = fading ? eased(share_.getNextValue()) : 1.0f;
        for (std::size_t c = 0; c < io.getNumChannels(); ++c) {
            float& sample = io.getChannelPointer(c)[t];
            const int channel = static_cast<int>(c);
            const float level = envelope_.processSample(channel, level_.processSample(channel, sample));
            float gain = gain_at(level, coming_);
            if (fading) gain = share * gain + (1.0f - share) * gain_at(level, threshold_);
            sample *= gain;
        }
    }
}

} // namespace serpent::plugin
