// SPDX-License-Identifier: MIT
#pragma once

#include "lanes/lane_gradient.h"

#include <span>

namespace serpent {

/// Back-propagation from the FiLM coefficients of one lane through the small network of the controls.
class FilmGradient {
public:
    explicit FilmGradient(const Model& net);

    /// Adds to `gradient`, flat in the order of tensors().
    void add(const lanes::LaneFilmGradients& coefficients, int lane, std::span<const float> controls,
             std::vector<float>& gradient) const;

private:
    const Model& net_;
    std::size_t hidden_weight_ = 0, hidden_bias_ = 0;           // places in the flat gradient
    std::vector<std::size_t> layer_weight_, layer_bias_;
};

} // namespace serpent
