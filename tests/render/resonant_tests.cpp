// SPDX-License-Identifier: GPL-3.0-or-later
// Rendering what version 2 of the format adds: the join of states that turn, long halos, filters over whole blocks.
#include "close.h"
#include "model/example_model.h"
#include "reference_model.h"
#include "serpent/kernels/isa.h"
#include "serpent/render.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace serpent;
using namespace serpent::test;

namespace {

struct Case {
    const char* name;
    ModelConfig config;
};

std::vector<Case> cases() {
    ModelConfig tied = resonant_preset(), steady = resonant_config();
    tied.a = DecayShape::tied, tied.channels = 2;
    steady.blocks = {BlockKind::time_invariant};
    return {{"preset", resonant_preset()}, {"tied, two channels", tied}, {"mixed, controls", resonant_config()}, {"time-invariant", steady}};
}

std::vector<std::vector<float>> noise(std::size_t channels, std::size_t n) {
    std::mt19937 rng(3);
    std::vector<std::vector<float>> all(channels, std::vector<float>(n));
    for (auto& channel : all)
        for (std::size_t t = 0; t < n; ++t) channel[t] = t < n / 2 ? 0.4f * std::normal_distribution<float>()(rng) : t < 3 * n / 4 ? 0.3f : 0.0f;
    return all;
}

/// In calls of the given lengths, over and over.
std::vector<double> render(const std::shared_ptr<const Model>& model, const RendererOptions& options, const std::vector<std::size_t>& calls) {
    Renderer renderer(model, options);
    const auto channels = static_cast<std::size_t>(model->config.channels);
    const std::size_t n = 30000;
    auto audio = noise(channels, n);
    for (std::size_t at = 0, i = 0; at < n; ++i) {
        const std::size_t count = std::min(calls[i % calls.size()], n - at);
        std::vector<float*> io;
        for (auto& channel : audio) io.push_back(channel.data() + at);
        renderer.process(io.data(), io.data(), count);
        at += count;
    }
    std::vector<double> out(n * channels);
    for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t t = 0; t < n; ++t) out[t * channels + c] = audio[c][t];
    return out;
}

} // namespace

TEST_CASE("renderer answers resonant models as in float64, however it is cut", "[resonant]") {
    for (const Case& one : cases())
        for (const double slowest_samples : {300.0, 96000.0}) {
            const auto model = std::make_shared<const Model>(random_model(one.config, true, slowest_samples));
            const auto channels = static_cast<std::size_t>(one.config.channels);
            const auto audio = noise(channels, 30000);
            std::vector<double> in(audio[0].size() * channels);
            for (std::size_t c = 0; c < channels; ++c)
                for (std::size_t t = 0; t < audio[c].size(); ++t) in[t * channels + c] = audio[c][t];
            ReferenceModel reference(*model);
            reference.set_state(silence_state(*model));
            const std::vector<double> expected = reference.process(in);
            const auto check = [&](const RendererOptions& options, const std::vector<std::size_t>& calls) {
                const Distance d = distance(expected, render(model, options, calls));
                CAPTURE(one.name, slowest_samples, options.chunk, calls.front(), d.rms, d.max);
                CHECK(d.within(1e-5, 1e-4));
            };
            for (const int chunk : {1, 256, 1000, 4096}) check({.threads = 2, .chunk = chunk}, {30000});
            check({.threads = 2}, {1, 127, 12001, 0, 740});
            for (const auto isa : kernels::available_isas())
                if (isa != kernels::Isa::scalar) check({.isa = isa, .threads = 1}, {30000});
        }
}

TEST_CASE("renderer of a resonant model gives the same bits on any number of threads", "[resonant]") {
    const auto model = std::make_shared<const Model>(random_model(resonant_preset(), true, 5000.0));
    const auto one = render(model, {.threads = 1, .chunk = 64}, {30000});
    for (const int threads : {2, 3}) CHECK(one == render(model, {.threads = threads, .chunk = 64}, {30000}));
}
