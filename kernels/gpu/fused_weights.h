// SPDX-License-Identifier: MIT
// Packs one layer's weights for fused_layer.h. Host only.
#pragma once

#include "equations/rotating_scan.h"
#include "gpu/fused_layer.h"
#include "serpent/kernels/block.h"

#include <cmath>
#include <vector>

namespace serpent::kernels::gpu {

/// film_scale, film_shift: (d_model) of this layer, or null for none.
template <class Shape>
std::vector<float> pack_fused_layer(const BlockFields<const float*>& w, const float* film_scale, const float* film_shift) {
    constexpr double log2_e_exact = 1.4426950408889634;
    constexpr int threads = Shape::threads, inner = Shape::inner, model = Shape::model, state = Shape::state;
    std::vector<float> packed(static_cast<std::size_t>(Shape::weights * threads));
    const auto at = [&](int place, int thread) -> float& { return packed[static_cast<std::size_t>(place * threads + thread)]; };
    const auto in_row = [&](int place, int i, int thread) -> float& {
        return packed[static_cast<std::size_t>((place + i / 4 * 4) * threads + thread * 4 + i % 4)];
    };
    const auto or_zero = [](const float* values, int i) { return values ? values[i] : 0.0f; };
    for (int thread = 0; thread < threads; ++thread) {
        for (int k = 0; k < Shape::share; ++k) {
            const int m = thread % Shape::sample_threads * Shape::share + k;
            at(Shape::norm + k, thread) = w.norm[m] * (film_scale ? film_scale[m] : 1.0f);
            at(Shape::shift + k, thread) = or_zero(film_shift, m);
            at(Shape::out_bias + k, thread) = or_zero(w.out_proj_bias, m);
        }
        for (int k = 0; k < Shape::tile_steps; ++k) {
            const int c = thread % Shape::sample_threads * Shape::tile_steps + k;
            if (c < inner) at(Shape::dt_row + k, thread) = w.x_proj[c];
        }
        at(Shape::dt_row_bias, thread) = or_zero(w.x_proj_bias, 0);
        for (int j = 0; j < Shape::rows; ++j) {
            const int row = thread + j * threads;  // of B, then C; row 0 of x_proj is dt's
            if (row >= 2 * state) continue;
            for (int c = 0; c < inner; ++c) in_row(Shape::proj + j * inner, c, thread) = w.x_proj[(1 + row) * inner + c];
            at(Shape::proj_bias + j, thread) = or_zero(w.x_proj_bias, 1 + row);
        }
        const int m = thread % model, first = thread / model * Shape::part;
        for (int i = 0; i < Shape::part; ++i)
            if (first + i < inner) in_row(Shape::out, i, thread) = w.out_proj[m * inner + first + i];
    }
    for (int c = 0; c < inner; ++c) {
        for (int m = 0; m < model; ++m) {
            in_row(Shape::in_x, m, c) = w.in_proj[c * model + m];
            in_row(Shape::in_z, m, c) = w.in_proj[(inner + c) * model + m];
        }
        at(Shape::in_x_bias, c) = or_zero(w.in_proj_bias, c);
        at(Shape::in_z_bias, c) = or_zero(w.in_proj_bias, inner + c);
        for (int k = 0; k < Shape::conv; ++k) at(Shape::conv_weight + k, c) = w.conv_weight[c * Shape::conv + k];
        at(Shape::conv_bias, c) = w.conv_bias[c];
        at(Shape::dt_scale, c) = static_cast<float>(w.dt_proj[c] * log2_e_exact);
        at(Shape::dt_bias, c) = static_cast<float>(w.dt_proj_bias[c] * log2_e_exact);
        at(Shape::skip, c) = w.D[c];
        for (int n = 0; n < Shape::decays; ++n)
            at(Shape::rate + n, c) = -std::exp(w.A_log[c * Shape::decays + n]) * log2_e;
        for (int m = 0; m < Shape::pairs; ++m) {
            const float angle = w.A_imag[c * Shape::pairs + m];
            const auto turn = equations::Turn<float>::of(static_cast<double>(angle));
            at(Shape::turn + m, c) = turn.t, at(Shape::turn + Shape::pairs + m, c) = turn.s, at(Shape::angle + m, c) = angle;
        }
    }
    return packed;
}

/// (channels, d_model) of FusedEnds, from the encoder's (d_model, channels).
inline std::vector<float> pack_encoder(const float* weight, int channels, int model) {
    std::vector<float> packed(static_cast<std::size_t>(channels * model));
    for (int c = 0; c < channels; ++c)
        for (int m = 0; m < model; ++m) packed[static_cast<std::size_t>(c * model + m)] = weight[m * channels + c];
    return packed;
}
/// (channels, d_model) of FusedEnds. norm: the last norm's weights, or null.
inline std::vector<float> pack_decoder(const float* weight, const float* norm, int channels, int model) {
    std::vector<float> packed(static_cast<std::size_t>(channels * model));
    for (int c = 0; c < channels; ++c)
        for (int m = 0; m < model; ++m) packed[static_cast<std::size_t>(c * model + m)] = weight[c * model + m] * (norm ? norm[m] : 1.0f);
    return packed;
}

} // namespace serpent::kernels::gpu
