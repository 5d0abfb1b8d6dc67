// SPDX-License-Identifier: MIT
// The device's Group and Teams (kernels/gpu/group.h).
#pragma once

#include "gpu/group.h"

namespace serpent::kernels::cuda {

/// kThreads neighbouring threads of a warp. All groups of the warp must call together.
template <int kThreads>
struct WarpGroup {
    static constexpr int threads = kThreads;
    template <class T>
    using PerThread = T;

    template <class T, class Function>
    __device__ __forceinline__ void each(T& value, const Function& function) const {
        function(static_cast<int>(threadIdx.x % kThreads), value);
    }
    template <int kFrom, class T, class Value>
    __device__ __forceinline__ void sum(T& thread, const Value& value) const {
        float& v = value(thread);
#pragma unroll
        for (int apart = kFrom; apart < kThreads; apart *= 2) v += __shfl_xor_sync(0xffffffffu, v, apart);
    }
    template <int kCount, class T, class Value>
    __device__ __forceinline__ void sum_neighbours(T& thread, const Value& value) const {
        float& v = value(thread);
#pragma unroll
        for (int apart = 1; apart < kCount; apart *= 2) v += __shfl_xor_sync(0xffffffffu, v, apart);
    }
    template <int kCount, class T, class Values>
    __device__ __forceinline__ void sum_below(int threads_together, T& thread, const Values& values) const {
        float* const v = values(thread);
        for (int apart = 1; apart < threads_together; apart *= 2)
#pragma unroll
            for (int i = 0; i < kCount; ++i) v[i] += __shfl_xor_sync(0xffffffffu, v[i], apart);
    }
    template <int kRows, int kDepth, int kInStride, int kOutStride>
    __device__ __forceinline__ void multiply(const float* matrix, const float* bias, const float* in, float* out) const {
        static_assert(kThreads == 32 && kRows % 16 == 0 && kDepth % 8 == 0);
        const int thread = static_cast<int>(threadIdx.x % 32), quad = thread / 4, pair = thread % 4;
        std::uint32_t high[kDepth / 8][2], low[kDepth / 8][2];
#pragma unroll
        for (int k = 0; k < kDepth / 8; ++k)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const float value = in[quad * kInStride + 8 * k + pair + 4 * half];
                asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(high[k][half]) : "f"(value));
                low[k][half] = __float_as_uint(value - __uint_as_float(high[k][half]));
            }
        // All products before the first store: a compiler may not move loads across stores.
        float sum[kRows / 16][4] = {};
#pragma unroll
        for (int r = 0; r < kRows / 16; ++r)
            if (bias) sum[r][0] = sum[r][1] = bias[16 * r + quad], sum[r][2] = sum[r][3] = bias[16 * r + quad + 8];
#pragma unroll
        for (int k = 0; k < kDepth / 8; ++k)
#pragma unroll
            for (int r = 0; r < kRows / 16; ++r) {
                const float* const tile = matrix + (r * (kDepth / 8) + k) * 256 + thread * 4;
                const gpu::Float4 weights = gpu::load4(tile), rest = gpu::load4(tile + 128);
                multiply_tile(sum[r], rest, high[k]);
                multiply_tile(sum[r], weights, low[k]);
                multiply_tile(sum[r], weights, high[k]);
            }
#pragma unroll
        for (int r = 0; r < kRows / 16; ++r) {
            float* const to = out + 2 * pair * kOutStride + 16 * r + quad;
            to[0] = sum[r][0], to[kOutStride] = sum[r][1], to[8] = sum[r][2], to[kOutStride + 8] = sum[r][3];
        }
    }
    __device__ __forceinline__ void sync() const { __syncwarp(); }

private:
    static __device__ __forceinline__ void multiply_tile(float (&sum)[4], const gpu::Float4& a, const std::uint32_t (&b)[2]) {
        asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
            : "r"(__float_as_uint(a.v[0])), "r"(__float_as_uint(a.v[1])), "r"(__float_as_uint(a.v[2])), "r"(__float_as_uint(a.v[3])),
              "r"(b[0]), "r"(b[1]));
    }
};

struct BlockTeam {
    __device__ int rank() const { return static_cast<int>(threadIdx.x); }
    __device__ int size() const { return static_cast<int>(blockDim.x); }
    __device__ void sync() const { __syncthreads(); }
};

/// All threads of `blocks` neighbouring blocks that were launched as a cluster; 1: of a block, on any GPU.
class ClusterTeam {
public:
    __device__ explicit ClusterTeam(int blocks) : blocks_(blocks) {}
    __device__ int team() const { return static_cast<int>(blockIdx.x) / blocks_; }
    __device__ int rank() const { return static_cast<int>(blockIdx.x) % blocks_ * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x); }
    __device__ int size() const { return static_cast<int>(blockDim.x) * blocks_; }
    /// What any of them wrote to the GPU's memory before, all of them see behind it.
    __device__ void sync() const {
#if __CUDA_ARCH__ >= 900
        if (blocks_ > 1) {
            asm volatile("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" ::: "memory");
            return;
        }
#endif
        __syncthreads();
    }

private:
    int blocks_;
};

/// All threads of the grid, for operators that never call sync().
struct GridTeam {
    __device__ std::int64_t rank() const { return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
    __device__ std::int64_t size() const { return std::int64_t{gridDim.x} * blockDim.x; }
};

} // namespace serpent::kernels::cuda
