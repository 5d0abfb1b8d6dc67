// SPDX-License-Identifier: MIT
// Where training keeps the states of all its lanes on the device.
#pragma once

#include "cuda/support.cuh"
#include "device/layers.h"

#include <algorithm>

namespace serpent::kernels::cuda {

/// The states of all lanes.
struct LaneStates {
    DeviceArray<float> conv, h, fir_in, fir_out;

    LaneStates(const device::Shape& s, int lanes)
        : conv(floats(s.history_floats, lanes)), h(floats(s.h_floats, lanes)), fir_in(floats(s.fir_in_history(), lanes)),
          fir_out(floats(s.fir_out_history(), lanes)) {}
    StatePointers<float> pointers() const { return {conv.data(), h.data(), fir_in.data(), fir_out.data()}; }
    std::size_t size() const { return conv.size() + h.size() + fir_in.size() + fir_out.size(); }

    /// function(all lanes' array, floats of a lane, pointer) for each of the four.
    template <class T, class Function>
    static void each_part(const device::Shape& s, const StatePointers<T>& to, const Function& function) {
        function(&LaneStates::conv, size_of(s.history_floats), to.conv);
        function(&LaneStates::h, size_of(s.h_floats), to.h);
        function(&LaneStates::fir_in, size_of(s.fir_in_history()), to.fir_in);
        function(&LaneStates::fir_out, size_of(s.fir_out_history()), to.fir_out);
    }

private:
    static std::size_t size_of(int n) { return static_cast<std::size_t>(n); }
    static std::size_t floats(int of_lane, int lanes) { return std::max<std::size_t>(1, size_of(of_lane) * size_of(lanes)); }
};

} // namespace serpent::kernels::cuda
