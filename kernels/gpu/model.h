// SPDX-License-Identifier: MIT
// A whole model by a team: the layers' forward and backward passes as chains of the operators of rows.h and chunk_scan.h. Any
// width. One segment at a time; its activations are rows of a workspace of which only e and the chunks' start states outlive
// a layer: d_model + d_inner d_state / chunk floats per sample and layer. The backward pass computes the rest again.
#pragma once

#include "gpu/layers.h"
#include "gpu/rotating_chunks.h"

namespace serpent::kernels::gpu {

inline constexpr int film_hidden = 16;

/// Flat parameters, or gradients of the same layout.
template <class P>
struct Parameters {
    P* base;
    const Layer* layers;
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

/// Carries join over so many segments, of 8 chunks while there are few: those are read at once. The answer depends on it by roundings
/// only, and not on the team.
SERPENT_HD inline int carry_segments(Index chunks) { return chunks < 16 ? 1 : chunks < 512 ? static_cast<int>((chunks + 7) / 8) : 64; }

template <int kChunk, class Team>
class LayerPass {
public:
    /// before: samples of x_in that lie in front of the rows' first; of what is still earlier there is the convolution's history.
    SERPENT_HD LayerPass(const Team& team, const Parameters<const float>& weights, const Constants& constants, int layer,
                         const FilmRows& film, Index steps, const LayerRows& rows, Index before = 0)
        : team_(team), p_(weights), layer_(weights.layers[layer]), b_(layer_.block), w_(layer_.at), rates_(constants.rates + layer_.rates),
          turns_(constants.turns + layer_.turns), chunk_turns_(constants.chunk_turns + layer_.turns), film_(film), steps_(steps), before_(before), r_(rows) {}

    /// u to dt, from e and the convolution's history. Ends with sync().
    SERPENT_HD void inputs(ConstRows e, const float* history) const {
        norm(e);
        in_proj_x();
        in_proj_z();
        team_.sync();
        selection(history);
    }

    /// u from e. Ends with sync().
    SERPENT_HD void norm(ConstRows e) const {
        rms_norm(team_, b_.d_model, steps_, p_.at(w_.norm), film_.scale, film_.shift, e, r_.u, r_.r);
        team_.sync();
    }
    /// x_in, or z, from u. Without sync().
    SERPENT_HD void in_proj_x() const { in_proj(0, r_.x_in); }
    SERPENT_HD void in_proj_z() const { in_proj(b_.d_inner, r_.z); }

    SERPENT_HD ConvInput conv_input(const float* history) const { return {r_.x_in, history, b_.d_inner, b_.d_conv, b_.dilation, before_}; }

    /// x_conv to dt, from x_in and the convolution's history. Ends with sync().
    SERPENT_HD void selection(const float* history) const {
        conv_silu(team_, steps_, p_.at(w_.conv_weight), p_.at(w_.conv_bias), conv_input(history), r_.x_conv, r_.x);
        team_.sync();
        if (b_.kind == BlockKind::time_invariant) return;
        linear<false>(team_, linear_map(p_.at(w_.x_proj), p_.at(w_.x_proj_bias), b_.d_inner, b_.x_proj_rows()), steps_, r_.x, r_.dbc);
        team_.sync();
        const float* dt_proj = p_.at(w_.dt_proj);
        const float* dt_bias = p_.at(w_.dt_proj_bias);
        each_sample(team_, b_.d_inner, steps_, [&](int c, Index t) {
            float sum = dt_bias[c];
            for (int i = 0; i < b_.dt_rank; ++i) sum = fused(dt_proj[c * b_.dt_rank + i], r_.dbc(i, t), sum);
            r_.dt(c, t) = softplus(sum);
        });
        team_.sync();
    }

    SERPENT_HD ScanJob scan_job() const {
        return {b_, steps_, rates_, p_.at(w_.D), r_.x, r_.dt, r_.dbc.from(b_.dt_rank), r_.dbc.from(b_.dt_rank + b_.d_state), turns_,
                b_.kind == BlockKind::time_invariant ? p_.at(w_.C) : nullptr};
    }

    /// Phases 1 and 2: states become every chunk's start state; end: the state behind the last sample. Ends with sync().
    SERPENT_HD void scan_starts(float* states, const float* start, float* end) const {
        if (b_.kind == BlockKind::selective) scan_ends<kChunk>(team_, scan_job(), states, r_.dt_sum);
        else rotating_ends<kChunk>(team_, scan_job(), states, r_.dt_sum);
        team_.sync();
        join(states, start, end, false);
    }

    /// Phase 3, gate and out_proj: out = e + block. Ends with sync(). e may be out.
    SERPENT_HD void outputs(const float* states, ConstRows e, Rows out) const {
        gate(states);
        linear<false>(team_, linear_map(p_.at(w_.out_proj), p_.at(w_.out_proj_bias), b_.d_inner, b_.d_model), steps_, r_.gated, r_.u);
        team_.sync();
        each_sample(team_, b_.d_model, steps_, [&](int c, Index t) { out(c, t) = e(c, t) + r_.u(c, t); });
        team_.sync();
    }

    /// From the gradient de of the layer's output to that of its input, in place; the weights' gradients are written to g.
    /// dscale, dshift: gradients of FiLM's coefficients, or null. Ends with sync().
    SERPENT_HD void backward(ConstRows e, const float* history, const float* states, Rows de, const Parameters<float>& g,
                             float* dscale, float* dshift) const {
        inputs(e, history);
        gate(states);
        linear<false>(team_, transposed_map(p_.at(w_.out_proj), b_.d_inner, b_.d_model), steps_, de, r_.dgated);
        linear_gradient_parts(team_, b_.d_inner, b_.d_model, steps_, de, r_.gated, r_.partial);
        team_.sync();
        linear_gradient_sums(team_, b_.d_inner, b_.d_model, r_.partial, g.at(w_.out_proj), g.at(w_.out_proj_bias));
        each_sample(team_, b_.d_inner, steps_, [&](int c, Index t) {
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
    SERPENT_HD void in_proj(int first, Rows to) const {
        const float* bias = p_.at(w_.in_proj_bias);
        linear<false>(team_, linear_map(p_.at(w_.in_proj) + first * b_.d_model, bias ? bias + first : nullptr, b_.d_model, b_.d_inner), steps_,
                      r_.u, to);
    }

    SERPENT_HD void join(float* states, const float* start, float* end, bool reverse) const {
        const Index chunks = chunk_count(steps_, kChunk);
        const bool complex = b_.kind != BlockKind::selective;
        const CarryJob job{states, r_.dt_sum, rates_, start, end, chunks, b_.d_inner, b_.d_state, b_.decays() == 1, reverse,
                           complex ? p_.at(w_.A_imag) : nullptr, chunk_turns_, b_.kind == BlockKind::time_invariant, kChunk, steps_};
        if (complex) join_chunk_states<ComplexCarry>(team_, job, 0, ComplexCarry::count(job), carry_segments(chunks), r_.scratch);
        else join_chunk_states<RealCarry>(team_, job, 0, RealCarry::count(job), carry_segments(chunks), r_.scratch);
        team_.sync();
    }

    SERPENT_HD void gate(const float* states) const {
        if (b_.kind == BlockKind::selective) scan_outputs<kChunk>(team_, scan_job(), states, r_.y);
        else rotating_outputs<kChunk>(team_, scan_job(), states, r_.y);
        team_.sync();
        each_sample(team_, b_.d_inner, steps_, [&](int c, Index t) { r_.gated(c, t) = r_.y(c, t) * silu(r_.z(c, t)); });
        team_.sync();
    }

    /// The forward pass's sums of dt have been overwritten by later layers.
    SERPENT_HD void sum_dt(const ScanJob& job, Index chunks) const {
        each_item(team_, chunks * b_.d_inner, [&](Index item) {
            if (job.time_invariant()) {
                const Index left = steps_ - item / b_.d_inner * kChunk;
                r_.dt_sum[item] = static_cast<float>(left < kChunk ? left : kChunk);
                return;
            }
            float dt[kChunk], total = 0.0f;
            load_chunk<kChunk>(job.dt, static_cast<int>(item % b_.d_inner), item / b_.d_inner * kChunk, steps_, dt);
            for (int i = 0; i < kChunk; ++i) total += dt[i];
            r_.dt_sum[item] = total;
        });
    }

    SERPENT_HD void backward_scan(const float* states, const Parameters<float>& g) const {
        const ScanJob job = scan_job();
        const Index chunks = chunk_count(steps_, kChunk);
        const bool selective = b_.kind == BlockKind::selective;
        if (selective) adjoint_starts<kChunk>(team_, job, r_.dy, r_.adjoint);
        else rotating_adjoint_starts<kChunk>(team_, job, r_.dy, r_.adjoint);
        sum_dt(job, chunks);
        sum_in_parts(team_, b_.d_inner, steps_, r_.partial, [&](Index c, Index t) { return r_.dy(c, t) * r_.x(c, t); });
        team_.sync();
        float* dD = g.at(w_.D);
        each_item(team_, b_.d_inner, [&](Index c) { dD[c] = sum_of_parts(r_.partial, c); });
        join(r_.adjoint, nullptr, nullptr, true);
        const ScanBackward out{states, r_.adjoint, r_.dy, r_.dx, r_.ddt, r_.dB_terms, r_.dC_terms, r_.dA_terms};
        if (selective) scan_backward<kChunk>(team_, job, out);
        else rotating_backward<kChunk>(team_, job, out);
        team_.sync();
        scan_gradient_parts(team_, job, out, chunks, r_.ddbc.from(b_.dt_rank), r_.ddbc.from(b_.dt_rank + b_.d_state), r_.partial);
        if (job.time_invariant())
            sum_in_parts(team_, job.columns(), steps_, r_.partial2, [&](Index column, Index t) { return r_.dC_terms(column, t); });
        else
            each_sample(team_, b_.d_inner, steps_, [&](int c, Index t) { r_.ddt(c, t) *= softplus_slope(r_.dt(c, t)); });
        team_.sync();
        scan_gradient_sums(team_, job, r_.partial, g.at(w_.A_log), g.at(w_.A_imag));
        if (float* dC = g.at(w_.C))
            each_item(team_, job.columns(), [&](Index column) { dC[column] = sum_of_parts(r_.partial2, column); });
        team_.sync();
    }

    SERPENT_HD void backward_x_proj(const Parameters<float>& g) const {
        if (b_.kind != BlockKind::time_invariant) backward_selection(g);
        each_sample(team_, b_.d_inner, steps_, [&](int c, Index t) { r_.dx(c, t) *= silu_slope(r_.x_conv(c, t)); });
        team_.sync();
    }

    SERPENT_HD void backward_selection(const Parameters<float>& g) const {
        linear<false>(team_, transposed_map(p_.at(w_.dt_proj), b_.dt_rank, b_.d_inner), steps_, r_.ddt, r_.ddbc);
        linear_gradient_parts(team_, b_.dt_rank, b_.d_inner, steps_, r_.ddt, r_.dbc, r_.partial);
        team_.sync();
        linear_gradient_sums(team_, b_.dt_rank, b_.d_inner, r_.partial, g.at(w_.dt_proj), g.at(w_.dt_proj_bias));
        linear<true>(team_, transposed_map(p_.at(w_.x_proj), b_.d_inner, b_.x_proj_rows()), steps_, r_.ddbc, r_.dx);
        linear_gradient_parts(team_, b_.d_inner, b_.x_proj_rows(), steps_, r_.ddbc, r_.x, r_.partial2);
        team_.sync();
        linear_gradient_sums(team_, b_.d_inner, b_.x_proj_rows(), r_.partial2, g.at(w_.x_proj), g.at(w_.x_proj_bias));
        team_.sync();
    }

    SERPENT_HD void backward_conv(const float* history, const Parameters<float>& g) const {
        const int taps = b_.d_conv;
        const ConvInput x = conv_input(history);
        conv_backward(team_, b_.d_inner, taps, b_.dilation, steps_, p_.at(w_.conv_weight), r_.dx, r_.dx_in);
        sum_in_parts(team_, Index{b_.d_inner} * (taps + 1), steps_, r_.partial3, [&](Index item, Index t) {
            const int c = static_cast<int>(item / (taps + 1)), k = static_cast<int>(item % (taps + 1));
            return k == taps ? r_.dx(c, t) : r_.dx(c, t) * x.tap(c, t, k);
        });
        team_.sync();
        float* dw = g.at(w_.conv_weight);
        float* db = g.at(w_.conv_bias);
        each_item(team_, Index{b_.d_inner} * (taps + 1), [&](Index item) {
            const Index c = item / (taps + 1), k = item % (taps + 1);
            (k == taps ? db[c] : dw[c * taps + k]) = sum_of_parts(r_.partial3, item);
        });
    }

    SERPENT_HD void backward_in_proj(ConstRows e, Rows de, const Parameters<float>& g, float* dscale, float* dshift) const {
        const int dm = b_.d_model, d = b_.d_inner;
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
        const int dm = b_.d_model;
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
    const Parameters<const float>& p_;
    const Layer& layer_;
    const BlockShape b_;
    const BlockFields<int> w_;
    const float* rates_;
    const Turn *turns_, *chunk_turns_;
    FilmRows film_;
    Index steps_, before_;
    const LayerRows& r_;
};

} // namespace serpent::kernels::gpu
