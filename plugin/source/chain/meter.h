// SPDX-License-Identifier: GPL-3.0-or-later
// Levels for the editor: measured on the audio thread, read on any other.
#pragma once

#include <juce_dsp/juce_dsp.h>

#include <array>
#include <atomic>
#include <cmath>

namespace serpent::plugin {

inline constexpr std::size_t most_channels = 2;

class Meter {
public:
    void prepare(double sample_rate_hz) {
        // Per sample, so that the block size does not change the ballistics.
        keep_ = std::exp(-1.0 / (rms_time_s * sample_rate_hz));
        mean_square_ = {};
        for (std::size_t c = 0; c < most_channels; ++c) peak_[c] = 0.0f, rms_[c] = 0.0f;
    }

    void measure(const juce::dsp::AudioBlock<float>& block) noexcept {
        const std::size_t n = block.getNumSamples();
        channels_.store(static_cast<int>(block.getNumChannels()), std::memory_order_relaxed);
        for (std::size_t c = 0; c < block.getNumChannels() && c < most_channels; ++c) {
            const float* samples = block.getChannelPointer(c);
            float peak = peak_[c].load(std::memory_order_relaxed);
            double mean = mean_square_[c];
            for (std::size_t t = 0; t < n; ++t) {
                const float x = samples[t];
                peak = std::max(peak, std::abs(x));
                mean += (1.0 - keep_) * (static_cast<double>(x) * x - mean);
            }
            mean_square_[c] = mean;
            peak_[c].store(peak, std::memory_order_relaxed);
            rms_[c].store(static_cast<float>(std::sqrt(mean)), std::memory_order_relaxed);
            if (peak > 1.0f) clipped_.store(true, std::memory_order_relaxed);
        }
    }

    int channels() const noexcept { return channels_.load(std::memory_order_relaxed); }
    /// The largest magnitude since the last call.
    float take_peak(std::size_t channel) noexcept { return peak_[channel].exchange(0.0f, std::memory_order_relaxed); }
    float rms(std::size_t channel) const noexcept { return rms_[channel].load(std::memory_order_relaxed); }
    /// Whether a sample went beyond full scale since forget_clip().
    bool clipped() const noexcept { return clipped_.load(std::memory_order_relaxed); }
    void forget_clip() noexcept { clipped_.store(false, std::memory_order_relaxed); }

private:
    static constexpr double rms_time_s = 0.3;
    double keep_ = 0.0;
    std::array<double, most_channels> mean_square_{};
    std::array<std::atomic<float>, most_channels> peak_{}, rms_{};
    std::atomic<bool> clipped_{false};
    std::atomic<int> channels_{0};
};

} // namespace serpent::plugin
