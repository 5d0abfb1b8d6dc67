// SPDX-License-Identifier: MIT
// How the layers of a model run on the device: fused for some widths, or for any width. Host side; no CUDA header is needed.
#pragma once

#include "serpent/kernels/block.h"

#include <cstdint>
#include <memory>

struct CUstream_st;

namespace serpent::kernels::cuda {

struct FilmCoefficients {
    const float *scale, *shift;  ///< (n_layers, d_model), or null
};

/// Signals on the device: channel c begins at data + c * stride.
struct DeviceSignal {
    float* data;
    std::int64_t stride;
};

/// From the encoder to decoder and skip: the filters at the ends and the bound of the output are the caller's.
class RenderPath {
public:
    virtual ~RenderPath() = default;
    /// Samples of a chunk that suit a call of n samples.
    virtual int chunk_for(std::int64_t n) const = 0;
    /// Queues n <= block_samples samples. History and states are on the device, in core's State's layout, and move on.
    virtual void process(CUstream_st* stream, DeviceSignal in, DeviceSignal out, std::int64_t n, int chunk, float* history,
                         float* h) = 0;
};

/// Null when there is no fused kernel for these blocks.
std::unique_ptr<RenderPath> make_fused_path(const ModelShape& config, const WeightPointers& weights, FilmCoefficients film,
                                            std::int64_t block_samples);
std::unique_ptr<RenderPath> make_generic_path(const ModelShape& config, const WeightPointers& weights, FilmCoefficients film,
                                              std::int64_t block_samples);

} // namespace serpent::kernels::cuda
