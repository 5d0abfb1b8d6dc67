// SPDX-License-Identifier: MIT
// The state that silence leads to, by a team: layer by layer, one sample stands for all. In closed form, as core's SilenceSolver.
#pragma once

#include "gpu/workspace.h"

namespace serpent::kernels::gpu {

/// What every sequence shares.
struct SegmentModel {
    Shape shape;
    Parameters<const float> weights;
    Constants constants;     ///< layer_constants() of the weights
    const float* positions;  ///< of the controls in [-1, 1], [takes][n_controls]; null without controls
};

/// film: (n_layers, 2, d_model), scale and shift; null without controls.
SERPENT_HD inline FilmRows film_of_layer(const float* film, const Shape& s, int l) {
    const float* const scale = s.n_controls > 0 ? film + 2 * l * s.d_model : nullptr;
    return {scale, scale ? scale + s.d_model : nullptr};
}

template <class Team>
class SilencePass {
public:
    /// Writes the state. rows and e are memory to work in.
    SERPENT_HD SilencePass(const Team& team, const SegmentModel& model, const StatePointers<float>& state, const float* film,
                           const LayerRows& rows, Rows e)
        : team_(team), m_(model), s_(model.shape), p_(model.weights), state_(state), film_(film), r_(rows), e_(e) {}

    /// Ends with sync().
    SERPENT_HD void run() const {
        const Rows e = e_;
        each_item(team_, s_.d_model, [&](Index c) { e(c, 0) = p_.at(p_.model.encoder_bias)[c]; });
        each_item(team_, s_.fir_in_history(), [&](Index i) { state_.fir_in[i] = 0.0f; });
        team_.sync();
        for (int l = 0; l < s_.n_layers; ++l) silence_layer(l, e);
        if (s_.fir_out > 0) silence_output(e);
    }

private:
    SERPENT_HD void silence_layer(int l, Rows e) const {
        const Layer& layer = p_.layers[l];
        const BlockFields<int>& at = layer.at;
        const BlockShape& b = layer.block;
        const int d = b.d_inner, dm = b.d_model, taps = b.d_conv;
        const Rows both{r_.dB_terms.data, 1};  // 2 d_inner values, one after the other
        float* const past = state_.conv + layer.history;
        const FilmRows film = film_of_layer(film_, s_, l);
        rms_norm(team_, dm, 1, p_.at(at.norm), film.scale, film.shift, e, r_.u, r_.r);
        team_.sync();
        linear<false>(team_, linear_map(p_.at(at.in_proj), p_.at(at.in_proj_bias), dm, 2 * d), 1, r_.u, both);
        team_.sync();
        each_item(team_, d, [&](Index c) {
            const float x = both(c, 0);
            float sum = p_.at(at.conv_bias)[c];
            for (int k = 0; k < taps; ++k) sum = fused(p_.at(at.conv_weight)[c * taps + k], x, sum);
            r_.x(c, 0) = silu(sum);
        });
        each_item(team_, b.conv_floats(), [&](Index i) { past[i] = both(i % d, 0); });
        team_.sync();
        if (b.kind != BlockKind::time_invariant)
            linear<false>(team_, linear_map(p_.at(at.x_proj), p_.at(at.x_proj_bias), d, b.x_proj_rows()), 1, r_.x, r_.dbc);
        team_.sync();
        each_item(team_, d, [&](Index c) {
            float dt = 1.0f;
            if (b.kind != BlockKind::time_invariant) {
                float sum = p_.at(at.dt_proj_bias)[c];
                for (int i = 0; i < b.dt_rank; ++i) sum = fused(p_.at(at.dt_proj)[c * b.dt_rank + i], r_.dbc(i, 0), sum);
                dt = softplus(sum);
            }
            const float y = b.kind == BlockKind::selective ? rest(layer, static_cast<int>(c), dt) : rest_of_pairs(layer, static_cast<int>(c), dt);
            r_.gated(c, 0) = y * silu(both(d + c, 0));
        });
        team_.sync();
        linear<true>(team_, linear_map(p_.at(at.out_proj), p_.at(at.out_proj_bias), d, dm), 1, r_.gated, e);
        team_.sync();
    }

    /// Writes channel c's fixed points for a constant input; returns what is read from them.
    SERPENT_HD float rest(const Layer& layer, int c, float dt) const {
        const BlockShape& b = layer.block;
        const int N = b.d_state;
        const float* const rates = m_.constants.rates + layer.rates;
        float* const h = state_.h + layer.h;
        const float x = r_.x(c, 0);
        float y = p_.at(layer.at.D)[c] * x;
        for (int n = 0; n < N; ++n) {
            const float rate = rates[b.decays() == 1 ? c : c * N + n];
            const float q = decay(dt * rate), input = r_.dbc(b.dt_rank + n, 0) * x;
            const float fixed = b.ema ? input : q < 0.0f ? -dt * input / q : -input / (rate * 0.693147181f);
            h[c * N + n] = fixed;
            y = fused(r_.dbc(b.dt_rank + N + n, 0), fixed, y);
        }
        return y;
    }

    /// The same for complex states: h (1 - factor) = b B x.
    SERPENT_HD float rest_of_pairs(const Layer& layer, int c, float dt) const {
        const BlockShape& b = layer.block;
        const bool fixed = b.kind == BlockKind::time_invariant;
        const int pairs = b.pairs();
        const float* const rates = m_.constants.rates + layer.rates;
        const Turn* const turns = m_.constants.turns + layer.turns;
        const float* const own_C = p_.at(layer.at.C);
        float* const h = state_.h + layer.h + c * b.d_state;
        const float x = r_.x(c, 0);
        float y = p_.at(layer.at.D)[c] * x;
        for (int m = 0; m < pairs; ++m) {
            const int re = b.dt_rank + m, im = re + pairs;
            const Turn turn = turns[c * pairs + m];
            const float q = decay(dt * rates[b.decays() == 1 ? c : c * pairs + m]);
            const float change_re = q + turn.t + q * turn.t, change_im = turn.s + q * turn.s;  // factor - 1
            const float size = change_re * change_re + change_im * change_im;
            const float in = size > 0.0f ? -root(equations::input_power(q, b.step_ratio)) * x / size : 0.0f;
            const float in_re = fixed ? in : in * r_.dbc(re, 0), in_im = fixed ? 0.0f : in * r_.dbc(im, 0);
            const float h_re = in_re * change_re + in_im * change_im, h_im = in_im * change_re - in_re * change_im;
            h[fixed ? 2 * m : m] = h_re;
            h[fixed ? 2 * m + 1 : pairs + m] = h_im;
            y = fused(fixed ? own_C[(c * pairs + m) * 2] : r_.dbc(re + 2 * pairs, 0), h_re, y);
            y = fused(fixed ? own_C[(c * pairs + m) * 2 + 1] : r_.dbc(im + 2 * pairs, 0), h_im, y);
        }
        return y;
    }

    /// The filter at the output has heard the model's answer to silence for as long as it remembers.
    SERPENT_HD void silence_output(Rows e) const {
        const Rows answer{r_.dB_terms.data, 1};
        const float* const norm_f = p_.at(p_.model.norm_f);
        if (norm_f) rms_norm(team_, s_.d_model, 1, norm_f, nullptr, nullptr, e, r_.u, r_.r);
        team_.sync();
        linear<false>(team_, linear_map(p_.at(p_.model.decoder_weight), p_.at(p_.model.decoder_bias), s_.d_model, s_.channels), 1,
                      norm_f ? r_.u : e, answer);
        team_.sync();
        each_item(team_, s_.fir_out_history(), [&](Index i) { state_.fir_out[i] = answer(i / (s_.fir_out - 1), 0); });
        team_.sync();
    }

    const Team& team_;
    const SegmentModel& m_;
    const Shape& s_;
    const Parameters<const float>& p_;
    const StatePointers<float>& state_;
    const float* film_;
    const LayerRows& r_;
    Rows e_;
};

} // namespace serpent::kernels::gpu
