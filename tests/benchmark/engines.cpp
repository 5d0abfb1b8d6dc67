// SPDX-License-Identifier: GPL-3.0-or-later
// Stream by block size and instruction set, Renderer by threads. items_per_second is samples per second: 48,000 of them
// are real time.
#include "benchmark_models.h"
#include "serpent/render.h"
#include "serpent/stream.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace serpent;

struct NamedModel {
    std::string name;
    std::shared_ptr<const Model> model;
};

std::vector<NamedModel> models() {
    using test::benchmark_model;
    return {{"8_8_4_4_full_ema", benchmark_model(8, 1, 4, 4, DecayShape::full, BBar::ema)},
            {"8_16_4_4_tied_ema", benchmark_model(8, 2, 4, 4, DecayShape::tied, BBar::ema)},
            {"16_32_16_4_full_euler", benchmark_model(16, 2, 16, 4, DecayShape::full, BBar::euler)}};
}

void stream(benchmark::State& state, const std::shared_ptr<const Model>& model, kernels::Isa isa) {
    const int block = static_cast<int>(state.range(0));
    Stream player(model, {.isa = isa});
    player.prepare(model->config.sample_rate, block);
    test::Random random(2);
    const auto signal = random.vector<float>(static_cast<std::size_t>(block), -0.5, 0.5);
    std::vector<float> answer(signal.size());
    const float* in = signal.data();
    float* out = answer.data();
    for (auto _ : state) player.process(&in, &out, block);
    state.SetItemsProcessed(state.iterations() * block);
}

void render(benchmark::State& state, const std::shared_ptr<const Model>& model, int threads) {
    RendererOptions options;
    options.threads = threads;
    Renderer renderer(model, options);
    test::Random random(2);
    const auto signal = random.vector<float>(renderer.preferred_block(), -0.5, 0.5);
    std::vector<float> answer(signal.size());
    const float* in = signal.data();
    float* out = answer.data();
    for (auto _ : state) renderer.process(&in, &out, signal.size());
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(signal.size()));
}

const bool registered = [] {
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    for (const auto& [name, model] : models()) {
        for (const kernels::Isa isa : kernels::available_isas()) {
            const std::string title = "stream/" + name + "/" + std::string(kernels::isa_name(isa));
            benchmark::RegisterBenchmark(title.c_str(), stream, model, isa)->Arg(1)->Arg(16)->Arg(64)->Arg(512);
        }
        for (int threads = 1; threads <= cores; threads *= 2) {
            const std::string title = "render/" + name + "/threads:" + std::to_string(threads);
            benchmark::RegisterBenchmark(title.c_str(), render, model, threads)->UseRealTime();
        }
    }
    return true;
}();

} // namespace

BENCHMARK_MAIN();
