// SPDX-License-Identifier: MIT
#include "serpent/limiter.h"

#include <algorithm>
#include <cmath>

namespace serpent {

namespace {

constexpr double rise_s = 0.1;

} // namespace

void Limiter::prepare(double sample_rate_hz, int channels) noexcept {
    channels_ = channels;
    gain_ = 1.0;
    rise_ = 1.0 - std::exp(-1.0 / (rise_s * sample_rate_hz));
}

bool Limiter::process(float* const* audio, int n) noexcept {
    bool worked = false;
    for (int t = 0; t < n; ++t) {
        float peak = 0;
        for (int c = 0; c < channels_; ++c) {
            float& sample = audio[c][t];
            if (!std::isfinite(sample)) sample = 0.0f, worked = true;
            peak = std::max(peak, std::abs(sample));
        }
        gain_ += rise_ * (1.0 - gain_);
        if (gain_ > 0.9999) gain_ = 1.0;
        if (peak * gain_ > ceiling_) gain_ = static_cast<double>(ceiling_) / peak;
        if (gain_ == 1.0) continue;
        worked = true;
        for (int c = 0; c < channels_; ++c)  // the last rounding may go up
            audio[c][t] = std::clamp(static_cast<float>(audio[c][t] * gain_), -ceiling_, ceiling_);
    }
    return worked;
}

} // namespace serpent
