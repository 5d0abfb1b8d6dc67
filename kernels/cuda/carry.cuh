// SPDX-License-Identifier: MIT
#pragma once

#include "cuda/device_group.cuh"
#include "cuda/support.cuh"
#include "device/carry.h"

namespace serpent::kernels::cuda {

inline constexpr int carry_columns = 8;      ///< of a block: 32 bytes, what memory moves at least
inline constexpr int carry_segments = 128;

static __global__ void __launch_bounds__(carry_columns * carry_segments) carry_kernel(const device::CarryJob job, int segments) {
    __shared__ float scratch[2 * carry_columns * carry_segments];
    const int first = static_cast<int>(blockIdx.x) * carry_columns, left = job.columns() - first;
    device::join_chunk_states(BlockTeam{}, job, first, left < carry_columns ? left : carry_columns, segments, scratch);
}

inline void join_chunks(cudaStream_t stream, const device::CarryJob& job) {
    const int segments = static_cast<int>(job.chunks < 2 ? 1 : job.chunks / 2 < carry_segments ? job.chunks / 2 : carry_segments);
    carry_kernel<<<blocks_for(job.columns(), carry_columns), static_cast<unsigned>(carry_columns * segments), 0, stream>>>(job, segments);
    check_launch("joining chunks");
}

} // namespace serpent::kernels::cuda
