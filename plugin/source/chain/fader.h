// SPDX-License-Identifier: GPL-3.0-or-later
// Switching a part of the chain on and off without a click.
#pragma once

#include <juce_dsp/juce_dsp.h>

namespace serpent::plugin {

using Block = juce::dsp::AudioBlock<float>;

inline constexpr double fade_s = 0.010, change_s = 0.020;

/// A ramp from 0 to 1 without corners.
inline float eased(float ramp) noexcept { return ramp * ramp * (3.0f - 2.0f * ramp); }

/// Blends between what comes in and what a part makes of it, linearly over 10 ms. A part that is off costs nothing.
class Fader {
public:
    void prepare(double sample_rate_hz, int max_block, int channels) {
        amount_.reset(sample_rate_hz, fade_s);
        dry_.setSize(channels, max_block);
    }

    /// Goes to `on` at once.
    void snap(bool on) noexcept { amount_.setCurrentAndTargetValue(on ? 1.0f : 0.0f); }

    /// work(io) answers in place; restart() clears its memory, called when it begins to be heard again.
    template <class Work, class Restart>
    void run(Block io, bool on, Work&& work, Restart&& restart) noexcept {
        const bool silent_before = !amount_.isSmoothing() && amount_.getCurrentValue() == 0.0f;
        amount_.setTargetValue(on ? 1.0f : 0.0f);
        if (silent_before) {
            if (!on) return;
            restart();
        }
        if (!amount_.isSmoothing()) {
            work(io);
            return;
        }
        Block dry = Block(dry_).getSubsetChannelBlock(0, io.getNumChannels()).getSubBlock(0, io.getNumSamples());
        dry.copyFrom(io);
        work(io);
        blend(dry, io);
    }

private:
    void blend(const Block& dry, Block& wet) noexcept {
        for (std::size_t t = 0; t < wet.getNumSamples(); ++t) {
            const float amount = amount_.getNextValue();
            for (std::size_t c = 0; c < wet.getNumChannels(); ++c) {
                float& sample = wet.getChannelPointer(c)[t];
                sample = amount * sample + (1.0f - amount) * dry.getChannelPointer(c)[t];
            }
        }
    }

    juce::SmoothedValue<float> amount_;
    juce::AudioBuffer<float> dry_;
};

} // namespace serpent::plugin
