// SPDX-License-Identifier: GPL-3.0-or-later
// Reproducible numbers for tests: the same on every platform, unlike the distributions of <random>.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace serpent::test {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    /// splitmix64 (Steele, Lea and Flood, 2014), top 53 bits.
    double uniform(double low, double high) {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        return low + (high - low) * static_cast<double>(z >> 11) * 0x1p-53;
    }

    /// Log-uniform, for time scales.
    double log_uniform(double low, double high) { return std::exp(uniform(std::log(low), std::log(high))); }

    template <class T = double>
    std::vector<T> vector(std::size_t n, double low = -1, double high = 1) {
        std::vector<T> values(n);
        for (T& value : values)
            value = static_cast<T>(uniform(low, high));
        return values;
    }

private:
    std::uint64_t state_;
};

} // namespace serpent::test
