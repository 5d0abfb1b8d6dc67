// SPDX-License-Identifier: MIT
#pragma once

#include "lanes/workers.h"

#include <cstddef>
#include <vector>

namespace serpent {

/// Where a group of 16 lanes has the gradient of one tensor: a number for each value, or 16 lanes of it.
struct GradientPlace {
    const float* values;
    bool lanes;
};

/// Adds up what groups of lanes found, in fixed order, whoever does it.
class GradientSum {
public:
    /// The next tensor of the flat gradient, with its place in every group; the places must stay.
    void add(std::size_t values, std::vector<GradientPlace> groups);
    /// Fills `gradient`, as large as all tensors.
    void run(std::vector<float>& gradient, Workers& workers) const;

private:
    struct Tensor {
        std::size_t begin, size;
        std::vector<GradientPlace> groups;
    };
    std::vector<Tensor> tensors_;
    std::size_t size_ = 0;
};

} // namespace serpent
