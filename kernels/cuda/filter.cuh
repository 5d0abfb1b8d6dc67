// SPDX-License-Identifier: MIT
// A filter at an end of a model on the device, block after block (kernels/gpu/fir.h).
#pragma once

#include "cuda/device_group.cuh"
#include "cuda/render_path.h"
#include "cuda/support.cuh"
#include "gpu/fir.h"

#include <algorithm>

namespace serpent::kernels::cuda {

static __global__ void begin_fir_kernel(int channels, int taps, std::int64_t n, gpu::ConstRows signal, const float* history, gpu::Rows x) {
    gpu::begin_fir(GridTeam{}, channels, taps, n, signal, history, x);
}
static __global__ void fir_kernel(int channels, int taps, std::int64_t n, const float* w, gpu::ConstRows x, gpu::Rows y) {
    gpu::fir<false>(GridTeam{}, channels, taps, n, w, x, y);
}
static __global__ void advance_fir_kernel(int channels, int taps, std::int64_t n, gpu::ConstRows x, float* history) {
    gpu::advance_fir(GridTeam{}, channels, taps, n, x, history);
}

class Filter {
public:
    Filter() = default;
    /// taps 0: none. own_output: it has memory for its answer, too.
    Filter(int channels, int taps, const float* weights, std::int64_t block, bool own_output)
        : channels_(channels), taps_(taps) {
        if (taps == 0) return;
        const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
        stride_ = gpu::fir_room(taps) + (block + 31) / 32 * 32 + 32;
        weights_ = DeviceArray<float>(std::vector<float>(weights, weights + size(channels) * size(taps)));
        history_ = DeviceArray<float>(size(channels) * size(taps - 1));
        input_ = DeviceArray<float>(size(channels) * size(stride_));
        if (own_output) output_ = DeviceArray<float>(size(channels) * size(stride_));
    }

    bool exists() const { return taps_ > 0; }
    DeviceArray<float>& history() { return history_; }  ///< [channels][taps - 1]
    const DeviceArray<float>& history() const { return history_; }
    void clear(cudaStream_t stream) {
        if (history_.size() > 0) history_.clear(stream);
    }
    /// Where its input may be written, so that it needs no copy.
    DeviceSignal own_input() const { return {input_.data() + gpu::fir_room(taps_), stride_}; }
    DeviceSignal own_output() const { return {output_.data(), stride_}; }

    void process(cudaStream_t stream, DeviceSignal in, DeviceSignal out, std::int64_t n) {
        const DeviceSignal x = own_input();
        const gpu::Rows rows{x.data, x.stride};
        begin_fir_kernel<<<grid(n + gpu::fir_room(taps_)), threads, 0, stream>>>(channels_, taps_, n, {in.data, in.stride},
                                                                                      history_.data(), rows);
        fir_kernel<<<grid((n + gpu::fir_samples - 1) / gpu::fir_samples), threads, 0, stream>>>(channels_, taps_, n, weights_.data(), rows,
                                                                                                   {out.data, out.stride});
        advance_fir_kernel<<<grid(taps_), threads, 0, stream>>>(channels_, taps_, n, rows, history_.data());
        check_launch("filtering");
    }

private:
    static constexpr int threads = 256;
    unsigned grid(std::int64_t items) const { return std::min(blocks_for(items * channels_, threads), 1u << 16); }

    int channels_ = 0, taps_ = 0;
    std::int64_t stride_ = 0;
    DeviceArray<float> weights_, history_, input_, output_;
};

} // namespace serpent::kernels::cuda
