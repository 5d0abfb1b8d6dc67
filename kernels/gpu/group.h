// SPDX-License-Identifier: MIT
// Two views of the threads that run an algorithm of this folder, so that its one source runs on a device and in a CPU test.
//
//   Group  some threads of a warp in lock step. each() runs a piece of code for every thread, with that thread's own variables;
//          what threads tell each other goes through a tile of shared memory, sync() between writing and reading, or sum().
//   Team   all threads of a block (or of the grid, for code that never calls sync()): item i belongs to rank i % size.
//
// The device's versions are in kernels/cuda/device_group.cuh; those of this header run on one CPU thread.
#pragma once

#include "equations/host_device.h"
#include "gpu/matrix.h"

#include <array>
#include <cmath>
#include <cstdint>

namespace serpent::kernels::gpu {

/// 1, 2 or 4 floats that a device moves in one instruction. The address must be a multiple of their size.
template <int kCount>
struct alignas(4 * kCount) Pack {
    float v[kCount];
};
template <int kCount>
SERPENT_HD inline Pack<kCount> load(const float* p) {
    return *reinterpret_cast<const Pack<kCount>*>(p);
}
template <int kCount>
SERPENT_HD inline void store(float* p, const Pack<kCount>& x) {
    *reinterpret_cast<Pack<kCount>*>(p) = x;
}

using Float4 = Pack<4>;
SERPENT_HD inline Float4 load4(const float* p) { return load<4>(p); }
SERPENT_HD inline void store4(float* p, const Float4& x) { store<4>(p, x); }

template <int kThreads>
struct HostGroup {
    static constexpr int threads = kThreads;
    template <class T>
    using PerThread = std::array<T, kThreads>;

    template <class T, class Function>
    void each(PerThread<T>& values, const Function& function) const {
        for (int thread = 0; thread < kThreads; ++thread) function(thread, values[static_cast<std::size_t>(thread)]);
    }
    /// Replaces value(thread) by its sum over the threads that differ in the bits kFrom and up, adding as a butterfly does.
    template <int kFrom, class T, class Value>
    void sum(PerThread<T>& values, const Value& value) const {
        for (int apart = kFrom; apart < kThreads; apart *= 2) {
            float before[kThreads];
            for (int thread = 0; thread < kThreads; ++thread) before[thread] = value(values[static_cast<std::size_t>(thread)]);
            for (int thread = 0; thread < kThreads; ++thread)
                value(values[static_cast<std::size_t>(thread)]) = before[thread] + before[thread ^ apart];
        }
    }
    /// The same over kCount threads in a row, a power of two.
    template <int kCount, class T, class Value>
    void sum_neighbours(PerThread<T>& values, const Value& value) const {
        for (int apart = 1; apart < kCount; apart *= 2) {
            float before[kThreads];
            for (int thread = 0; thread < kThreads; ++thread) before[thread] = value(values[static_cast<std::size_t>(thread)]);
            for (int thread = 0; thread < kThreads; ++thread)
                value(values[static_cast<std::size_t>(thread)]) = before[thread] + before[thread ^ apart];
        }
    }
    /// The same over the bits below `threads_together`, a power of two, for kCount values(thread).
    template <int kCount, class T, class Values>
    void sum_below(int threads_together, PerThread<T>& threads_of, const Values& values) const {
        for (int apart = 1; apart < threads_together; apart *= 2)
            for (int i = 0; i < kCount; ++i) {
                float before[kThreads];
                for (int thread = 0; thread < kThreads; ++thread) before[thread] = values(threads_of[static_cast<std::size_t>(thread)])[i];
                for (int thread = 0; thread < kThreads; ++thread)
                    values(threads_of[static_cast<std::size_t>(thread)])[i] = before[thread] + before[thread ^ apart];
            }
    }
    /// out[column][row] = bias[row] + sum over k of matrix(row, k) in[column][k], with a matrix of matrix.h; bias may be null. All in
    /// memory that the threads share; sync() before and behind it. Strides: from column to column.
    template <int kRows, int kDepth, int kInStride, int kOutStride>
    void multiply(const float* matrix, const float* bias, const float* in, float* out) const {
        for (int column = 0; column < matrix_columns; ++column)
            for (int row = 0; row < kRows; ++row) {
                float sum = bias ? bias[row] : 0.0f;
                for (int k = 0; k < kDepth; ++k) {
                    const float* const high = matrix + matrix_place(kDepth, row, k);
                    sum = std::fma(high[0] + high[128], in[column * kInStride + k], sum);
                }
                out[column * kOutStride + row] = sum;
            }
    }
    void sync() const {}
};

struct SerialTeam {
    int rank() const { return 0; }
    int size() const { return 1; }
    void sync() const {}
};

} // namespace serpent::kernels::gpu
