// SPDX-License-Identifier: GPL-3.0-or-later
// Comparisons that NaN, infinity and a wrong length fail.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace serpent::test {

/// |got - expected| <= tolerance; false when either is NaN or infinite.
inline bool close(double expected, double got, double tolerance) { return std::abs(got - expected) <= tolerance; }

/// Difference of two signals relative to the rms of the expected one (its DC included).
struct Distance {
    double rms = 0, max = 0;

    bool within(double rms_tolerance, double max_tolerance) const {
        return rms <= rms_tolerance && max <= max_tolerance; // both false for NaN
    }
};

/// Infinite for different lengths; NaN when a NaN is involved; 0 for two equal signals, be they empty or zero.
template <class A, class B>
Distance distance(const std::vector<A>& expected, const std::vector<B>& got) {
    if (expected.size() != got.size())
        return {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    double energy = 0, error = 0, max = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double e = static_cast<double>(expected[i]), difference = static_cast<double>(got[i]) - e;
        energy += e * e;
        error += difference * difference;
        if (std::abs(difference) > max)
            max = std::abs(difference);
    }
    if (error == 0)
        return {};
    const double n = static_cast<double>(expected.size()), scale = std::sqrt(energy / n);
    // A NaN leaves `max` as it was but not `error`: let it reach both.
    return {std::sqrt(error / n) / scale, std::isnan(error) ? error : max / scale};
}

} // namespace serpent::test
