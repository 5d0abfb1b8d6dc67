// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>

namespace serpent {

/// A queue from one thread to one other, without locks. `size` a power of two.
template <class T, std::size_t size>
class Ring {
public:
    /// False when it is full.
    bool push(const T& value) noexcept {
        const std::size_t at = written_.load(std::memory_order_relaxed);
        if (at - read_.load(std::memory_order_acquire) == size) return false;
        items_[at % size] = value;
        written_.store(at + 1, std::memory_order_release);
        return true;
    }
    std::optional<T> pop() noexcept {
        const std::size_t at = read_.load(std::memory_order_relaxed);
        if (at == written_.load(std::memory_order_acquire)) return std::nullopt;
        const T value = items_[at % size];
        read_.store(at + 1, std::memory_order_release);
        return value;
    }

private:
    std::array<T, size> items_{};
    std::atomic<std::size_t> written_{0}, read_{0};
};

} // namespace serpent
