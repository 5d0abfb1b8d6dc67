// SPDX-License-Identifier: MIT
// A whole model by a team: the layers' forward and backward passes as chains of the operators of rows.h and chunk_scan.h. Any
// width. One segment at a time; its activations are rows of a workspace of which only e and the chunks' start states outlive
// a layer: d_model + d_inner d_state / chunk floats per sample and layer. The backward pass computes the rest again.
#pragma once

#include "device/chunk_scan.h"
#include "serpent/kernels/device_model.h"

namespace serpent::kernels::device {

struct Shape : DeviceShape {
    SERPENT_HD int x_proj_rows() const { return dt_rank + 2 * d_state; }
    SERPENT_HD int decays() const { return tied ? d_inner : d_inner * d_state; }
    SERPENT_HD int history_floats() const { return (d_conv - 1) * d_inner; }
    SERPENT_HD int state_floats() const { return d_inner * d_state; }
};

inline constexpr int film_hidden = 16;

/// Flat parameters, or gradients of the same layout.
template <class P>
struct Parameters {
    P* base;
    const BlockFields<int>* layers;
    EndFields<int> model;

    SERPENT_HD P* at(int place) const { return place < 0 ? nullptr : base + place; }
};

/// Rows of one layer's activations, used again by the next layer.
struct LayerRows {
    Rows u, x_in, z, x_conv, x, dbc, dt, y, gated;
    float* r;                          ///< 1 / rms
    Rows dgated, dy, dz, dx, ddt, ddbc, dx_in, du, dB_terms, dC_terms;   ///< backward only
    float *adjoint, *dA_terms, *dt_sum;
    float *partial, *partial2, *partial3;  ///< for sums over time
    float* scratch;                    ///< for joining chunks: 2 columns segments floats
};

struct FilmRows {
    const float* scale;  ///< (d_model) of this layer; null without controls
    const float* shift;
};

/// Carries join over so many segments; the answer depends on it by roundings only.
SERPENT_HD inline int carry_segments(Index chunks) { return chunks < 16 ? 1 : 8; }

template <int kChunk, class Team>
class LayerPass {
public:
    SERPENT_HD LayerPass(const Team& team, const Shape& shape, const Parameters<const float>& weights, const float* rates, int layer,
                         const FilmRows& film, Index steps, const LayerRows& rows)
        : team_(team), s_(shape), p_(weights), w_(weights.layers[layer]), rates_(rates + layer * shape.decays()), film_(film),
          steps_(steps), r_(rows) {}

    /// u to dt, from e and the convolution's history. Ends with sync().
    SERPENT_HD void inputs(ConstRows e, const float* history) const {
        rms_norm(team_, s_.d_model, steps_, p_.at(w_.norm), film_.scale, film_.shift, e, r_.u, r_.r);
        team_.sync();
        const float* bias = p_.at(w_.in_proj_bias);
        linear<false>(team_, linear_map(p_.at(w_.in_proj), bias, s_.d_model, s_.d_inner), steps_, r_.u, r_.x_in);
        linear<false>(team_, linear_map(p_.at(w_.in_proj) + s_.d_inner * s_.d_model, bias ? bias + s_.d_inner : nullptr, s_.d_model, s_.d_inner),
                      steps_, r_.u, r_.z);
        team_.sync();
        conv_silu(team_, s_.d_inner, s_.d_conv, steps_, p_.at(w_.conv_weight), p_.at(w_.conv_bias), r_.x_in, history, r_.x_conv, r_.x);
        team_.sync();
        linear<false>(team_, linear_map(p_.at(w_.x_proj), p_.at(w_.x_proj_bias), s_.d_inner, s_.x_proj_rows()), steps_, r_.x, r_.dbc);
        team_.sync();
        const float* dt_proj = p_.at(w_.dt_proj);
        const float* dt_bias = p_.at(w_.dt_proj_bias);
        each_sample(team_, s_.d_inner, steps_, [&](int c, Index t) {
            float sum = dt_bias[c];
            for (int i = 0; i < s_.dt_rank; ++i) sum = fused(dt_proj[c * s_.dt_rank + i], r_.dbc(i, t), sum);
            r_.dt(c, t) = softplus(sum);
        });
        team_.sync();
    }

    SERPENT_HD ScanJob scan_job() const {
        return {s_.d_inner, s_.d_state, s_.tied, s_.ema, steps_, rates_, p_.at(w_.D),
                r_.x, r_.dt, r_.dbc.from(s_.dt_rank), r_.dbc.from(s_.dt_rank + s_.d_state)};
    }

    /// Phases 1 and 2: states become every chunk's start state; end: the state behind the last sample. Ends with sync().
    SERPENT_HD void scan_starts(float* states, const float* start, float* end) const {
        scan_ends<kChunk>(team_, scan_job(), states, r_.dt_sum);
        team_.sync();
        join(states, start, end, false);
    }

    /// Phase 3, gate and out_proj: out = e + block. Ends with sync(). e may be out.
    SERPENT_HD void outputs(const float* states, ConstRows e, Rows out) const {
        gate(states);
        linear<false>(team_, linear_map(p_.at(w_.out_proj), p_.at(w_.out_proj_bias), s_.d_inner, s_.d_model), steps_, r_.gated, r_.u);
        team_.sync();
        each_sample(team_, s_.d_model, steps_, [&](int c, Index t) { out(c, t) = e(c, t) + r_.u(c, t); });
        team_.sync();
    }

    /// From the gradient de of the layer's output to that of its input, in place; the weights' gradients are written to g.
    /// dscale, dshift: gradients of FiLM's coefficients, or null. Ends with sync().
    SERPENT_HD void backward(ConstRows e, const float* history, const float* states, Rows de, const Parameters<float>& g,
                             float* dscale, float* dshift) const {
        inputs(e, history);
        gate(states);
        linear<false>(team_, transposed_map(p_.at(w_.out_proj), s_.d_inner, s_.d_model), steps_, de, r_.dgated);
        linear_gradient_parts(team_, s_.d_inner, s_.d_model, steps_, de, r_.gated, r_.partial);
        team_.sync();
        linear_gradient_sums(team_, s_.d_inner, s_.d_model, r_.partial, g.at(w_.out_proj), g.at(w_.out_proj_bias));
        each_sample(team_, s_.d_inner, steps_, [&](int c, Index t) {
            r_.dy(c, t) = r_.dgated(c, t) * silu(r_.z(c, t));
            r_.dz(c, t) = r_.dgated(c, t) * r_.y(c, t) * silu_slope(r_.z(c, t));
        });
        team_.sync();
        backward_scan(states, g);
        backward_x_proj(g);
        backward_conv(history, g);
        backward_in_proj(e, de, g, dscale, dshift);
    }

private:
    SERPENT_HD void join(float* states, const float* start, float* end, bool reverse) const {
        const Index chunks = chunk_count(steps_, kChunk);
        const CarryJob job{states, r_.dt_sum, rates_, start, end, chunks, s_.d_inner, s_.d_state, s_.tied, reverse};
        join_chunk_states(team_, job, 0, s_.state_floats(), carry_segments(chunks), r_.scratch);
        team_.sync();
    }

    SERPENT_HD void gate(const float* states) const {
        scan_outputs<kChunk>(team_, scan_job(), states, r_.y);
        team_.sync();
        each_sample(team_, s_.d_inner, steps_, [&](int c, Index t) { r_.gated(c, t) = r_.y(c, t) * silu(r_.z(c, t)); });
        team_.sync();
    }

    SERPENT_HD void backward_scan(const float* states, const Parameters<float>& g) const {
        const ScanJob job = scan_job();
        const Index chunks = chunk_count(steps_, kChunk);
        adjoint_starts<kChunk>(team_, job, r_.dy, r_.adjoint);
        each_item(team_, chunks * s_.d_inner, [&](Index item) {  // the forward pass's sums have been overwritten by later layers
            float dt[kChunk], total = 0.0f;
            load_chunk<kChunk>(job.dt, static_cast<int>(item % s_.d_inner), item / s_.d_inner * kChunk, steps_, dt);
            for (int i = 0; i < kChunk; ++i) total += dt[i];
            r_.dt_sum[item] = total;
        });
        sum_in_parts(team_, s_.d_inner, steps_, r_.partial, [&](Index c, Index t) { return r_.dy(c, t) * r_.x(c, t); });
        team_.sync();
        float* dD = g.at(w_.D);
        each_item(team_, s_.d_inner, [&](Index c) { dD[c] = sum_of_parts(r_.partial, c); });
        join(r_.adjoint, nullptr, nullptr, true);
        const ScanBackward out{states, r_.adjoint, r_.dy, r_.dx, r_.ddt, r_.dB_terms, r_.dC_terms, r_.dA_terms};
        scan_backward<kChunk>(team_, job, out);
        team_.sync();
        sum_scan_gradients(team_, job, out, chunks, r_.ddbc.from(s_.dt_rank), r_.ddbc.from(s_.dt_rank + s_.d_state), g.at(w_.A_log));
        each_sample(team_, s_.d_inner, steps_, [&](int c, Index t) { r_.ddt(c, t) *= softplus_slope(r_.dt(c, t)); });
        team_.sync();
    }

    SERPENT_HD void backward_x_proj(const Parameters<float>& g) const {
        linear<false>(team_, transposed_map(p_.at(w_.dt_proj), s_.dt_rank, s_.d_inner), steps_, r_.ddt, r_.ddbc);
        linear_gradient_parts(team_, s_.dt_rank, s_.d_inner, steps_, r_.ddt, r_.dbc, r_.partial);
        team_.sync();
        linear_gradient_sums(team_, s_.dt_rank, s_.d_inner, r_.partial, g.at(w_.dt_proj), g.at(w_.dt_proj_bias));
        linear<true>(team_, transposed_map(p_.at(w_.x_proj), s_.d_inner, s_.x_proj_rows()), steps_, r_.ddbc, r_.dx);
        linear_gradient_parts(team_, s_.d_inner, s_.x_proj_rows(), steps_, r_.ddbc, r_.x, r_.partial2);
        team_.sync();
        linear_gradient_sums(team_, s_.d_inner, s_.x_proj_rows(), r_.partial2, g.at(w_.x_proj), g.at(w_.x_proj_bias));
        each_sample(team_, s_.d_inner, steps_, [&](int c, Index t) { r_.dx(c, t) *= silu_slope(r_.x_conv(c, t)); });
        team_.sync();
    }

    SERPENT_HD void backward_conv(const float* history, const Parameters<float>& g) const {
        const int taps = s_.d_conv;
        conv_backward(team_, s_.d_inner, taps, steps_, p_.at(w_.conv_weight), r_.dx, r_.dx_in);
        sum_in_parts(team_, Index{s_.d_inner} * (taps + 1), steps_, r_.partial3, [&](Index item, Index t) {
            const int c = static_cast<int>(item / (taps + 1)), k = static_cast<int>(item % (taps + 1));
            return k == taps ? r_.dx(c, t)
                             : r_.dx(c, t) * with_history(r_.x_in, history, taps - 1, s_.d_inner, c, t - (taps - 1) + k);
        });
        team_.sync();
        float* dw = g.at(w_.conv_weight);
        float* db = g.at(w_.conv_bias);
        each_item(team_, Index{s_.d_inner} * (taps + 1), [&](Index item) {
            const Index c = item / (taps + 1), k = item % (taps + 1);
            (k == taps ? db[c] : dw[c * taps + k]) = sum_of_parts(r_.partial3, item);
        });
    }

    SERPENT_HD void backward_in_proj(ConstRows e, Rows de, const Parameters<float>& g, float* dscale, float* dshift) const {
        const int dm = s_.d_model, d = s_.d_inner;
        float* dw = g.at(w_.in_proj);
        float* db = g.at(w_.in_proj_bias);
        linear_gradient_parts(team_, dm, d, steps_, r_.dx_in, r_.u, r_.partial);
        linear_gradient_parts(team_, dm, d, steps_, r_.dz, r_.u, r_.partial2);
        linear<false>(team_, transposed_map(p_.at(w_.in_proj), dm, d), steps_, r_.dx_in, r_.du);
        team_.sync();
        linear_gradient_sums(team_, dm, d, r_.partial, dw, db);
        linear_gradient_sums(team_, dm, d, r_.partial2, dw + d * dm, db ? db + d : nullptr);
        linear<true>(team_, transposed_map(p_.at(w_.in_proj) + d * dm, dm, d), steps_, r_.dz, r_.du);
        team_.sync();
        rms_norm_backward(team_, dm, steps_, p_.at(w_.norm), film_.scale, e, r_.r, r_.du, de);
        norm_gradient(e, p_.at(w_.norm), film_.scale, g.at(w_.norm), dscale, dshift);
    }

    SERPENT_HD void norm_gradient(ConstRows e, const float* w, const float* scale, float* dw, float* dscale, float* dshift) const {
        const int dm = s_.d_model;
        sum_in_parts(team_, Index{dm} * 2, steps_, r_.partial3, [&](Index item, Index t) {
            const Index c = item / 2;
            return item % 2 ? r_.du(c, t) : r_.du(c, t) * e(c, t) * r_.r[t];
        });
        team_.sync();
        each_item(team_, dm, [&](Index c) {
            const float by_normed = sum_of_parts(r_.partial3, 2 * c);
            dw[c] = by_normed * (scale ? scale[c] : 1.0f);
            if (dscale) dscale[c] = by_normed * w[c];
            if (dshift) dshift[c] = sum_of_parts(r_.partial3, 2 * c + 1);
        });
        team_.sync();
    }

    const Team& team_;
    const Shape& s_;
    const Parameters<const float>& p_;
    const BlockFields<int> w_;
    const float* rates_;
    FilmRows film_;
    Index steps_;
    const LayerRows& r_;
};

} // namespace serpent::kernels::device
