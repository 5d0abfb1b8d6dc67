// SPDX-License-Identifier: MIT
#include "live/loudspeaker_guard.h"

#include <algorithm>
#include <cmath>

namespace serpent {

void LoopDetector::prepare(double sample_rate_hz, int max_block) {
    past_.assign(static_cast<std::size_t>(most_lag + max_block), 0.0f);
    written_ = 0;
    lag_ = -1;
    alike_ = 0;
    needed_ = static_cast<int>(0.5 * sample_rate_hz);
}

bool LoopDetector::matches(const float* in, int n, int lag) const noexcept {
    const auto size = static_cast<std::int64_t>(past_.size());
    for (int t = 0; t < n; ++t) {
        const std::int64_t at = written_ - lag + t;
        if (at < 0 || std::abs(in[t] - past_[static_cast<std::size_t>(at % size)]) > same) return false;
    }
    return true;
}

bool LoopDetector::process(const float* in, const float* out, int n) noexcept {
    const auto size = static_cast<std::int64_t>(past_.size());
    float peak = 0;
    for (int t = 0; t < n; ++t) peak = std::max(peak, std::abs(in[t]));
    if (peak > silence) {  // silence is like any other silence
        if (lag_ < 0 || !matches(in, n, lag_)) {
            lag_ = -1;
            alike_ = 0;
            for (int lag = n; lag <= most_lag && lag_ < 0; lag += n)
                if (matches(in, n, lag)) lag_ = lag;
        }
        if (lag_ >= 0) alike_ = std::min(alike_ + n, needed_);
    }
    for (int t = 0; t < n; ++t) past_[static_cast<std::size_t>((written_ + t) % size)] = out[t];
    written_ += n;
    return alike_ >= needed_;
}

} // namespace serpent
