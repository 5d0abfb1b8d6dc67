// SPDX-License-Identifier: MIT
#include "generator/sampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace serpent {
namespace {

constexpr std::size_t classes = mu_law_classes, side_by_side = 16;
constexpr int bisections = 30;  // down to neighbouring floats for all that matter

/// Sum and number of the weights that reach `threshold`, in fixed order.
struct Share {
    double sum = 0;
    int count = 0;
};
Share share_above(const float* weights, float threshold) noexcept {
    std::array<float, side_by_side> sums{};
    std::array<int, side_by_side> counts{};
    for (std::size_t k = 0; k < classes; k += side_by_side)
        for (std::size_t i = 0; i < side_by_side; ++i) {
            const bool reaches = weights[k + i] >= threshold;
            sums[i] += reaches ? weights[k + i] : 0.0f;
            counts[i] += reaches ? 1 : 0;
        }
    Share share;
    for (std::size_t i = 0; i < side_by_side; ++i) share.sum += double(sums[i]), share.count += counts[i];
    return share;
}

/// The largest threshold at which `enough` still holds, as it does at 0. The largest weight is 1.
template <class Enough>
float largest_threshold(const float* weights, const Enough& enough) noexcept {
    float low = 0.0f, high = 1.0f;
    if (enough(share_above(weights, high))) return high;
    for (int i = 0; i < bisections; ++i) {
        const float middle = 0.5f * (low + high);
        (enough(share_above(weights, middle)) ? low : high) = middle;
    }
    return low;
}

} // namespace

int draw_class(const kernels::StepOps& ops, const Sampling& sampling, float* logits, double uniform) noexcept {
    logits[0] = -std::numeric_limits<float>::max();
    if (!(sampling.temperature > 0)) return static_cast<int>(std::max_element(logits, logits + classes) - logits);
    alignas(64) std::array<float, classes> weights;
    ops.exponentials(mu_law_classes, static_cast<float>(1.0 / std::max(sampling.temperature, 1e-3)), logits, weights.data());
    weights[0] = 0.0f;
    float threshold = 0.0f;
    if (sampling.top_k > 0 && sampling.top_k < mu_law_classes)
        threshold = largest_threshold(weights.data(), [&](const Share& s) { return s.count >= sampling.top_k; });
    if (sampling.top_p < 1.0) {
        const double wanted = std::max(0.0, sampling.top_p) * share_above(weights.data(), 0.0f).sum;
        threshold = std::max(threshold, largest_threshold(weights.data(), [&](const Share& s) { return s.sum >= wanted; }));
    }
    double left = uniform * share_above(weights.data(), threshold).sum;
    int last = mu_law_silence;
    for (int k = 1; k < mu_law_classes; ++k) {
        const float weight = weights[static_cast<std::size_t>(k)];
        if (weight < threshold || !(weight > 0)) continue;
        last = k;
        left -= double(weight);
        if (left < 0) break;
    }
    return last;
}

} // namespace serpent
