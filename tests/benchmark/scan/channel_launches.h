// SPDX-License-Identifier: GPL-3.0-or-later
// Launches of scan_channels.h and scan_channels_backward.h on the default stream, for any batch.
#pragma once

#include "benchmark/scan/scan_channels_backward.h"

#include <cstdint>

namespace serpent::kernels::cuda {

struct ChannelScan {
    std::int64_t batch;
    bool tied, ema;

    static bool fits(int d_state) { return d_state == 4 || d_state == 8 || d_state == 16; }

    /// Samples of a chunk, a multiple of `multiple`: all chunks at once on the device, or several times so many.
    static int chunk_for(const gpu::ScanJob& job, std::int64_t batch, int warps_at_once, int multiple);

    void from_zero(const gpu::ScanJob& job) const;
    void add_start_states(const gpu::ScanJob& job) const;

    void walk_from_zero(const gpu::ChannelsBackwardJob& job) const;
    void walk_adjoint_from_zero(const gpu::ChannelsBackwardJob& job) const;
    void backward(const gpu::ChannelsBackwardJob& job, int slices) const;

    /// Warps that fit on the device at once.
    static int forward_warps();
    static int backward_warps();
};

} // namespace serpent::kernels::cuda
