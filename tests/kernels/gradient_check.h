// SPDX-License-Identifier: GPL-3.0-or-later
// Analytic gradients against central differences in double.
#pragma once

#include "close.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace serpent::test {

/// The loss whose gradient is being checked: a fixed random weighting of everything the operator puts out.
inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        sum += a[i] * b[i];
    return sum;
}

/// loss() reads `values`. With the step of 1e-5 the difference is wrong by step^2 / 6 times the third derivative, some
/// 1e-10, and by rounding in a loss whose terms are about 1, some 4e-16 / step. 1e-7 of the gradient's size is well
/// above the first and far below any mistake in a formula.
template <class Loss>
void check_gradient(const std::string& name, std::vector<double>& values, const std::vector<double>& gradient,
                    const Loss& loss, double step = 1e-5) {
    INFO("gradient of " << name << ", " << values.size() << " values");
    REQUIRE(gradient.size() == values.size());
    double energy = 0;
    for (double g : gradient)
        energy += g * g;
    const double size = values.empty() ? 0 : std::sqrt(energy / static_cast<double>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double value = values[i];
        values[i] = value + step;
        const double above = loss();
        values[i] = value - step;
        const double below = loss();
        values[i] = value;
        const double expected = (above - below) / (2 * step);
        const double rounding = 4e-16 * (1 + std::abs(above)) / step;
        INFO("element " << i << ": differences " << expected << ", analytic " << gradient[i]);
        REQUIRE(close(expected, gradient[i], 1e-7 * (size + std::abs(gradient[i])) + rounding));
    }
}

} // namespace serpent::test
