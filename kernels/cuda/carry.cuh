// SPDX-License-Identifier: MIT
#pragma once

#include "cuda/device_group.cuh"
#include "cuda/support.cuh"
#include "device/carry.h"

namespace serpent::kernels::cuda {

inline constexpr int carry_threads = 1024;

/// One block for `columns` columns, one thread for each of their segments.
static __global__ void __launch_bounds__(carry_threads) carry_kernel(const device::CarryJob job, int columns, int segments) {
    __shared__ float scratch[device::carry_scratch_floats(1, carry_threads)];
    const int first = static_cast<int>(blockIdx.x) * columns, left = job.columns() - first;
    device::join_chunk_states(BlockTeam{}, job, first, left < columns ? left : columns, segments, scratch);
}

inline void join_chunks(cudaStream_t stream, const device::CarryJob& job) {
    // A segment's first 8 chunks are read at once, so shorter ones gain nothing. 8 columns are 32 bytes, what memory moves at least;
    // but few columns of many chunks want more blocks, and the caches hold what they leave.
    const std::int64_t wanted = (job.chunks + 7) / 8;
    const int columns = job.columns() < 1024 && wanted > carry_threads / 8 ? 2 : 8;
    const std::int64_t most = carry_threads / columns;
    const int segments = static_cast<int>(wanted < most ? wanted : most);
    carry_kernel<<<blocks_for(job.columns(), columns), static_cast<unsigned>(columns * segments), 0, stream>>>(job, columns, segments);
    check_launch("joining chunks");
}

} // namespace serpent::kernels::cuda
