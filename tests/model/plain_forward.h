// SPDX-License-Identifier: GPL-3.0-or-later
// The whole model, sample by sample in double, straight from the equations of docs/model_format.md and sharing no code
// with the library nor with kernels/equations: a second opinion on the reference model.
#pragma once

#include "serpent/model.h"

#include <algorithm>
#include <cmath>
#include <complex>

namespace serpent::test {

class PlainForward {
public:
    using Vector = std::vector<double>;

    PlainForward(const Model& model, const std::vector<float>& controls = {}) : m_(model), c_(model.config) {
        for (int l = 0; l < c_.n_layers; ++l) {
            first_row_.push_back(conv_.size());
            conv_.resize(conv_.size() + count((c_.d_conv - 1) * dilation(l) * c_.d_inner()));
        }
        h_.assign(count(c_.n_layers * c_.d_inner() * c_.d_state), 0.0);
        for (int channel = 0; channel < c_.channels; ++channel) {
            heard_.emplace_back(count(c_.fir_in), 0.0);
            played_.emplace_back(count(c_.fir_out), 0.0);
        }
        for (std::size_t i = 0; i < c_.controls.size(); ++i) {
            const Control& k = c_.controls[i];
            const double v = controls.empty() ? k.default_value : std::clamp(controls[i], k.min, k.max);
            knobs_.push_back(2.0 * (v - k.min) / (double(k.max) - k.min) - 1.0);
        }
    }

    void set_state(const State& state) {
        conv_.assign(state.conv.begin(), state.conv.end());
        h_.assign(state.h.begin(), state.h.end());
        remember(state.fir_in, heard_);
        remember(state.fir_out, played_);
    }
    const Vector& conv() const { return conv_; }
    const Vector& h() const { return h_; }

    /// One sample of every channel.
    Vector step(Vector in) {
        const Weights& w = m_.weights;
        filter(w.fir_in, heard_, in);
        Vector e = product(w.encoder_weight, w.encoder_bias, in);
        for (int layer = 0; layer < c_.n_layers; ++layer) {
            Vector u = norm(e, w.layers[count(layer)].norm);
            if (!knobs_.empty()) u = modulate(u, w.layers[count(layer)]);
            const Vector out = block(layer, u);
            for (std::size_t i = 0; i < e.size(); ++i) e[i] += out[i];
        }
        if (c_.final_norm) e = norm(e, w.norm_f);
        Vector out = product(w.decoder_weight, w.decoder_bias, e);
        if (c_.skip) for (std::size_t i = 0; i < out.size(); ++i) out[i] += double(w.skip[i]) * in[i];
        filter(w.fir_out, played_, out);
        for (double& y : out) y = bound(y);
        return out;
    }

private:
    int dilation(int layer) const { return c_.dilations[count(layer) % c_.dilations.size()]; }
    bool rotates(int layer) const { return c_.blocks[count(layer) % c_.blocks.size()] == BlockKind::rotating; }
    /// Past samples of every channel, the newest first; the state has the oldest first, and one less.
    static void remember(const std::vector<float>& state, std::vector<Vector>& past) {
        const std::size_t each = state.size() / past.size();
        for (std::size_t channel = 0; channel < past.size(); ++channel)
            for (std::size_t i = 0; i < each; ++i) past[channel][i] = state[channel * each + each - 1 - i];
    }
    static void filter(Tensor weight, std::vector<Vector>& past, Vector& samples) {
        for (std::size_t channel = 0; channel < samples.size() && !weight.empty(); ++channel) {
            Vector& x = past[channel];
            x.insert(x.begin(), samples[channel]);
            x.pop_back();
            samples[channel] = 0;
            for (std::size_t k = 0; k < x.size(); ++k) samples[channel] += double(weight[channel * x.size() + k]) * x[k];
        }
    }
    double bound(double y) const {
        const double peak = c_.output_peak, e = std::fabs(y) - 1.25 * peak;
        return peak == 0 || e <= 0 ? y : std::copysign(peak * (1.25 + 0.75 * e / (0.75 * peak + e)), y);
    }
    static std::size_t count(int n) { return static_cast<std::size_t>(n); }
    static double silu(double x) { return x / (1 + std::exp(-x)); }
    static double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

    static Vector product(Tensor weight, Tensor bias, const Vector& in) {
        Vector out(weight.size() / in.size());
        for (std::size_t r = 0; r < out.size(); ++r) {
            out[r] = bias.empty() ? 0.0 : bias[r];
            for (std::size_t i = 0; i < in.size(); ++i) out[r] += double(weight[r * in.size() + i]) * in[i];
        }
        return out;
    }

    static Vector norm(const Vector& e, Tensor weight) {
        double power = 0;
        for (double v : e) power += v * v / double(e.size());
        Vector out(e);
        for (std::size_t i = 0; i < e.size(); ++i) out[i] *= weight[i] / std::sqrt(power + 1e-5);
        return out;
    }

    Vector modulate(const Vector& u, const LayerWeights& w) const {
        Vector hidden = product(m_.weights.film_hidden_weight, m_.weights.film_hidden_bias, knobs_);
        for (double& v : hidden) v = std::tanh(v);
        const Vector film = product(w.film_weight, w.film_bias, hidden);
        Vector out(u);
        for (std::size_t i = 0; i < u.size(); ++i) out[i] = u[i] * (1 + film[i]) + film[u.size() + i];
        return out;
    }

    Vector block(int layer, const Vector& u) {
        const LayerWeights& w = m_.weights.layers[count(layer)];
        const std::size_t d = count(c_.d_inner()), n = count(c_.d_state), taps = count(c_.d_conv), rank = count(c_.dt_rank);
        const Vector xz = product(w.in_proj, w.in_proj_bias, u);
        const std::size_t apart = count(dilation(layer)), rows = (taps - 1) * apart;
        double* past = conv_.data() + first_row_[count(layer)];
        Vector x(d);
        for (std::size_t c = 0; c < d; ++c) {
            double sum = w.conv_bias[c] + double(w.conv_weight[c * taps + taps - 1]) * xz[c];
            for (std::size_t t = 0; t + 1 < taps; ++t) sum += double(w.conv_weight[c * taps + t]) * past[t * apart * d + c];
            x[c] = silu(sum);
        }
        if (rows > 0) {
            std::copy(past + d, past + rows * d, past);
            std::copy_n(xz.begin(), d, past + (rows - 1) * d);
        }
        const Vector p = product(w.x_proj, w.x_proj_bias, x);
        const Vector dt = product(w.dt_proj, w.dt_proj_bias, Vector(p.begin(), p.begin() + std::ptrdiff_t(rank)));
        Vector y(d);
        for (std::size_t c = 0; c < d; ++c) {
            const double step = softplus(dt[c]);
            y[c] = double(w.D[c]) * x[c];
            double* h = &h_[(count(layer) * d + c) * n];
            if (rotates(layer)) {
                for (std::size_t m = 0; m < n / 2; ++m) {
                    const double a = std::exp(-step * std::exp(double(w.A_log[c_.a == DecayShape::tied ? c : c * n / 2 + m])));
                    const double gain = std::sqrt(1 - a * a) * x[c];
                    const std::complex<double> next = std::polar(a, double(w.A_imag[c * n / 2 + m])) * std::complex(h[m], h[n / 2 + m]) +
                                                      gain * std::complex(p[rank + m], p[rank + n / 2 + m]);
                    h[m] = next.real(), h[n / 2 + m] = next.imag();
                }
            } else {
                for (std::size_t s = 0; s < n; ++s) {
                    const double a = -std::exp(double(w.A_log[c_.a == DecayShape::tied ? c : c * n + s]));
                    const double q = std::expm1(step * a), bx = p[rank + s] * x[c];
                    h[s] += c_.b_bar == BBar::ema ? -q * (bx - h[s]) : q * h[s] + step * bx;
                }
            }
            for (std::size_t s = 0; s < n; ++s) y[c] += p[rank + n + s] * h[s];
            y[c] *= silu(xz[d + c]);
        }
        return product(w.out_proj, w.out_proj_bias, y);
    }

    const Model& m_;
    const ModelConfig& c_;
    Vector conv_, h_, knobs_;
    std::vector<std::size_t> first_row_;  // of every layer in conv_
    std::vector<Vector> heard_, played_;
};

} // namespace serpent::test
