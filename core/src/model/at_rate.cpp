// SPDX-License-Identifier: MIT
#include "model/at_rate.h"

#include "equations/rotating_scan.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace serpent {

namespace {

using std::size_t;
using Interpolation = std::vector<std::vector<double>>;  // [new tap][old tap]

// Of the lower Nyquist frequency: where interpolated taps have to be right. Filters colour all that is heard, and have long
// neighbourhoods to interpolate from.
constexpr double shared_band = 0.5, filter_band = 0.7;
constexpr size_t most_solved = 64;   // new taps that stand in for an old one: the cost of a solution is cubic in them
constexpr size_t cluster = 6;        // the same for taps that stand far apart: each new one costs as much as an old one
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

/// A gain of a rotating pair follows from config.step_ratio; that of a pair that nothing moves is fixed, and C makes up for it.
void turn_slower(LayerWeights& w, BlockKind kind, double spacing) {
    for (float& angle : w.A_imag)
        angle = static_cast<float>(std::clamp(static_cast<double>(angle) / spacing, -std::numbers::pi, std::numbers::pi));
    if (kind != BlockKind::time_invariant) return;
    for (size_t i = 0; i < w.A_log.size(); ++i) {
        w.A_log[i] = static_cast<float>(w.A_log[i] - std::log(spacing));
        const double q = std::expm1(-std::exp(static_cast<double>(w.A_log[i])));
        const double gain = std::sqrt(equations::input_power(q, 1.0 / spacing) / equations::input_power(q, 1.0));
        for (size_t part = 0; part < 2; ++part) w.C[2 * i + part] = static_cast<float>(w.C[2 * i + part] * gain);
    }
}

/// weight, moved: [channels][taps], the tap of the present sample first, or last.
void move_taps(Tensor weight, size_t channels, const Interpolation& to_new, bool newest_first, Tensor moved) {
    if (to_new.empty()) return;
    const size_t new_taps = to_new.size(), old_taps = to_new[0].size();
    const auto place = [newest_first](size_t k, size_t taps) { return newest_first ? k : taps - 1 - k; };
    for (size_t c = 0; c < channels; ++c)
        for (size_t j = 0; j < new_taps; ++j) {
            double sum = 0.0;
            for (size_t k = 0; k < old_taps; ++k) sum += to_new[j][k] * weight[c * old_taps + place(k, old_taps)];
            moved[c * new_taps + place(j, new_taps)] = static_cast<float>(sum);
        }
}

/// `near` new taps stand in for an old one that falls between them.
Interpolation interpolate(int taps, double tap_spacing, double band_rad, size_t most_near, size_t behind) {
    const auto old_taps = static_cast<size_t>(taps);
    const double oldest = static_cast<double>(taps - 1) * tap_spacing;
    const auto on_grid = [&](double delay) { return std::abs(delay - std::round(delay)) < 1e-9; };
    bool all_on_grid = true;
    for (size_t k = 0; k < old_taps; ++k) all_on_grid = all_on_grid && on_grid(static_cast<double>(k) * tap_spacing);
    const auto new_taps = static_cast<size_t>(std::ceil(oldest - 1e-9)) + 1 + (all_on_grid ? 0 : extra_taps);
    Interpolation to_new(new_taps, std::vector<double>(old_taps, 0.0));
    for (size_t k = 0; k < old_taps; ++k) {
        const double delay = static_cast<double>(k) * tap_spacing;
        if (on_grid(delay)) {
            to_new[static_cast<size_t>(std::lround(delay))][k] = 1.0;
            continue;
        }
        const size_t near = std::min(new_taps, most_near), nearest = static_cast<size_t>(delay);
        const size_t first = std::min(nearest - std::min(nearest, std::min(behind, near / 2)), new_taps - near);
        const std::vector<double> taps_of_k = fractional_delay(delay - static_cast<double>(first), near, band_rad);
        for (size_t j = 0; j < near; ++j) to_new[first + j][k] = taps_of_k[j];
    }
    return to_new;
}

double band(double share, double spacing) { return share * std::numbers::pi * std::min(1.0, 1.0 / spacing); }

/// Of a convolution whose taps stand `dilation` old samples apart.
Interpolation dilated_taps(int taps, int dilation, double spacing) {
    if (dilation == 1) return interpolated_taps(taps, spacing);
    return interpolate(taps, dilation * spacing, band(shared_band, spacing), cluster, cluster / 2 - 1);
}

Interpolation filter_taps(int taps, double spacing) {
    if (taps == 0) return {};
    return interpolate(taps, spacing, band(filter_band, spacing), most_solved / 2, most_solved / 4);
}

} // namespace

std::vector<std::vector<double>> interpolated_taps(int taps, double spacing) {
    return interpolate(taps, spacing, band(shared_band, spacing), most_solved, most_solved / 2);
}

Model at_rate(const Model& model, double sample_rate_hz) {
    const ModelConfig& from = model.config;
    const double spacing = sample_rate_hz / from.sample_rate;
    Model moved = model;
    ModelConfig& config = moved.config;
    config.sample_rate = static_cast<int>(std::lround(sample_rate_hz));
    config.step_ratio = static_cast<float>(1.0 / spacing);
    config.dilations = {1};
    std::vector<Interpolation> of_layers;
    for (int l = 0; l < from.n_layers; ++l) {
        of_layers.push_back(dilated_taps(from.block(l).d_conv, from.block(l).dilation, spacing));
        config.convs.push_back(static_cast<int>(of_layers.back().size()));
    }
    config.d_conv = *std::max_element(config.convs.begin(), config.convs.end());
    const Interpolation of_fir_in = filter_taps(from.fir_in, spacing), of_fir_out = filter_taps(from.fir_out, spacing);
    config.fir_in = static_cast<int>(of_fir_in.size()), config.fir_out = static_cast<int>(of_fir_out.size());
    lay_out(config, moved.weights, [](const TensorRef& t) { return !t.data.empty(); });
    for (size_t l = 0; l < of_layers.size(); ++l) {
        LayerWeights& layer = moved.weights.layers[l];
        const kernels::BlockShape block = from.block(static_cast<int>(l));
        move_taps(model.weights.layers[l].conv_weight, static_cast<size_t>(block.d_inner), of_layers[l], false, layer.conv_weight);
        shorten_steps(layer, spacing);
        turn_slower(layer, block.kind, spacing);
    }
    move_taps(model.weights.fir_in, static_cast<size_t>(from.channels), of_fir_in, true, moved.weights.fir_in);
    move_taps(model.weights.fir_out, static_cast<size_t>(from.channels), of_fir_out, true, moved.weights.fir_out);
    return moved;
}

} // namespace serpent
