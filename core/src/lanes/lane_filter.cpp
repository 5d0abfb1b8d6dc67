// SPDX-License-Identifier: MIT
#include "lanes/lane_filter.h"

#include <algorithm>

namespace serpent::lanes {

LaneFilter::LaneFilter(const kernels::LaneOps& ops, int channels, int taps, int longest) : ops_(ops), channels_(channels), taps_(taps) {
    if (!exists()) return;
    heard_.resize(history_floats() + lane_floats(static_cast<std::size_t>(longest * channels)));
    padded_.resize(heard_.size());
}

void LaneFilter::forward(int steps, std::span<const float> weight, LaneBuffer& history, float* out) {
    std::copy_n(history.data(), history_floats(), heard_.data());
    for (int c = 0; c < channels_; ++c)
        ops_.fir(steps, taps_, channels_, weight.data() + c * taps_, heard_.data() + c * lane_count, out + c * lane_count);
    std::copy_n(heard_.data() + lane_floats(static_cast<std::size_t>(steps * channels_)), history_floats(), history.data());
}

void LaneFilter::backward(int steps, std::span<const float> weight, const float* dout, float* din, float* dweight) {
    const std::size_t floats = lane_floats(static_cast<std::size_t>(steps * channels_));
    for (int c = 0; c < channels_; ++c)
        ops_.fir_gradient(steps, taps_, channels_, heard_.data() + c * lane_count, dout + c * lane_count,
                          dweight + lane_floats(static_cast<std::size_t>(c * taps_)));
    if (!din) return;
    std::copy_n(dout, floats, padded_.data());
    std::fill_n(padded_.data() + floats, history_floats(), 0.0f);
    for (int c = 0; c < channels_; ++c) {
        reversed_.assign(weight.begin() + c * taps_, weight.begin() + (c + 1) * taps_);
        std::ranges::reverse(reversed_);
        ops_.fir(steps, taps_, channels_, reversed_.data(), padded_.data() + c * lane_count, din + c * lane_count);
    }
}

} // namespace serpent::lanes
