// SPDX-License-Identifier: GPL-3.0-or-later
// Made recordings: something played, and gear that answers.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

inline constexpr int made_rate = 48000;

/// Plucked notes of many pitches and levels, with noise at the attack.
inline std::vector<float> playing(double seconds, unsigned seed) {
    std::mt19937 rng(seed);
    std::uniform_real_distribution<double> u(0, 1);
    std::vector<float> v(std::size_t(seconds * made_rate));
    for (std::size_t begin = 2000; begin < v.size(); begin += std::size_t((0.1 + 0.4 * u(rng)) * made_rate)) {
        const double hz = 80 * std::pow(2.0, 3 * u(rng)), level = 0.05 + 0.3 * u(rng);
        for (std::size_t i = begin; i < std::min(v.size(), begin + made_rate); ++i) {
            const double t = double(i - begin) / made_rate;
            double sum = 0.5 * (u(rng) - 0.5) * std::exp(-60 * t);
            for (int k = 1; k < 9; ++k) sum += std::sin(2 * M_PI * hz * k * t) * std::exp(-(2 + k) * t) / k;
            v[i] += float(level * sum);
        }
    }
    return v;
}

/// A soft clipper between two filters, whose phase turns with the level.
inline std::vector<float> drive(const std::vector<float>& dry, double gain = 8) {
    std::vector<float> wet(dry.size());
    double high = 0, low = 0;
    for (std::size_t i = 0; i < dry.size(); ++i) {
        high += 0.05 * (dry[i] - high);
        low += 0.3 * (std::tanh(gain * (dry[i] - high)) - low);
        wet[i] = float(0.5 * low);
    }
    return wet;
}

/// Feedback compressor, 5 and 300 ms.
inline std::vector<float> compress(const std::vector<float>& dry) {
    std::vector<float> wet(dry.size());
    double level = 0;
    for (std::size_t i = 0; i < dry.size(); ++i) {
        wet[i] = float(dry[i] / (1 + 10 * level));
        level += (std::abs(wet[i]) > level ? 1 / (0.005 * made_rate) : 1 / (0.3 * made_rate)) * (std::abs(wet[i]) - level);
    }
    return wet;
}
