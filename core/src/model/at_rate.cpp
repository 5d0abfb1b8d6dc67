// SPDX-License-Identifier: MIT
#include "model/at_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace serpent {

namespace {

using std::size_t;

constexpr double shared_band = 0.5;  // of the lower Nyquist frequency: where the interpolated taps have to be right
constexpr size_t most_solved = 64;   // new taps that stand in for an old one: the cost of a solution is cubic in them
constexpr int extra_taps = 2;        // beyond the oldest old tap, to interpolate it from both sides

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x) / x; }

/// Solves the symmetric positive definite matrix . x = rhs in place, by Cholesky.
std::vector<double> solve(std::vector<std::vector<double>> matrix, std::vector<double> rhs) {
    const size_t n = rhs.size();
    for (size_t j = 0; j < n; ++j) {
        for (size_t k = 0; k < j; ++k)
            for (size_t i = j; i < n; ++i) matrix[i][j] -= matrix[i][k] * matrix[j][k];
        const double pivot = std::sqrt(matrix[j][j]);
        for (size_t i = j; i < n; ++i) matrix[i][j] /= pivot;
    }
    for (size_t i = 0; i < n; ++i) {
        for (size_t k = 0; k < i; ++k) rhs[i] -= matrix[i][k] * rhs[k];
        rhs[i] /= matrix[i][i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; ++k) rhs[i] -= matrix[k][i] * rhs[k];
        rhs[i] /= matrix[i][i];
    }
    return rhs;
}

/// A delay by `delay` samples as an FIR of n taps: least squares over the frequencies below band_rad; exact at 0 Hz, so
/// that silence stays where it is; with a slight preference for small taps, which keeps the response above the band from
/// growing.
std::vector<double> fractional_delay(double delay, size_t n, double band_rad) {
    constexpr double regularisation = 1e-6, weight_of_dc = 1e5;
    std::vector<std::vector<double>> gram(n, std::vector<double>(n));
    std::vector<double> target(n);
    for (size_t i = 0; i < n; ++i) {
        for (size_t j = 0; j < n; ++j)
            gram[i][j] = weight_of_dc + sinc(band_rad * (static_cast<double>(i) - static_cast<double>(j)));
        gram[i][i] += regularisation;
        target[i] = weight_of_dc + sinc(band_rad * (static_cast<double>(i) - delay));
    }
    return solve(std::move(gram), std::move(target));
}

/// dt = softplus(s) becomes softplus(s - log(spacing)), that is expm1(dt) / spacing = expm1(dt of the new rate). Short
/// steps shrink by `spacing`. A one-pole filter keeps its mean delay 1 / expm1(dt) in seconds, which counts for those
/// that decay within a few samples: scaling dt itself would delay every layer by up to half an old sample.
void shorten_steps(LayerWeights& w, double spacing) {
    for (float& bias : w.dt_proj_bias) bias = static_cast<float>(bias - std::log(spacing));
}

void move_taps(LayerWeights& w, size_t old_taps, const std::vector<std::vector<double>>& to_new) {
    const size_t new_taps = to_new.size(), d_inner = w.conv_bias.size();
    std::vector<float> moved(d_inner * new_taps);
    for (size_t c = 0; c < d_inner; ++c)
        for (size_t j = 0; j < new_taps; ++j) {
            double sum = 0.0;
            for (size_t k = 0; k < old_taps; ++k) sum += to_new[j][k] * w.conv_weight[c * old_taps + old_taps - 1 - k];
            moved[c * new_taps + new_taps - 1 - j] = static_cast<float>(sum);  // stored oldest first
        }
    w.conv_weight = std::move(moved);
}

} // namespace

std::vector<std::vector<double>> interpolated_taps(int taps, double spacing) {
    const auto old_taps = static_cast<size_t>(taps);
    const double oldest = static_cast<double>(taps - 1) * spacing;
    const auto on_grid = [&](double delay) { return std::abs(delay - std::round(delay)) < 1e-9; };
    bool all_on_grid = true;
    for (size_t k = 0; k < old_taps; ++k) all_on_grid = all_on_grid && on_grid(static_cast<double>(k) * spacing);
    const auto new_taps = static_cast<size_t>(std::ceil(oldest - 1e-9)) + 1 + (all_on_grid ? 0 : extra_taps);
    std::vector<std::vector<double>> to_new(new_taps, std::vector<double>(old_taps, 0.0));
    for (size_t k = 0; k < old_taps; ++k) {
        const double delay = static_cast<double>(k) * spacing;
        if (on_grid(delay)) {
            to_new[static_cast<size_t>(std::lround(delay))][k] = 1.0;
            continue;
        }
        const double band_rad = shared_band * std::numbers::pi * std::min(1.0, 1.0 / spacing);
        const size_t near = std::min(new_taps, most_solved), nearest = static_cast<size_t>(delay);
        const size_t first = std::min(nearest - std::min(nearest, near / 2), new_taps - near);
        const std::vector<double> taps_of_k = fractional_delay(delay - static_cast<double>(first), near, band_rad);
        for (size_t j = 0; j < near; ++j) to_new[first + j][k] = taps_of_k[j];
    }
    return to_new;
}

Model at_rate(const Model& model, double sample_rate_hz) {
    const double spacing = sample_rate_hz / model.config.sample_rate;
    const auto to_new = interpolated_taps(model.config.d_conv, spacing);
    Model moved = model;
    moved.config.sample_rate = static_cast<int>(std::lround(sample_rate_hz));
    moved.config.d_conv = static_cast<int>(to_new.size());
    for (LayerWeights& layer : moved.weights.layers) {
        shorten_steps(layer, spacing);
        move_taps(layer, static_cast<size_t>(model.config.d_conv), to_new);
    }
    return moved;
}

} // namespace serpent
