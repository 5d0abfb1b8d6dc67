// SPDX-License-Identifier: MIT
#include "training/validation.h"

#include <cmath>

namespace serpent {

double validation_esr(const std::shared_ptr<const Model>& model, const std::vector<TrainingTake>& takes, RendererOptions options) {
    double sum = 0;
    for (const TrainingTake& take : takes) {
        options.controls = take.controls;
        Renderer renderer(model, options);
        std::vector<std::vector<float>> out = take.dry;
        std::vector<float*> io;
        for (auto& channel : out) io.push_back(channel.data());
        renderer.process(io.data(), io.data(), out.front().size());
        double error = 0, power = 0;
        for (std::size_t c = 0; c < out.size(); ++c)
            for (std::size_t t = 0; t < out[c].size(); ++t) {
                error += std::pow(double(out[c][t]) - double(take.wet[c][t]), 2);
                power += std::pow(double(take.wet[c][t]), 2);
            }
        sum += error / (power + 1e-8);
    }
    return sum / double(takes.size());
}

} // namespace serpent
