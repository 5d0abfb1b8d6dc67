// SPDX-License-Identifier: MIT
// Counter-based random numbers: a value is a function of (seed, stream, counter), so a resumed run needs no generator
// state and threads need no order.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace serpent {

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over a mix of the three.
inline std::uint64_t random_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter) noexcept {
    std::uint64_t z = seed * 0x9e3779b97f4a7c15u + stream * 0xd1342543de82ef95u + (counter + 1) * 0x2545f4914f6cdd1du;
    for (int round = 0; round < 2; ++round) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
    }
    return z;
}

/// Uniform in [0, 1).
inline double random_uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter) noexcept {
    return static_cast<double>(random_bits(seed, stream, counter) >> 11) * 0x1p-53;
}

inline double random_normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter) noexcept {
    const double u = 1.0 - random_uniform(seed, stream, 2 * counter), v = random_uniform(seed, stream, 2 * counter + 1);
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

} // namespace serpent
