// SPDX-License-Identifier: MIT
#include "training/played_states.h"

#include "model/silence.h"

#include "serpent/render.h"

#include <algorithm>

namespace serpent {

void PlayedStates::play(const TrainingSet& data, const Model& net, double input_scale, std::optional<kernels::Isa> isa,
                        int threads) {
    const auto model = std::make_shared<const Model>(net);
    takes.assign(data.train.size(), {});
    for (std::size_t k = 0; k < takes.size(); ++k) {
        const TrainingTake& take = data.train[k];
        RendererOptions options;
        options.controls = take.controls;
        options.isa = isa;
        options.threads = threads;
        Renderer renderer(model, options);
        const std::size_t length = take.dry.front().size();
        std::vector<std::vector<float>> block(take.dry.size(), std::vector<float>(spacing_samples));
        std::vector<float*> io;
        for (std::vector<float>& channel : block) io.push_back(channel.data());
        for (std::size_t at = 0; at < length; at += spacing_samples) {
            const State& state = renderer.state();
            for (const StatePart& part : state_parts) {
                const std::vector<float>& values = state.*part.values;
                (takes[k].*part.values).insert((takes[k].*part.values).end(), values.begin(), values.end());
            }
            const std::size_t n = std::min(spacing_samples, length - at);
            for (std::size_t c = 0; c < block.size(); ++c)
                for (std::size_t t = 0; t < n; ++t) block[c][t] = static_cast<float>(input_scale) * take.dry[c][at + t];
            renderer.process(io.data(), io.data(), n);
        }
    }
}

State PlayedStates::at(const ModelConfig& config, std::size_t take, std::size_t position) const {
    State state = zero_state(config);
    const std::size_t index = position / spacing_samples;
    for (const StatePart& part : state_parts) {
        std::vector<float>& one = state.*part.values;
        std::copy_n((takes[take].*part.values).begin() + static_cast<std::ptrdiff_t>(index * one.size()), one.size(), one.begin());
    }
    return state;
}

} // namespace serpent
