// SPDX-License-Identifier: MIT
#include "model/film.h"

#include "serpent/errors.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace serpent {

namespace {

/// A control in model units, clamped and mapped to [-1, 1].
double normalised(const Control& control, float value) noexcept {
    const double low = control.min, high = control.max;
    const double used = std::isnan(value) ? control.default_value : std::clamp<double>(value, low, high);
    return 2.0 * (used - low) / (high - low) - 1.0;
}

} // namespace

void evaluate_film(const Model& model, std::span<const float> controls, Film& out) noexcept {
    const auto& declared = model.config.controls;
    const Weights& w = model.weights;
    const std::size_t n = declared.size(), width = static_cast<std::size_t>(model.config.d_model);
    std::array<double, film_hidden> hidden{};
    for (std::size_t j = 0; j < hidden.size(); ++j) {
        double sum = w.film_hidden_bias[j];
        for (std::size_t i = 0; i < n; ++i) {
            const float value = controls.empty() ? declared[i].default_value : controls[i];
            sum += w.film_hidden_weight[j * n + i] * normalised(declared[i], value);
        }
        hidden[j] = std::tanh(sum);
    }
    for (std::size_t layer = 0; layer < w.layers.size(); ++layer) {
        const LayerWeights& weights = w.layers[layer];
        const auto output = [&](std::size_t row) {
            double sum = weights.film_bias[row];
            for (std::size_t j = 0; j < hidden.size(); ++j) sum += weights.film_weight[row * hidden.size() + j] * hidden[j];
            return sum;
        };
        for (std::size_t c = 0; c < width; ++c) {
            out.scale[layer * width + c] = static_cast<float>(1.0 + output(c));
            out.shift[layer * width + c] = static_cast<float>(output(width + c));
        }
    }
}

Film film(const Model& model, std::span<const float> controls) {
    const std::size_t declared = model.config.controls.size();
    if (!controls.empty() && controls.size() != declared) {
        throw Error("the model has " + std::to_string(declared) + " controls, but " + std::to_string(controls.size()) +
                    " values were given");
    }
    const std::size_t size = static_cast<std::size_t>(model.config.n_layers) * static_cast<std::size_t>(model.config.d_model);
    Film result{std::vector<float>(size, 1.0f), std::vector<float>(size, 0.0f)};
    if (declared > 0) evaluate_film(model, controls, result);
    return result;
}

} // namespace serpent
