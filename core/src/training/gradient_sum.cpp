// SPDX-License-Identifier: MIT
#include "training/gradient_sum.h"

#include "lanes/lane_model.h"

#include <algorithm>

namespace serpent {
namespace {

float of_group(const GradientPlace& from, std::size_t i) {
    if (!from.lanes) return from.values[i];
    float sum = 0;
    for (std::size_t lane = 0; lane < lanes::lane_count; ++lane) sum += from.values[lanes::lane_floats(i) + lane];
    return sum;
}

} // namespace

void GradientSum::add(std::size_t values, std::vector<GradientPlace> groups) {
    tensors_.push_back({size_, values, std::move(groups)});
    size_ += values;
}

void GradientSum::run(std::vector<float>& gradient, Workers& workers) const {
    gradient.resize(size_);
    workers.run([&](int thread) {
        const auto index = static_cast<std::size_t>(thread), count = static_cast<std::size_t>(workers.count());
        for (const Tensor& tensor : tensors_) {
            const std::size_t share = (tensor.size + count - 1) / count;
            const std::size_t end = std::min(tensor.size, share * (index + 1));
            for (std::size_t i = share * index; i < end; ++i) {
                float sum = 0;
                for (const GradientPlace& from : tensor.groups) sum += of_group(from, i);
                gradient[tensor.begin + i] = sum;
            }
        }
    });
}

} // namespace serpent
