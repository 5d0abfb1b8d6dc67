// SPDX-License-Identifier: MIT
// The impulse response between two recordings whose distance in time is unknown.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace serpent {

struct ImpulseResponse {
    std::ptrdiff_t first_lag = 0;  ///< of taps[0]
    std::vector<double> taps;
    double peak = 0;               ///< largest magnitude
    double noise = 0;              ///< rms of the taps long before the peak, where there is nothing to find
    double causal_share = 0;       ///< of what the taps explain of the wet, how much those from lag 0 on explain alone
};

/// Searches lags of up to 65,536 samples either way (less in short files), and gives the response around the largest.
/// Both signals must be longer than nothing.
ImpulseResponse impulse_response(std::span<const float> dry, std::span<const float> wet);

/// About how many samples the wet lies behind, looked for at every place where the two meet: stretches of the dry that are spread
/// over it vote. None when they do not agree. The answer is the peak of a correlation, good to some thousand samples.
std::optional<std::ptrdiff_t> search_whole_take(std::span<const float> dry, std::span<const float> wet);

/// Solves the symmetric Toeplitz system sum_j r[|i - j|] x[j] = b[i] (Levinson recursion). r[0] > 0.
std::vector<double> solve_toeplitz(std::span<const double> r, std::span<const double> b);

} // namespace serpent
