// SPDX-License-Identifier: GPL-3.0-or-later
// A whole generator, sample by sample in double, straight from the equations of docs/model_format.md and sharing no code
// with the library: what training's lanes and the step engine must both answer.
#pragma once

#include "serpent/generator_model.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <deque>

namespace serpent::test {

class PlainGenerator {
public:
    using Vector = std::vector<double>;

    explicit PlainGenerator(const GeneratorModel& model) : m_(model), conditions(model.config.conditions.size(), 0) {
        for (const GeneratorTier& tier : model.config.tiers) {
            Tier t;
            const ModelConfig& c = tier.stack;
            for (int l = 0; l < c.n_layers; ++l)
                t.conv.emplace_back(count((c.d_conv - 1) * dilation(c, count(l))), Vector(count(c.d_inner()), 0.0));
            t.h.assign(count(c.n_layers), Vector(count(c.d_inner() * c.d_state), 0.0));
            t.answers.assign(unpool_delay_steps, Vector(count(c.d_model), 0.0));
            tiers_.push_back(std::move(t));
        }
    }

    /// Logits of the next sample, after the one of class `previous`.
    Vector step(int previous) {
        const std::size_t d = count(config(0).d_model);
        Vector e(d);
        for (std::size_t i = 0; i < d; ++i) e[i] = m_.weights.embedding[count(previous) * d + i];
        const Vector out = tier_step(0, std::move(e));
        return product(m_.weights.decoder_weight, m_.weights.decoder_bias, out);
    }

private:
    struct Tier {
        std::vector<std::deque<Vector>> conv;  // [layer]: inputs of the convolution, oldest first
        std::vector<Vector> h;
        Vector gathered;                       // inputs of the tier outside, since the last step
        std::deque<Vector> answers;            // normed outputs not yet given out, oldest first
        Vector given;                          // unpooled rows being handed out
        std::size_t row = 0;
    };

    static std::size_t count(int n) { return static_cast<std::size_t>(n); }
    static int dilation(const ModelConfig& c, std::size_t l) { return c.dilations[l % c.dilations.size()]; }
    static double silu(double x) { return x / (1 + std::exp(-x)); }
    static double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
    const ModelConfig& config(std::size_t k) const { return m_.config.tiers[k].stack; }

    static Vector product(Tensor weight, Tensor bias, const Vector& in) {
        Vector out(weight.size() / in.size());
        for (std::size_t r = 0; r < out.size(); ++r) {
            out[r] = bias.empty() ? 0.0 : double(bias[r]);
            for (std::size_t i = 0; i < in.size(); ++i) out[r] += double(weight[r * in.size() + i]) * in[i];
        }
        return out;
    }
    static Vector norm(const Vector& e, Tensor weight) {
        double mean = 0;
        for (const double v : e) mean += v * v / double(e.size());
        Vector out(e.size());
        for (std::size_t i = 0; i < e.size(); ++i) out[i] = double(weight[i]) * e[i] / std::sqrt(mean + 1e-5);
        return out;
    }

    /// One step of tier k, whose own input is e; hands e to the tier inside, and takes that tier's part for this step.
    Vector tier_step(std::size_t k, Vector e) {
        const TierWeights& w = m_.weights.tiers[k];
        for (std::size_t j = 0; j < conditions.size(); ++j)
            for (std::size_t i = 0; i < e.size(); ++i) e[i] += w.conditions[j][count(conditions[j]) * e.size() + i];
        if (k + 1 < tiers_.size()) {
            Tier& inner = tiers_[k + 1];
            const TierWeights& v = m_.weights.tiers[k + 1];
            const std::size_t pool = count(m_.config.tiers[k + 1].pool);
            if (inner.row == 0) inner.given = product(v.unpool_weight, v.unpool_bias, inner.answers.front());
            inner.gathered.insert(inner.gathered.end(), e.begin(), e.end());
            for (std::size_t i = 0; i < e.size(); ++i) e[i] += inner.given[inner.row * e.size() + i];
            inner.row = (inner.row + 1) % pool;
            if (inner.row == 0) {
                Vector pooled = product(v.pool_weight, v.pool_bias, inner.gathered);
                inner.gathered.clear();
                inner.answers.push_back(tier_step(k + 1, std::move(pooled)));
                inner.answers.pop_front();
            }
        }
        for (std::size_t l = 0; l < w.stack.layers.size(); ++l) {
            const Vector out = layer(k, l, norm(e, w.stack.layers[l].norm));
            for (std::size_t i = 0; i < e.size(); ++i) e[i] += out[i];
        }
        return norm(e, w.stack.norm_f);
    }

    Vector layer(std::size_t k, std::size_t l, const Vector& u) {
        const ModelConfig& c = config(k);
        const LayerWeights& w = m_.weights.tiers[k].stack.layers[l];
        const std::size_t d = count(c.d_inner()), taps = count(c.d_conv);
        const Vector xz = product(w.in_proj, w.in_proj_bias, u);
        std::deque<Vector>& history = tiers_[k].conv[l];
        history.push_back(Vector(xz.begin(), xz.begin() + static_cast<std::ptrdiff_t>(d)));
        Vector x(d);
        for (std::size_t i = 0; i < d; ++i) {
            double sum = w.conv_bias[i];
            for (std::size_t tap = 0; tap < taps; ++tap)
                sum += double(w.conv_weight[i * taps + tap]) * history[tap * count(dilation(c, l))][i];
            x[i] = silu(sum);
        }
        history.pop_front();
        const BlockKind kind = c.blocks[l % c.blocks.size()];
        Vector& h = tiers_[k].h[l];
        Vector y = kind == BlockKind::selective ? selective(c, w, x, h) : kind == BlockKind::rotating ? rotating(c, w, x, h) : oscillators(c, w, x, h);
        for (std::size_t i = 0; i < d; ++i) y[i] *= silu(xz[d + i]);
        return product(w.out_proj, w.out_proj_bias, y);
    }

    static Vector selective(const ModelConfig& c, const LayerWeights& w, const Vector& x, Vector& h) {
        const std::size_t rank = count(c.dt_rank), n = count(c.d_state);
        const Vector dbc = product(w.x_proj, w.x_proj_bias, x);
        const Vector dt = product(w.dt_proj, w.dt_proj_bias, Vector(dbc.begin(), dbc.begin() + static_cast<std::ptrdiff_t>(rank)));
        Vector y(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
            y[i] = double(w.D[i]) * x[i];
            for (std::size_t s = 0; s < n; ++s) {
                const double a = -std::exp(double(w.A_log[c.a == DecayShape::tied ? i : i * n + s])), step = softplus(dt[i]);
                const double q = std::expm1(step * a), b = dbc[rank + s];
                double& state = h[i * n + s];
                state += c.b_bar == BBar::ema ? q * (state - b * x[i]) : q * state + step * b * x[i];
                y[i] += dbc[rank + n + s] * state;
            }
        }
        return y;
    }

    static Vector rotating(const ModelConfig& c, const LayerWeights& w, const Vector& x, Vector& h) {
        const std::size_t rank = count(c.dt_rank), pairs = count(c.d_state / 2);
        const Vector dbc = product(w.x_proj, w.x_proj_bias, x);
        const Vector dt = product(w.dt_proj, w.dt_proj_bias, Vector(dbc.begin(), dbc.begin() + static_cast<std::ptrdiff_t>(rank)));
        Vector y(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
            y[i] = double(w.D[i]) * x[i];
            for (std::size_t m = 0; m < pairs; ++m) {
                const std::size_t p = i * pairs + m;
                const double rate = softplus(dt[i]) * std::exp(double(w.A_log[c.a == DecayShape::tied ? i : p]));
                const std::complex<double> B(dbc[rank + m], dbc[rank + pairs + m]);
                std::complex<double> state(h[2 * p], h[2 * p + 1]);
                state = std::exp(std::complex<double>(-rate, double(w.A_imag[p]))) * state + std::sqrt(-std::expm1(-2 * rate)) * B * x[i];
                h[2 * p] = state.real(), h[2 * p + 1] = state.imag();
                y[i] += dbc[rank + 2 * pairs + m] * state.real() + dbc[rank + 3 * pairs + m] * state.imag();
            }
        }
        return y;
    }

    static Vector oscillators(const ModelConfig& c, const LayerWeights& w, const Vector& x, Vector& h) {
        const std::size_t pairs = count(c.d_state / 2);
        Vector y(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
            y[i] = double(w.D[i]) * x[i];
            for (std::size_t m = 0; m < pairs; ++m) {
                const std::size_t p = i * pairs + m;
                const double r = std::exp(double(w.A_log[p]));
                std::complex<double> state(h[2 * p], h[2 * p + 1]);
                state = std::exp(std::complex<double>(-r, double(w.A_imag[p]))) * state + std::sqrt(-std::expm1(-2 * r)) * x[i];
                h[2 * p] = state.real(), h[2 * p + 1] = state.imag();
                y[i] += double(w.C[2 * p]) * state.real() + double(w.C[2 * p + 1]) * state.imag();
            }
        }
        return y;
    }

    const GeneratorModel& m_;
    std::vector<Tier> tiers_;

public:
    std::vector<int> conditions;  ///< 0: not said
};

} // namespace serpent::test
