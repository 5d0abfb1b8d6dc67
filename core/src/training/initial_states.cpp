// SPDX-License-Identifier: MIT
#include "training/initial_states.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace serpent {
namespace {

std::size_t size(int a) { return static_cast<std::size_t>(a); }

} // namespace

double inverse_softplus(double y) { return y > 20 ? y : std::log(std::expm1(y)); }

double log_spaced(int i, int n, double first, double last) {
    return n < 2 ? std::sqrt(first * last) : first * std::pow(last / first, double(i) / double(n - 1));
}

void set_resonances(const kernels::BlockShape& b, int layer, double rate_hz, double longest_samples, std::span<const float> jitter,
                    LayerWeights& w) {
    constexpr double slow_share = 0.1;
    // Slow steps hear less of the range: no lower than a hundredth of their rate.
    const double lowest_hz = std::min(40.0, 0.01 * rate_hz), highest_hz = 12000;
    const int pairs = b.pairs(), count = b.d_inner * pairs;
    for (int i = 0; i < b.d_inner; ++i) {
        for (int n = 0; n < b.decays(); ++n)
            w.A_log[size(i * b.decays() + n)] = static_cast<float>(std::log(b.tied ? 1.0 : log_spaced(n, pairs, 1.0, 8.0)));
        for (int m = 0; m < pairs; ++m) {
            const double place = i * pairs + m + double(jitter[size(i * pairs + m)]);
            const double share = std::clamp((layer % 2 == 0 ? place : count - 1 - place) / std::max(1, count - 1), 0.0, 1.0);
            const double hz = std::min(lowest_hz * std::pow(highest_hz / lowest_hz, share), 0.45 * rate_hz);
            const double slow = m == 0 && i % 2 == 0 ? slow_share : 1.0;
            w.A_imag[size(i * pairs + m)] = static_cast<float>(2 * std::numbers::pi * slow * hz / rate_hz);
        }
        const int permuted = i * 5 % b.d_inner;  // apart from the frequencies; all of 0..d_inner - 1 unless 5 divides it, which will do
        w.dt_proj_bias[size(i)] = static_cast<float>(inverse_softplus(1.0 / log_spaced(permuted, b.d_inner, 4.0, longest_samples)));
    }
}

} // namespace serpent
