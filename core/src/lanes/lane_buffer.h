// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/kernels/lanes.h"

#include <cstddef>
#include <new>
#include <vector>

namespace serpent::lanes {

inline constexpr int lane_count = kernels::lane_count;

/// 64-byte aligned storage, as the lane operators want it.
template <class T>
struct AlignedAllocator {
    using value_type = T;
    static constexpr std::align_val_t alignment{64};
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) noexcept {}
    T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), alignment)); }
    void deallocate(T* p, std::size_t) noexcept { ::operator delete(p, alignment); }
    bool operator==(const AlignedAllocator&) const = default;
};

using LaneBuffer = std::vector<float, AlignedAllocator<float>>;

/// Floats in `rows` lane vectors.
constexpr std::size_t lane_floats(std::size_t rows) { return rows * lane_count; }

} // namespace serpent::lanes
