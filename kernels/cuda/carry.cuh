// SPDX-License-Identifier: MIT
#pragma once

#include "cuda/device_group.cuh"
#include "cuda/support.cuh"
#include "gpu/carry.h"

namespace serpent::kernels::cuda {

inline constexpr int carry_threads = 1024;

/// One block for `states` states, one thread for each of their segments.
template <class Carry>
static __global__ void __launch_bounds__(carry_threads) carry_kernel(const gpu::CarryJob job, int states, int segments) {
    __shared__ alignas(8) float scratch[gpu::carry_scratch_floats<Carry>(1, carry_threads)];
    const int first = static_cast<int>(blockIdx.x) * states, left = Carry::count(job) - first;
    gpu::join_chunk_states<Carry>(BlockTeam{}, job, first, left < states ? left : states, segments, scratch);
}

template <class Carry = gpu::RealCarry>
inline void join_chunks(cudaStream_t stream, const gpu::CarryJob& job) {
    // A segment's first 8 chunks are read at once, so shorter ones gain nothing. 8 states are 32 bytes, what memory moves at least;
    // but few states of many chunks want more blocks, and the caches hold what they leave.
    const std::int64_t wanted = (job.chunks + 7) / 8;
    const int states = job.columns() < 1024 && wanted > carry_threads / 8 ? 2 : 8;
    const std::int64_t most = carry_threads / states;
    const int segments = static_cast<int>(wanted < most ? wanted : most);
    carry_kernel<Carry><<<blocks_for(Carry::count(job), states), static_cast<unsigned>(states * segments), 0, stream>>>(job, states, segments);
    check_launch("joining chunks");
}

} // namespace serpent::kernels::cuda
