// SPDX-License-Identifier: MIT
#include "model/silence.h"

#include "equations/rotating_scan.h"
#include "equations/time_invariant_scan.h"
#include "model/tensors.h"
#include "serpent/errors.h"
#include "serpent/nam.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <span>

namespace serpent {

namespace {

double silu(double x) noexcept { return x / (1.0 + std::exp(-x)); }
double softplus(double x) noexcept { return x > 30.0 ? x : std::log1p(std::exp(x)); }

/// Row `row` of `weight` (rows as long as `input`) times `input`, plus the bias where there is one.
double affine(Tensor weight, Tensor bias, std::size_t row, std::span<const double> input) noexcept {
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

/// h and what float's rounding leaves out of it; nothing where it was clamped.
void set_state(double value, float& h, float& h_low) noexcept {
    h = to_state(value);
    const double left_out = value - static_cast<double>(h);
    h_low = std::abs(left_out) <= std::abs(value) * 1e-6 ? static_cast<float>(left_out) : 0.0f;
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
    const ModelConfig& config = model_.config;
    time_constants_ = {std::numeric_limits<double>::infinity(), 0.0};
    std::copy(model_.weights.encoder_bias.begin(), model_.weights.encoder_bias.end(), stream_.begin());
    std::size_t conv = 0, h = 0;
    for (int layer = 0; layer < config.n_layers; ++layer) {
        solve_layer(static_cast<std::size_t>(layer), film, state.conv.data() + conv, state.h.data() + h, state.h_low.data() + h,
                    decays_.data() + h);
        conv += static_cast<std::size_t>(config.block(layer).conv_floats());
        h += static_cast<std::size_t>(config.block(layer).h_floats());
    }
    std::fill(state.fir_in.begin(), state.fir_in.end(), 0.0f);
    if (config.fir_out > 0) solve_output(state);
}

/// The filter at the output has heard the model's answer to silence for as long as it remembers.
void SilenceSolver::solve_output(State& state) noexcept {
    if (model_.config.final_norm) {
        rms_norm(stream_, normed_);
        for (std::size_t i = 0; i < normed_.size(); ++i) normed_[i] *= model_.weights.norm_f[i];
    } else {
        std::copy(stream_.begin(), stream_.end(), normed_.begin());
    }
    const auto history = static_cast<std::size_t>(model_.config.fir_out - 1);
    for (std::size_t c = 0; c < static_cast<std::size_t>(model_.config.channels); ++c) {
        const double answer = affine(model_.weights.decoder_weight, model_.weights.decoder_bias, c, normed_);
        std::fill_n(state.fir_out.begin() + static_cast<std::ptrdiff_t>(c * history), history, to_state(answer));
    }
}

void SilenceSolver::solve_layer(std::size_t layer, const Film& film, float* conv, float* h, float* h_low, double* decays) noexcept {
    const LayerWeights& w = model_.weights.layers[layer];
    const kernels::BlockShape shape = model_.config.block(static_cast<int>(layer));
    const std::size_t d_model = stream_.size(), d_inner = x_.size();
    const auto taps = static_cast<std::size_t>(shape.d_conv), history = static_cast<std::size_t>(shape.history());
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
        for (std::size_t row = 0; row < history; ++row) conv[row * d_inner + c] = to_state(input);
    }
    if (shape.kind == BlockKind::time_invariant) {
        solve_oscillators(layer, h, h_low, decays);
    } else {
        for (std::size_t row = 0; row < projected_.size(); ++row) projected_[row] = affine(w.x_proj, w.x_proj_bias, row, x_);
        shape.kind == BlockKind::rotating ? solve_rotation(layer, h, h_low, decays) : solve_scan(layer, h, h_low, decays);
    }
    for (std::size_t i = 0; i < d_model; ++i) stream_[i] += affine(w.out_proj, w.out_proj_bias, i, y_);
}

void SilenceSolver::note_decay(double decay) noexcept {
    const double samples = decay == 0.0 ? std::numeric_limits<double>::infinity() : 1.0 / decay;
    time_constants_.shortest_samples = std::min(time_constants_.shortest_samples, samples);
    time_constants_.longest_samples = std::max(time_constants_.longest_samples, samples);
}

double SilenceSolver::time_step(const LayerWeights& w, std::size_t channel) const noexcept {
    const std::span<const double> low(projected_.data(), static_cast<std::size_t>(model_.config.dt_rank));
    return softplus(affine(w.dt_proj, w.dt_proj_bias, channel, low));
}

void SilenceSolver::solve_scan(std::size_t layer, float* h, float* h_low, double* decays) noexcept {
    const LayerWeights& w = model_.weights.layers[layer];
    const auto n_states = static_cast<std::size_t>(model_.config.d_state);
    const bool tied = model_.config.a == DecayShape::tied, ema = model_.config.b_bar == BBar::ema;
    const double* b = projected_.data() + static_cast<std::size_t>(model_.config.dt_rank);
    const double* c_out = b + n_states;
    for (std::size_t c = 0; c < x_.size(); ++c) {
        const double dt = time_step(w, c);
        double sum = w.D[c] * x_[c];
        for (std::size_t s = 0; s < n_states; ++s) {
            const double rate = std::exp(static_cast<double>(w.A_log[tied ? c : c * n_states + s]));  // |A|
            const double decay = -dt * rate;
            // h = -dt B x / expm1(dt A) for euler, written so that dt -> 0 stays exact; h = B x for ema.
            const double gain = ema ? 1.0 : (decay == 0.0 ? 1.0 : decay / std::expm1(decay)) / rate;
            const double rest = gain * b[s] * x_[c];
            set_state(rest, h[c * n_states + s], h_low[c * n_states + s]);
            decays[c * n_states + s] = -decay;
            note_decay(-decay);
            sum += c_out[s] * rest;
        }
        y_[c] = sum * gate_[c];
    }
}

/// h (1 - factor) = b B x, in complex numbers.
void SilenceSolver::solve_rotation(std::size_t layer, float* h, float* h_low, double* decays) noexcept {
    const LayerWeights& w = model_.weights.layers[layer];
    const auto n_states = static_cast<std::size_t>(model_.config.d_state), pairs = n_states / 2;
    const kernels::BlockShape shape = model_.config.block(static_cast<int>(layer));
    const double* b = projected_.data() + static_cast<std::size_t>(model_.config.dt_rank);
    const double* c_out = b + n_states;
    for (std::size_t c = 0; c < x_.size(); ++c) {
        const double dt = time_step(w, c);
        double sum = w.D[c] * x_[c];
        for (std::size_t m = 0; m < pairs; ++m) {
            const double decay = dt * std::exp(static_cast<double>(w.A_log[shape.tied ? c : c * pairs + m])), q = std::expm1(-decay);
            const auto turn = equations::Turn<double>::exactly(w.A_imag[c * pairs + m]);
            const std::complex<double> change(q + turn.t + q * turn.t, turn.s + q * turn.s);
            const double gain = std::sqrt(equations::input_power(q, static_cast<double>(shape.step_ratio))) * x_[c];
            const std::complex<double> rest = change == 0.0 ? 0.0 : -gain * std::complex<double>(b[m], b[pairs + m]) / change;
            const std::size_t re = c * n_states + m, im = re + pairs;
            set_state(rest.real(), h[re], h_low[re]);
            set_state(rest.imag(), h[im], h_low[im]);
            decays[re] = decays[im] = decay;
            note_decay(decay);
            sum += c_out[m] * rest.real() + c_out[pairs + m] * rest.imag();
        }
        y_[c] = sum * gate_[c];
    }
}

void SilenceSolver::solve_oscillators(std::size_t layer, float* h, float* h_low, double* decays) noexcept {
    const LayerWeights& w = model_.weights.layers[layer];
    const std::size_t pairs = static_cast<std::size_t>(model_.config.d_state) / 2;
    for (std::size_t c = 0; c < x_.size(); ++c) {
        double sum = w.D[c] * x_[c];
        for (std::size_t m = 0; m < pairs; ++m) {
            const std::size_t i = c * pairs + m;
            const auto o = equations::oscillator(static_cast<double>(w.A_log[i]), static_cast<double>(w.A_imag[i]));
            const std::complex<double> change(o.q_re, o.q_im), rest = change == 0.0 ? 0.0 : -o.b * x_[c] / change;
            set_state(rest.real(), h[2 * i], h_low[2 * i]);
            set_state(rest.imag(), h[2 * i + 1], h_low[2 * i + 1]);
            decays[2 * i] = decays[2 * i + 1] = std::exp(static_cast<double>(w.A_log[i]));
            note_decay(decays[2 * i]);
            sum += w.C[2 * i] * rest.real() + w.C[2 * i + 1] * rest.imag();
        }
        y_[c] = sum * gate_[c];
    }
}

State zero_state(const ModelConfig& config) {
    const kernels::ModelShape shape = model_shape(config);
    const auto history = [&](int taps) { return static_cast<std::size_t>(config.channels) * static_cast<std::size_t>(std::max(0, taps - 1)); };
    const std::vector<float> h(shape.h_floats());
    return {std::vector<float>(shape.conv_floats()), h, h, std::vector<float>(history(config.fir_in)),
            std::vector<float>(history(config.fir_out))};
}

bool is_state_of(const State& state, const State& like) noexcept {
    return state.conv.size() == like.conv.size() && state.h.size() == like.h.size() && state.fir_in.size() == like.fir_in.size() &&
           state.fir_out.size() == like.fir_out.size() &&
           (state.h_low.empty() || state.h_low.size() == like.h.size());
}

State silence_state(const Model& model, std::span<const float> controls) {
    if (model.nam) throw Error("The state of a .nam capture is what a Stream or Renderer of it says.");
    State state = zero_state(model.config);
    SilenceSolver(model).solve(film(model, controls), state);
    return state;
}

TimeConstants time_constants(const Model& model, std::span<const float> controls) {
    if (model.nam) return {0.0, static_cast<double>(model.nam->reach)};
    State state = zero_state(model.config);
    SilenceSolver solver(model);
    solver.solve(film(model, controls), state);
    return solver.time_constants();
}

} // namespace serpent
