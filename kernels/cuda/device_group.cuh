// SPDX-License-Identifier: MIT
// The device's Group and Teams (kernels/device/group.h).
#pragma once

#include "device/group.h"

namespace serpent::kernels::cuda {

/// kLanes neighbouring lanes of a warp. All groups of the warp must call together.
template <int kLanes>
struct WarpGroup {
    static constexpr int lanes = kLanes;
    template <class T>
    using PerLane = T;

    template <class T, class Function>
    __device__ __forceinline__ void each(T& value, const Function& function) const {
        function(static_cast<int>(threadIdx.x % kLanes), value);
    }
    template <int kFrom, class T, class Value>
    __device__ __forceinline__ void sum(T& lane, const Value& value) const {
        float& v = value(lane);
#pragma unroll
        for (int apart = kFrom; apart < kLanes; apart *= 2) v += __shfl_xor_sync(0xffffffffu, v, apart);
    }
    template <int kCount, class T, class Value>
    __device__ __forceinline__ void sum_neighbours(T& lane, const Value& value) const {
        float& v = value(lane);
#pragma unroll
        for (int apart = 1; apart < kCount; apart *= 2) v += __shfl_xor_sync(0xffffffffu, v, apart);
    }
    template <int kCount, class T, class Values>
    __device__ __forceinline__ void sum_below(int lanes_together, T& lane, const Values& values) const {
        float* const v = values(lane);
        for (int apart = 1; apart < lanes_together; apart *= 2)
#pragma unroll
            for (int i = 0; i < kCount; ++i) v[i] += __shfl_xor_sync(0xffffffffu, v[i], apart);
    }
    __device__ __forceinline__ void sync() const { __syncwarp(); }
};

struct BlockTeam {
    __device__ int rank() const { return static_cast<int>(threadIdx.x); }
    __device__ int size() const { return static_cast<int>(blockDim.x); }
    __device__ void sync() const { __syncthreads(); }
};

/// All threads of the grid, for operators that never call sync().
struct GridTeam {
    __device__ std::int64_t rank() const { return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
    __device__ std::int64_t size() const { return std::int64_t{gridDim.x} * blockDim.x; }
};

} // namespace serpent::kernels::cuda
