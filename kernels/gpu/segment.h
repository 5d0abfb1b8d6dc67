// SPDX-License-Identifier: MIT
// One sequence's segment in training: forward from the sequence's state, squared error, backward. The equations are those of core's
// CPU trainer (SegmentGradient), which the tests compare it with.
#pragma once

#include "gpu/fir.h"
#include "gpu/silence.h"

#include <cmath>

namespace serpent::kernels::gpu {

inline constexpr int segment_chunk = 8;  ///< samples whose states the backward pass computes again together

struct SegmentLossWeights {
    float plain = 0, emphasised = 0;  ///< factors of the squared errors: an ESR over the whole batch
    float emphasis = 0.85f;
};

struct SequenceJob {
    const float *dry, *wet;  ///< first sample of the segment; channels `stride` apart
    Index stride;
    int take, unscored, begins;
    float weight;
};

/// What a sequence keeps from segment to segment.
struct SequenceMemory {
    StatePointers<float> start, end;  ///< end: behind the segment; the caller swaps them
    float* previous_error;            ///< [channels]
};

struct SegmentWorkspace {
    Rows e;           ///< (n_layers + 1) d_model rows: every layer's input, and the last one's output
    Rows u_f;
    float* r_f;
    Rows out, error, dout, de;
    Rows dry, filtered, dfiltered;       ///< of fir_in: with room in front; its answer, and that one's gradient, with room behind
    Rows unfiltered, dunfiltered;        ///< of fir_out: with room in front; the gradient behind it
    float *fir_partial;
    float *states, *film, *dfilm, *hidden;
    Index states_per_layer;
    LayerRows rows;
    float* loss;      ///< one value
};

SERPENT_HD inline SegmentWorkspace carve_segment(Carver& carver, const Shape& s, Index capacity) {
    SegmentWorkspace w{};
    w.e = carver.rows(Index{s.n_layers + 1} * s.d_model, capacity);
    w.u_f = carver.rows(s.d_model, capacity);
    w.r_f = carver.take(capacity);
    w.out = carver.rows(s.channels, capacity);
    w.error = carver.rows(s.channels, capacity);
    w.dout = carver.rows(s.channels, capacity + fir_room(s.fir_out));
    w.de = carver.rows(s.d_model, capacity);
    const auto behind_room = [&](int taps) {
        const Index room = fir_room(taps);
        Rows rows = carver.rows(s.channels, room + capacity + 32);
        if (rows.data) rows.data += room;
        return rows;
    };
    if (s.fir_in > 0) {
        w.dry = behind_room(s.fir_in);
        w.filtered = carver.rows(s.channels, capacity);
        w.dfiltered = carver.rows(s.channels, capacity + fir_room(s.fir_in));
    }
    if (s.fir_out > 0) {
        w.unfiltered = behind_room(s.fir_out);
        w.dunfiltered = carver.rows(s.channels, capacity);
    }
    w.fir_partial = carver.take(Index{s.channels} * larger(s.fir_in, s.fir_out) * sum_parts);
    w.states_per_layer = chunk_count(capacity, segment_chunk) * s.columns;
    w.states = carver.take(w.states_per_layer * s.n_layers);
    w.film = carver.take(2 * Index{s.n_layers} * s.d_model);
    w.dfilm = carver.take(2 * Index{s.n_layers} * s.d_model);
    w.hidden = carver.take(2 * film_hidden);
    w.rows = carve_layer_rows(carver, s, capacity, segment_chunk, true);
    w.loss = carver.take(1);
    return w;
}

template <class Team>
class SegmentPass {
public:
    SERPENT_HD SegmentPass(const Team& team, const SegmentModel& model, const SequenceJob& job, const SequenceMemory& memory,
                           const SegmentWorkspace& workspace, Index steps)
        : team_(team), m_(model), s_(model.shape), p_(model.weights), job_(job), memory_(memory), w_(workspace), steps_(steps) {}

    /// Predictions in the workspace's out.
    SERPENT_HD void forward() const {
        if (s_.n_controls > 0) film_forward();
        if (job_.begins) each_item(team_, s_.channels, [&](Index c) { memory_.previous_error[c] = 0.0f; });
        if (job_.begins) SilencePass(team_, m_, memory_.start, w_.film, w_.rows, w_.de).run();
        if (s_.fir_in > 0) filter_input();
        linear<false>(team_, linear_map(p_.at(p_.model.encoder_weight), p_.at(p_.model.encoder_bias), s_.channels, s_.d_model),
                      steps_, dry(), stream(0));
        team_.sync();
        for (int l = 0; l < s_.n_layers; ++l) {
            const auto pass = layer(l);
            pass.inputs(stream(l), history(l));
            advance_history(team_, steps_, pass.conv_input(history(l)), memory_.end.conv + p_.layers[l].history);
            pass.scan_starts(states(l), memory_.start.h + p_.layers[l].h, memory_.end.h + p_.layers[l].h);
            pass.outputs(states(l), stream(l), stream(l + 1));
        }
        decode();
    }

    /// Fills dout and the loss from out.
    SERPENT_HD void score(const SegmentLossWeights& loss) const {
        each_sample(team_, s_.channels, steps_, [&](int c, Index t) {
            w_.error(c, t) = t >= job_.unscored ? w_.out(c, t) - job_.wet[c * job_.stride + t] : 0.0f;
        });
        team_.sync();
        const auto change = [&](int c, Index t) {
            const float before = t > 0 ? w_.error(c, t - 1) : memory_.previous_error[c];
            return w_.error(c, t) - loss.emphasis * before;
        };
        each_sample(team_, s_.channels, steps_, [&](int c, Index t) {
            float slope = loss.plain * w_.error(c, t) + loss.emphasised * change(c, t);
            if (t + 1 < steps_) slope -= loss.emphasised * loss.emphasis * change(c, t + 1);
            w_.dout(c, t) = t >= job_.unscored ? 2.0f * job_.weight * slope : 0.0f;
        });
        sum_in_parts(team_, s_.channels, steps_, w_.rows.partial3, [&](Index c, Index t) {
            const float e = w_.error(c, t), d = change(static_cast<int>(c), t);
            return loss.plain * e * e + loss.emphasised * d * d;
        });
        team_.sync();
        each_item(team_, s_.channels, [&](Index c) { memory_.previous_error[c] = w_.error(c, steps_ - 1); });
        each_item(team_, 1, [&](Index) {
            float sum = 0.0f;
            for (int c = 0; c < s_.channels; ++c) sum += sum_of_parts(w_.rows.partial3, c);
            *w_.loss = job_.weight * sum;
        });
        team_.sync();
    }

    /// Every weight's gradient, written; from dout and what forward() left.
    SERPENT_HD void backward(const Parameters<float>& g) const {
        decode_backward(g);
        for (int l = s_.n_layers - 1; l >= 0; --l) {
            float* const dscale = s_.n_controls > 0 ? w_.dfilm + 2 * l * s_.d_model : nullptr;
            layer(l).backward(stream(l), history(l), states(l), w_.de, g, dscale, dscale ? dscale + s_.d_model : nullptr);
        }
        linear_gradient_parts(team_, s_.channels, s_.d_model, steps_, w_.de, dry(), w_.rows.partial);
        if (s_.n_controls > 0) film_backward(g);
        if (s_.fir_in > 0) filter_input_backward(g);
        team_.sync();
        linear_gradient_sums(team_, s_.channels, s_.d_model, w_.rows.partial, g.at(p_.model.encoder_weight), g.at(p_.model.encoder_bias));
    }

private:
    /// What encoder and skip see.
    SERPENT_HD ConstRows dry() const { return s_.fir_in > 0 ? ConstRows{w_.filtered.data, w_.filtered.stride} : ConstRows{job_.dry, job_.stride}; }
    /// What decoder and skip give, and its gradient.
    SERPENT_HD Rows answer() const { return s_.fir_out > 0 ? w_.unfiltered : w_.out; }
    SERPENT_HD Rows danswer() const { return s_.fir_out > 0 ? w_.dunfiltered : w_.dout; }
    SERPENT_HD Rows stream(int l) const { return w_.e.from(Index{l} * s_.d_model); }
    SERPENT_HD float* states(int l) const { return w_.states + l * w_.states_per_layer; }
    SERPENT_HD const float* history(int l) const { return memory_.start.conv + p_.layers[l].history; }
    SERPENT_HD FilmRows film(int l) const { return film_of_layer(w_.film, s_, l); }
    SERPENT_HD LayerPass<segment_chunk, Team> layer(int l) const { return {team_, p_, m_.constants, l, film(l), steps_, w_.rows}; }

    SERPENT_HD void decode() const {
        const Rows e = stream(s_.n_layers);
        const float* norm_f = p_.at(p_.model.norm_f);
        if (norm_f) rms_norm(team_, s_.d_model, steps_, norm_f, nullptr, nullptr, e, w_.u_f, w_.r_f);
        team_.sync();
        linear<false>(team_, linear_map(p_.at(p_.model.decoder_weight), p_.at(p_.model.decoder_bias), s_.d_model, s_.channels),
                      steps_, norm_f ? w_.u_f : e, answer());
        team_.sync();
        if (const float* skip = p_.at(p_.model.skip))
            each_sample(team_, s_.channels, steps_, [&](int c, Index t) { answer()(c, t) = fused(skip[c], dry()(c, t), answer()(c, t)); });
        team_.sync();
        if (s_.fir_out > 0) filter_output();
    }

    /// Ends with sync(), as the other three.
    SERPENT_HD void filter_input() const {
        begin_fir(team_, s_.channels, s_.fir_in, steps_, {job_.dry, job_.stride}, memory_.start.fir_in, w_.dry);
        team_.sync();
        fir<false>(team_, s_.channels, s_.fir_in, steps_, p_.at(p_.model.fir_in), w_.dry, w_.filtered);
        advance_fir(team_, s_.channels, s_.fir_in, steps_, w_.dry, memory_.end.fir_in);
        team_.sync();
    }

    SERPENT_HD void filter_output() const {
        begin_fir(team_, s_.channels, s_.fir_out, steps_, w_.unfiltered, memory_.start.fir_out, w_.unfiltered);
        team_.sync();
        fir<false>(team_, s_.channels, s_.fir_out, steps_, p_.at(p_.model.fir_out), w_.unfiltered, w_.out);
        advance_fir(team_, s_.channels, s_.fir_out, steps_, w_.unfiltered, memory_.end.fir_out);
        team_.sync();
    }

    SERPENT_HD void filter_output_backward(const Parameters<float>& g) const {
        end_fir(team_, s_.channels, s_.fir_out, steps_, w_.dout);
        team_.sync();
        fir<true>(team_, s_.channels, s_.fir_out, steps_, p_.at(p_.model.fir_out), w_.dout, w_.dunfiltered);
        fir_gradient_parts(team_, s_.channels, s_.fir_out, steps_, w_.dout, w_.unfiltered, w_.fir_partial);
        team_.sync();
        fir_gradient_sums(team_, s_.channels, s_.fir_out, w_.fir_partial, g.at(p_.model.fir_out));
        team_.sync();
    }

    SERPENT_HD void filter_input_backward(const Parameters<float>& g) const {
        const float* encoder = p_.at(p_.model.encoder_weight);
        const float* skip = p_.at(p_.model.skip);
        each_sample(team_, s_.channels, steps_, [&](int c, Index t) {
            float sum = skip ? skip[c] * danswer()(c, t) : 0.0f;
            for (int m = 0; m < s_.d_model; ++m) sum = fused(encoder[m * s_.channels + c], w_.de(m, t), sum);
            w_.dfiltered(c, t) = sum;
        });
        end_fir(team_, s_.channels, s_.fir_in, steps_, w_.dfiltered);
        team_.sync();
        fir_gradient_parts(team_, s_.channels, s_.fir_in, steps_, w_.dfiltered, w_.dry, w_.fir_partial);
        team_.sync();
        fir_gradient_sums(team_, s_.channels, s_.fir_in, w_.fir_partial, g.at(p_.model.fir_in));
        team_.sync();
    }

    SERPENT_HD void decode_backward(const Parameters<float>& g) const {
        if (s_.fir_out > 0) filter_output_backward(g);
        const Rows dout = danswer();
        const Rows e = stream(s_.n_layers), du = w_.rows.du;
        const float* norm_f = p_.at(p_.model.norm_f);
        linear_gradient_parts(team_, s_.d_model, s_.channels, steps_, dout, norm_f ? w_.u_f : e, w_.rows.partial);
        sum_in_parts(team_, s_.channels, steps_, w_.rows.partial2,
                     [&](Index c, Index t) { return dry()(c, t) * dout(c, t); });
        linear<false>(team_, transposed_map(p_.at(p_.model.decoder_weight), s_.d_model, s_.channels), steps_, dout, norm_f ? du : w_.de);
        if (norm_f) each_sample(team_, s_.d_model, steps_, [&](int c, Index t) { w_.de(c, t) = 0.0f; });
        team_.sync();
        linear_gradient_sums(team_, s_.d_model, s_.channels, w_.rows.partial, g.at(p_.model.decoder_weight), g.at(p_.model.decoder_bias));
        if (float* dskip = g.at(p_.model.skip))
            each_item(team_, s_.channels, [&](Index c) { dskip[c] = sum_of_parts(w_.rows.partial2, c); });
        if (norm_f) {
            rms_norm_backward(team_, s_.d_model, steps_, norm_f, nullptr, e, w_.r_f, du, w_.de);
            sum_in_parts(team_, s_.d_model, steps_, w_.rows.partial3,
                         [&](Index c, Index t) { return du(c, t) * e(c, t) * w_.r_f[t]; });
        }
        team_.sync();
        if (float* dnorm = g.at(p_.model.norm_f))
            each_item(team_, s_.d_model, [&](Index c) { dnorm[c] = sum_of_parts(w_.rows.partial3, c); });
        team_.sync();
    }

    SERPENT_HD float position(int i) const { return m_.positions[Index{job_.take} * s_.n_controls + i]; }

    /// hidden = tanh(W position + b); every layer's scale = 1 + first half, shift = second half. Ends with sync().
    SERPENT_HD void film_forward() const {
        const float* w = p_.at(p_.model.film_hidden_weight);
        const float* b = p_.at(p_.model.film_hidden_bias);
        each_item(team_, film_hidden, [&](Index j) {
            float sum = b[j];
            for (int i = 0; i < s_.n_controls; ++i) sum = fused(w[j * s_.n_controls + i], position(i), sum);
            w_.hidden[j] = std::tanh(sum);
        });
        team_.sync();
        const int both = 2 * s_.d_model;
        each_item(team_, Index{s_.n_layers} * both, [&](Index i) {
            const BlockFields<int>& at = p_.layers[i / both].at;
            const Index row = i % both;
            float sum = p_.at(at.film_bias)[row] + (row < s_.d_model ? 1.0f : 0.0f);
            for (int j = 0; j < film_hidden; ++j) sum = fused(p_.at(at.film_weight)[row * film_hidden + j], w_.hidden[j], sum);
            w_.film[i] = sum;
        });
        team_.sync();
    }

    /// From dfilm; needs the sync() behind the last layer.
    SERPENT_HD void film_backward(const Parameters<float>& g) const {
        const int both = 2 * s_.d_model;
        each_item(team_, Index{s_.n_layers} * both, [&](Index i) {
            const BlockFields<int>& at = p_.layers[i / both].at;
            const Index row = i % both;
            g.at(at.film_bias)[row] = w_.dfilm[i];
            for (int j = 0; j < film_hidden; ++j) g.at(at.film_weight)[row * film_hidden + j] = w_.dfilm[i] * w_.hidden[j];
        });
        each_item(team_, film_hidden, [&](Index j) {
            float sum = 0.0f;
            for (Index i = 0; i < Index{s_.n_layers} * both; ++i)
                sum = fused(p_.at(p_.layers[i / both].at.film_weight)[i % both * film_hidden + j], w_.dfilm[i], sum);
            const float slope = sum * (1.0f - w_.hidden[j] * w_.hidden[j]);
            g.at(p_.model.film_hidden_bias)[j] = slope;
            for (int i = 0; i < s_.n_controls; ++i) g.at(p_.model.film_hidden_weight)[j * s_.n_controls + i] = slope * position(i);
        });
    }

    const Team& team_;
    const SegmentModel& m_;
    const Shape& s_;
    const Parameters<const float>& p_;
    const SequenceJob& job_;
    const SequenceMemory& memory_;
    const SegmentWorkspace& w_;
    Index steps_;
};

} // namespace serpent::kernels::gpu
