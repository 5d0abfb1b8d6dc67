// SPDX-License-Identifier: MIT
// The filter at one end of a model (fir_in, fir_out) over a segment of 16 lanes: [steps][channels][16].
#pragma once

#include "lanes/lane_buffer.h"
#include "serpent/kernels/lanes.h"

#include <span>
#include <vector>

namespace serpent::lanes {

class LaneFilter {
public:
    /// taps 0: there is no filter, and no function but exists() may be called.
    LaneFilter(const kernels::LaneOps& ops, int channels, int taps, int longest);
    bool exists() const noexcept { return taps_ > 0; }

    /// Where the segment's input goes.
    float* input() noexcept { return heard_.data() + history_floats(); }
    /// out = the filtered input. history: [taps - 1][channels][16], moved on.
    void forward(int steps, std::span<const float> weight, LaneBuffer& history, float* out);
    /// From the gradient of the output of the last forward() to that of its input; the history's is left out. dweight: lane form, added to.
    /// din may be null.
    void backward(int steps, std::span<const float> weight, const float* dout, float* din, float* dweight);

private:
    std::size_t history_floats() const { return lane_floats(static_cast<std::size_t>((taps_ - 1) * channels_)); }

    const kernels::LaneOps& ops_;
    int channels_, taps_;
    LaneBuffer heard_, padded_;  // history and input; an output's gradient and taps - 1 rows of zeros
    std::vector<float> reversed_;
};

} // namespace serpent::lanes
