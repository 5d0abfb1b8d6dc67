// SPDX-License-Identifier: MIT
#include "training/film_gradient.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace serpent {

FilmGradient::FilmGradient(const Model& net) : net_(net) {
    std::size_t at = 0;
    for (const TensorRef& t : tensors(net.config, net.weights)) {
        if (t.name == "film.hidden.weight") hidden_weight_ = at;
        if (t.name == "film.hidden.bias") hidden_bias_ = at;
        if (t.name.ends_with(".film.weight")) layer_weight_.push_back(at);
        if (t.name.ends_with(".film.bias")) layer_bias_.push_back(at);
        at += t.data.size();
    }
}

void FilmGradient::add(const lanes::LaneFilmGradients& coefficients, int lane, std::span<const float> controls,
                       std::vector<float>& gradient) const {
    const auto& declared = net_.config.controls;
    const Weights& w = net_.weights;
    const std::size_t n = declared.size(), dm = static_cast<std::size_t>(net_.config.d_model);
    std::vector<float> position(n);
    for (std::size_t i = 0; i < n; ++i)
        position[i] = 2 * (std::clamp(controls[i], declared[i].min, declared[i].max) - declared[i].min) /
                          (declared[i].max - declared[i].min) - 1;
    std::array<float, film_hidden> hidden{}, dhidden{};
    for (std::size_t j = 0; j < hidden.size(); ++j) {
        float sum = w.film_hidden_bias[j];
        for (std::size_t i = 0; i < n; ++i) sum += w.film_hidden_weight[j * n + i] * position[i];
        hidden[j] = std::tanh(sum);
    }
    for (std::size_t l = 0; l < w.layers.size(); ++l)
        for (std::size_t row = 0; row < 2 * dm; ++row) {
            const auto& source = row < dm ? coefficients.scale : coefficients.shift;
            const float g = source[lanes::lane_floats(l * dm + row % dm) + static_cast<std::size_t>(lane)];
            gradient[layer_bias_[l] + row] += g;
            for (std::size_t j = 0; j < hidden.size(); ++j) {
                gradient[layer_weight_[l] + row * hidden.size() + j] += g * hidden[j];
                dhidden[j] += g * w.layers[l].film_weight[row * hidden.size() + j];
            }
        }
    for (std::size_t j = 0; j < hidden.size(); ++j) {
        const float g = dhidden[j] * (1 - hidden[j] * hidden[j]);
        gradient[hidden_bias_ + j] += g;
        for (std::size_t i = 0; i < n; ++i) gradient[hidden_weight_ + j * n + i] += g * position[i];
    }
}

} // namespace serpent
