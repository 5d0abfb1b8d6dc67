// SPDX-License-Identifier: MIT
// A whole model over long signals on a GPU. Time is cut into chunks that run side by side in three phases (see
// docs/architecture.md, "GPU"); state carries over from call to call. The presets' blocks, rotating and selective in any order, have
// fused kernels, and so have some undilated selective ones; all others, of any kind and mixed, take a path for any width.
//
// Error   as LiveEngine: 1e-5 rms, 1e-4 max relative to the rms of a float64 evaluation. Two runs give the same bits; another
//         cut into calls or chunks gives other roundings.
// Memory  bounded by block_samples, whatever the length of the signal.
#pragma once

#include "serpent/kernels/device.h"
#include "serpent/kernels/device_model.h"

namespace serpent::kernels {

struct DeviceRenderOptions {
    std::size_t block_samples = 0;  ///< in flight at once, per channel; 0: 2^22, less where memory is short
    int chunk = 0;                  ///< samples, a multiple of 4, 16 or more; 0: chosen by the length of a call
    bool fused = true;              ///< false: the path for any width even where there is a fused kernel
};

/// Starts from state zero. Both kinds of process() move the same state on, in the order of the calls. Throws DeviceError;
/// std::invalid_argument for a chunk that is none of those. One thread at a time.
class DeviceRenderer {
public:
    /// film_scale, film_shift: (n_layers, d_model), or null for 1 and 0.
    DeviceRenderer(const ModelShape& config, const WeightPointers& weights, const float* film_scale, const float* film_shift,
                   const DeviceRenderOptions& options = {});
    ~DeviceRenderer();
    DeviceRenderer(DeviceRenderer&&) noexcept;
    DeviceRenderer& operator=(DeviceRenderer&&) noexcept;

    /// n samples of in[c] to out[c], c < channels, in the computer's memory; in and out may be the same. While the GPU works on
    /// one block, the one before and the one behind it are being copied.
    void process(const float* const* in, float* const* out, std::size_t n);
    /// The same for signals that are on the GPU already: channel c begins at c * n, n <= block_samples().
    /// in may not be out. Does not wait for the answer: it comes before whatever the default stream is asked next, such as
    /// out.download(). std::out_of_range where n or a buffer is too large or small.
    void process(const DeviceBuffer& in, DeviceBuffer& out, std::size_t n);

    std::size_t block_samples() const noexcept;
    bool fused() const noexcept;

    void get_state(const StatePointers<float>& to) const;
    void set_state(const StatePointers<const float>& from);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent::kernels
