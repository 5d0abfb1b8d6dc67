// SPDX-License-Identifier: MIT
// Where training keeps the states of all its sequences on the device.
#pragma once

#include "cuda/support.cuh"
#include "gpu/layers.h"

#include <algorithm>

namespace serpent::kernels::cuda {

/// The states of all sequences.
struct SequenceStates {
    DeviceArray<float> conv, h, fir_in, fir_out;

    SequenceStates(const gpu::Shape& s, int sequences)
        : conv(floats(s.history_floats, sequences)), h(floats(s.h_floats, sequences)), fir_in(floats(s.fir_in_history(), sequences)),
          fir_out(floats(s.fir_out_history(), sequences)) {}
    StatePointers<float> pointers() const { return {conv.data(), h.data(), fir_in.data(), fir_out.data()}; }
    std::size_t size() const { return conv.size() + h.size() + fir_in.size() + fir_out.size(); }

    /// function(all sequences' array, floats of a sequence, pointer) for each of the four.
    template <class T, class Function>
    static void each_part(const gpu::Shape& s, const StatePointers<T>& to, const Function& function) {
        function(&SequenceStates::conv, size_of(s.history_floats), to.conv);
        function(&SequenceStates::h, size_of(s.h_floats), to.h);
        function(&SequenceStates::fir_in, size_of(s.fir_in_history()), to.fir_in);
        function(&SequenceStates::fir_out, size_of(s.fir_out_history()), to.fir_out);
    }

private:
    static std::size_t size_of(int n) { return static_cast<std::size_t>(n); }
    static std::size_t floats(int of_one, int sequences) { return std::max<std::size_t>(1, size_of(of_one) * size_of(sequences)); }
};

} // namespace serpent::kernels::cuda
