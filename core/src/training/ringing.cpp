// SPDX-License-Identifier: MIT
#include "training/ringing.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace serpent {
namespace {

constexpr double silence_s = 0.02;   // of the dry, before what begins
constexpr std::ptrdiff_t heard_samples = 400, noise_samples = 320, gap_samples = 80;  // of the wet: after and before a beginning
constexpr double above_noise = 8, share_of_peak = 1e-4, loud_enough = 50;
constexpr std::ptrdiff_t least_samples = 3;  // less is what finding the onset leaves open

/// Where the dry leaves silence that lasted.
std::vector<std::ptrdiff_t> beginnings(std::span<const float> dry, int rate_hz) {
    float peak = 0;
    for (const float x : dry) peak = std::max(peak, std::abs(x));
    const auto wanted = static_cast<std::ptrdiff_t>(silence_s * rate_hz);
    std::vector<std::ptrdiff_t> found;
    std::ptrdiff_t silent_since = 0;
    for (std::ptrdiff_t t = 0; t < std::ssize(dry); ++t) {
        if (std::abs(dry[static_cast<std::size_t>(t)]) <= 1e-5f * peak) continue;
        if (t - silent_since > wanted) found.push_back(t);
        silent_since = t + 1;
    }
    return found;
}

/// The wet's first movement after `begin`; none where its noise hides it.
std::optional<std::ptrdiff_t> first_movement(std::span<const float> wet, std::ptrdiff_t begin, std::ptrdiff_t latency) {
    const std::ptrdiff_t first = begin - gap_samples - noise_samples, end = begin + latency + heard_samples;
    if (first < 0 || end > std::ssize(wet)) return std::nullopt;
    const auto before = wet.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(noise_samples));
    double mean = 0, square = 0, peak = 0;
    for (const float y : before) mean += double(y) / noise_samples;
    for (const float y : before) square += (y - mean) * (y - mean) / noise_samples;
    const auto heard = wet.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(latency + heard_samples));
    for (const float y : heard) peak = std::max(peak, std::abs(y - mean));
    const double noise = std::sqrt(square);
    if (!(peak > loud_enough * noise) || !(peak > 0)) return std::nullopt;
    const double threshold = std::max(above_noise * noise, share_of_peak * peak);
    return std::ranges::find_if(heard, [&](float y) { return std::abs(y - mean) > threshold; }) - heard.begin();
}

} // namespace

std::optional<std::ptrdiff_t> rings_ahead_by(std::span<const float> dry, std::span<const float> wet, std::ptrdiff_t latency_samples, int sample_rate_hz) {
    if (latency_samples < least_samples) return std::nullopt;
    std::vector<std::ptrdiff_t> movements;
    for (const std::ptrdiff_t begin : beginnings(dry, sample_rate_hz))
        if (const auto movement = first_movement(wet, begin, latency_samples)) movements.push_back(*movement);
    if (movements.empty()) return std::nullopt;
    const std::size_t middle = (movements.size() - 1) / 2;
    std::ranges::nth_element(movements, movements.begin() + static_cast<std::ptrdiff_t>(middle));
    const std::ptrdiff_t ahead = latency_samples - movements[middle];
    return ahead >= least_samples ? std::optional(std::min(ahead, latency_samples)) : std::nullopt;
}

} // namespace serpent
