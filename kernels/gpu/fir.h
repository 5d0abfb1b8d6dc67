// SPDX-License-Identifier: MIT
// The filters at a model's ends for a team: y[c][t] = sum_k w[c][k] x[c][t - k], forward and backward. What a thread reads of the
// signal slides through registers: eight samples by four taps (forward, and back to x) or eight (taps' gradients), so that there are
// some 16 multiply-adds to a load of four values.
//
// Shapes    rows of channels with time innermost. Signals that are filtered have room in front, fir_room(taps) floats before sample
//           0, where begin_fir() puts the history; gradients that go back have as much behind the last sample, where end_fir() puts
//           zeros. Data is aligned to 16 bytes. histories [channels][taps - 1], oldest first; weights (channels, taps), that of the
//           present sample first.
// Source    kernels/equations/fir.h
#pragma once

#include "gpu/rows.h"

namespace serpent::kernels::gpu {

inline constexpr int fir_samples = 8, fir_taps = 4, fir_gradient_taps = 8;

/// Floats before or behind a signal; a multiple of 32.
SERPENT_HD constexpr Index fir_room(int taps) { return taps > 0 ? (Index{taps} + 16 + 31) / 32 * 32 : 0; }

/// The signal, and its history in front of it; zeros before that and for some samples behind the last. x: rows with room.
template <class Team>
SERPENT_HD void begin_fir(const Team& team, int channels, int taps, Index steps, ConstRows signal, const float* history, Rows x) {
    const Index before = fir_room(taps), behind = fir_samples;
    each_sample(team, channels, before + steps + behind, [&](int c, Index i) {
        const Index t = i - before;
        const bool known = t >= -(Index{taps} - 1) && t < steps;
        x(c, t) = !known ? 0.0f : t >= 0 ? signal(c, t) : history[c * (taps - 1) + taps - 1 + t];
    });
}

/// Zeros behind the last sample.
template <class Team>
SERPENT_HD void end_fir(const Team& team, int channels, int taps, Index steps, Rows x) {
    each_sample(team, channels, fir_room(taps), [&](int c, Index i) { x(c, steps + i) = 0.0f; });
}

/// history_out from what begin_fir() made; it may be the one that went in.
template <class Team>
SERPENT_HD void advance_fir(const Team& team, int channels, int taps, Index steps, ConstRows x, float* history_out) {
    each_sample(team, channels, taps - 1, [&](int c, Index i) { history_out[c * (taps - 1) + i] = x(c, steps - (taps - 1) + i); });
}

/// kBack: y[t] = sum_k w[k] x[t + k].
template <bool kBack, class Team>
SERPENT_HD void fir(const Team& team, int channels, int taps, Index steps, const float* w, ConstRows x, Rows y) {
    constexpr int width = fir_samples + fir_taps;
    each_sample(team, channels, (steps + fir_samples - 1) / fir_samples, [&](int c, Index block) {
        const Index t = block * fir_samples;
        // window[i] = x[at + i], where at is t - k - 4 on the way forward, and t + k on the way back
        const float* at = &x(c, kBack ? t : t - fir_taps);
        float sum[fir_samples], window[width];
        SERPENT_UNROLL
        for (int i = 0; i < fir_samples; ++i) sum[i] = 0.0f;
        const auto read = [&](int place, const float* from) {
            const Float4 four = load4(from);
            SERPENT_UNROLL
            for (int i = 0; i < 4; ++i) window[place + i] = four.v[i];
        };
        SERPENT_UNROLL
        for (int i = 0; i < width; i += 4) read(i, at + i);
        for (int k = 0; k < taps; k += fir_taps) {
            SERPENT_UNROLL
            for (int j = 0; j < fir_taps; ++j) {
                const float weight = k + j < taps ? w[c * taps + k + j] : 0.0f;
                SERPENT_UNROLL
                for (int i = 0; i < fir_samples; ++i) sum[i] = fused(weight, window[kBack ? i + j : fir_taps + i - j], sum[i]);
            }
            if (kBack) {
                SERPENT_UNROLL
                for (int i = 0; i < width - 4; ++i) window[i] = window[i + 4];
                at += fir_taps;
                read(width - 4, at + width - 4);
            } else {
                SERPENT_UNROLL
                for (int i = width - 1; i >= 4; --i) window[i] = window[i - 4];
                at -= fir_taps;
                read(0, at);
            }
        }
        SERPENT_UNROLL
        for (int i = 0; i < fir_samples; ++i)
            if (t + i < steps) y(c, t + i) = sum[i];
    });
}

/// dw[c][k] = sum_t dy[c][t] x[c][t - k], in parts; x from begin_fir(), dy from end_fir(). partial: channels taps sum_parts floats.
/// Part p has the samples [8 p, 8 p + 8), then those 8 sum_parts later, and so on: neighbouring threads read neighbouring samples.
template <class Team>
SERPENT_HD void fir_gradient_parts(const Team& team, int channels, int taps, Index steps, ConstRows dy, ConstRows x, float* partial) {
    constexpr int width = fir_samples + fir_gradient_taps;
    const int blocks = (taps + fir_gradient_taps - 1) / fir_gradient_taps;
    each_item(team, Index{channels} * blocks * sum_parts, [&](Index item) {
        const int part = static_cast<int>(item % sum_parts), k = static_cast<int>(item / sum_parts % blocks) * fir_gradient_taps;
        const int c = static_cast<int>(item / sum_parts / blocks);
        float sum[fir_gradient_taps];
        SERPENT_UNROLL
        for (int j = 0; j < fir_gradient_taps; ++j) sum[j] = 0.0f;
        for (Index t = Index{part} * fir_samples; t < steps; t += sum_parts * fir_samples) {
            float g[fir_samples], window[width];  // window[i] = x[t - k - 8 + i]
            SERPENT_UNROLL
            for (int i = 0; i < width; i += 4) {
                const Float4 four = load4(&x(c, t - k - fir_gradient_taps + i));
                SERPENT_UNROLL
                for (int n = 0; n < 4; ++n) window[i + n] = four.v[n];
            }
            SERPENT_UNROLL
            for (int i = 0; i < fir_samples; i += 4) {
                const Float4 four = load4(&dy(c, t + i));
                SERPENT_UNROLL
                for (int n = 0; n < 4; ++n) g[i + n] = four.v[n];
            }
            SERPENT_UNROLL
            for (int i = 0; i < fir_samples; ++i) {
                SERPENT_UNROLL
                for (int j = 0; j < fir_gradient_taps; ++j) sum[j] = fused(g[i], window[fir_gradient_taps + i - j], sum[j]);
            }
        }
        for (int j = 0; j < fir_gradient_taps && k + j < taps; ++j) partial[(Index{c} * taps + k + j) * sum_parts + part] = sum[j];
    });
}

template <class Team>
SERPENT_HD void fir_gradient_sums(const Team& team, int channels, int taps, const float* partial, float* dw) {
    each_item(team, Index{channels} * taps, [&](Index i) { dw[i] = sum_of_parts(partial, i); });
}

} // namespace serpent::kernels::gpu
