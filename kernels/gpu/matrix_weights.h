// SPDX-License-Identifier: MIT
// Packs one layer's weights for matrix_layer.h. Host only.
#pragma once

#include "gpu/matrix_layer.h"
#include "serpent/kernels/live.h"

#include <bit>
#include <cmath>
#include <vector>

namespace serpent::kernels::gpu {

/// The nearest number with the 11 bits that a tensor core keeps.
inline float matrix_high_part(float x) { return std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) + 0x1000u) & 0xffffe000u); }

/// film_scale, film_shift: (d_model) of this layer, or null for none.
template <class Shape>
    requires(Shape::by_matrix)
std::vector<float> pack_fused_layer(const BlockFields<const float*>& w, const float* film_scale, const float* film_shift) {
    constexpr int inner = Shape::inner, model = Shape::model, state = Shape::state;
    std::vector<float> packed(Shape::floats);
    const auto at = [&](int place, int thread) -> float& { return packed[static_cast<std::size_t>(place * Shape::threads + thread)]; };
    const auto or_zero = [](const float* values, int i) { return values ? values[i] : 0.0f; };
    const auto put = [&](int matrix, int depth, int row, int k, float value) {
        float* const place = packed.data() + matrix + matrix_place(depth, row, k);
        place[0] = matrix_high_part(value);
        place[128] = value - place[0];
    };
    for (int c = 0; c < inner; ++c) {
        double x_bias = or_zero(w.in_proj_bias, c), z_bias = or_zero(w.in_proj_bias, inner + c);
        for (int m = 0; m < model; ++m) {
            const float norm = w.norm[m] * (film_scale ? film_scale[m] : 1.0f), x = w.in_proj[c * model + m], z = w.in_proj[(inner + c) * model + m];
            put(Shape::in_x, model, c, m, x * norm);
            put(Shape::in_z, model, c, m, z * norm);
            x_bias += double{x} * or_zero(film_shift, m);
            z_bias += double{z} * or_zero(film_shift, m);
            put(Shape::out, inner, m, c, w.out_proj[m * inner + c]);
        }
        at(Shape::in_x_bias, c) = static_cast<float>(x_bias);
        at(Shape::in_z_bias, c) = static_cast<float>(z_bias);
        for (int k = 0; k < Shape::conv; ++k) at(Shape::conv_weight + k, c) = w.conv_weight[c * Shape::conv + k];
        at(Shape::conv_bias, c) = w.conv_bias[c];
        for (int row = 0; row < 2 * state; ++row) put(Shape::proj, inner, row, c, w.x_proj[(1 + row) * inner + c]);
        packed[static_cast<std::size_t>(Shape::dt_row + c)] = w.x_proj[c];
        at(Shape::dt_row_bias, c) = or_zero(w.x_proj_bias, 0);
        at(Shape::dt_scale, c) = w.dt_proj[c] * log2_e;
        at(Shape::dt_bias, c) = w.dt_proj_bias[c] * log2_e;
        at(Shape::skip, c) = w.D[c];
        for (int n = 0; n < Shape::decays; ++n) at(Shape::rate + n, c) = -std::exp(w.A_log[c * Shape::decays + n]) * log2_e;
    }
    for (int row = 0; row < 2 * state; ++row) packed[static_cast<std::size_t>(Shape::proj_bias + row)] = or_zero(w.x_proj_bias, 1 + row);
    for (int m = 0; m < model; ++m) packed[static_cast<std::size_t>(Shape::out_bias + m)] = or_zero(w.out_proj_bias, m);
    return packed;
}

} // namespace serpent::kernels::gpu
