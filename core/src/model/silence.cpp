// SPDX-License-Identifier: MIT
#include "model/silence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace serpent {

namespace {

double silu(double x) noexcept { return x / (1.0 + std::exp(-x)); }
double softplus(double x) noexcept { return x > 30.0 ? x : std::log1p(std::exp(x)); }

/// Row `row` of `weight` (rows as long as `input`) times `input`, plus the bias where there is one.
double affine(const std::vector<float>& weight, const std::vector<float>& bias, std::size_t row,
              std::span<const double> input) noexcept {
    double sum = bias.empty() ? 0.0 : bias[row];
    for (std::size_t i = 0; i < input.size(); ++i) sum += weight[row * input.size() + i] * input[i];
    return sum;
}

void rms_norm(std::span<const double> in, std::span<double> out) noexcept {
    double power = 0.0;
    for (const double v : in) power += v * v;
    const double scale = 1.0 / std::sqrt(power / static_cast<double>(in.size()) + 1e-5);
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] * scale;
}

/// Absurd weights may ask for a state that float32 cannot hold; a finite one keeps the player alive.
float to_state(double value) noexcept {
    constexpr double largest = 1e30;
    return std::isnan(value) ? 0.0f : static_cast<float>(std::clamp(value, -largest, largest));
}

} // namespace

SilenceSolver::SilenceSolver(const Model& model)
    : model_(model),
      stream_(static_cast<std::size_t>(model.config.d_model)),
      normed_(stream_.size()),
      x_(static_cast<std::size_t>(model.config.d_inner())),
      gate_(x_.size()),
      projected_(static_cast<std::size_t>(model.config.dt_rank + 2 * model.config.d_state)),
      y_(x_.size()),
      decays_(static_cast<std::size_t>(model.config.n_layers * model.config.d_state) * x_.size()) {}

void SilenceSolver::solve(const Film& film, State& state) noexcept {
    time_constants_ = {std::numeric_limits<double>::infinity(), 0.0};
    std::copy(model_.weights.encoder_bias.begin(), model_.weights.encoder_bias.end(), stream_.begin());
    for (std::size_t layer = 0; layer < model_.weights.layers.size(); ++layer) solve_layer(layer, film, state);
}

void SilenceSolver::solve_layer(std::size_t layer, const Film& film, State& state) noexcept {
    const LayerWeights& w = model_.weights.layers[layer];
    const std::size_t d_model = stream_.size(), d_inner = x_.size();
    const auto taps = static_cast<std::size_t>(model_.config.d_conv);
    rms_norm(stream_, normed_);
    for (std::size_t i = 0; i < d_model; ++i) {
        const std::size_t place = layer * d_model + i;
        normed_[i] = normed_[i] * w.norm[i] * film.scale[place] + film.shift[place];
    }
    for (std::size_t c = 0; c < d_inner; ++c) {
        const double input = affine(w.in_proj, w.in_proj_bias, c, normed_);
        gate_[c] = silu(affine(w.in_proj, w.in_proj_bias, d_inner + c, normed_));
        double sum = w.conv_bias[c];
        for (std::size_t tap = 0; tap < taps; ++tap) sum += w.conv_weight[c * taps + tap] * input;
        x_[c] = silu(sum);
        for (std::size_t tap = 0; tap + 1 < taps; ++tap) {
            state.conv[(layer * (taps - 1) + tap) * d_inner + c] = to_state(input);
        }
    }
    solve_scan(layer, state);
    for (std::size_t i = 0; i < d_model; ++i) stream_[i] += affine(w.out_proj, w.out_proj_bias, i, y_);
}

void SilenceSolver::solve_scan(std::size_t layer, State& state) noexcept {
    const LayerWeights& w = model_.weights.layers[layer];
    const std::size_t d_inner = x_.size();
    const auto rank = static_cast<std::size_t>(model_.config.dt_rank);
    const auto n_states = static_cast<std::size_t>(model_.config.d_state);
    const bool tied = model_.config.a == DecayShape::tied, ema = model_.config.b_bar == BBar::ema;
    for (std::size_t row = 0; row < projected_.size(); ++row) projected_[row] = affine(w.x_proj, w.x_proj_bias, row, x_);
    const std::span<const double> dt_input(projected_.data(), rank);
    const double* b = projected_.data() + rank;
    const double* c_out = b + n_states;
    for (std::size_t c = 0; c < d_inner; ++c) {
        const double dt = softplus(affine(w.dt_proj, w.dt_proj_bias, c, dt_input));
        double sum = w.D[c] * x_[c];
        for (std::size_t s = 0; s < n_states; ++s) {
            const double rate = std::exp(static_cast<double>(w.A_log[tied ? c : c * n_states + s]));  // |A|
            const double decay = -dt * rate;
            // h = -dt B x / expm1(dt A) for euler, written so that dt -> 0 stays exact; h = B x for ema.
            const double gain = ema ? 1.0 : (decay == 0.0 ? 1.0 : decay / std::expm1(decay)) / rate;
            const double h = gain * b[s] * x_[c];
            const std::size_t place = (layer * d_inner + c) * n_states + s;
            state.h[place] = to_state(h);
            const double left_out = h - static_cast<double>(state.h[place]);
            state.h_low[place] = std::abs(left_out) <= std::abs(h) * 1e-6 ? static_cast<float>(left_out) : 0.0f;  // not clamped
            decays_[place] = -decay;
            sum += c_out[s] * h;
            const double samples = decay == 0.0 ? std::numeric_limits<double>::infinity() : -1.0 / decay;
            time_constants_.shortest_samples = std::min(time_constants_.shortest_samples, samples);
            time_constants_.longest_samples = std::max(time_constants_.longest_samples, samples);
        }
        y_[c] = sum * gate_[c];
    }
}

State zero_state(const ModelConfig& config) {
    const auto layers = static_cast<std::size_t>(config.n_layers), d_inner = static_cast<std::size_t>(config.d_inner());
    const std::vector<float> h(layers * d_inner * static_cast<std::size_t>(config.d_state));
    return {std::vector<float>(layers * static_cast<std::size_t>(config.d_conv - 1) * d_inner), h, h};
}

bool is_state_of(const State& state, const State& like) noexcept {
    return state.conv.size() == like.conv.size() && state.h.size() == like.h.size() &&
           (state.h_low.empty() || state.h_low.size() == like.h.size());
}

State silence_state(const Model& model, std::span<const float> controls) {
    State state = zero_state(model.config);
    SilenceSolver(model).solve(film(model, controls), state);
    return state;
}

TimeConstants time_constants(const Model& model, std::span<const float> controls) {
    State state = zero_state(model.config);
    SilenceSolver solver(model);
    solver.solve(film(model, controls), state);
    return solver.time_constants();
}

} // namespace serpent
