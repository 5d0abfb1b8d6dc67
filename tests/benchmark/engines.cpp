// SPDX-License-Identifier: GPL-3.0-or-later
// Stream by block size and instruction set, Renderer by threads. items_per_second is samples per second: 48,000 of them
// are real time.
#include "benchmark_models.h"
#include "model/example_model.h"
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
            {"8_8_4_6_full_ema", benchmark_model(8, 1, 4, 6, DecayShape::full, BBar::ema)},
            {"8_16_4_4_tied_ema", benchmark_model(8, 2, 4, 4, DecayShape::tied, BBar::ema)},
            {"16_32_16_4_full_euler", benchmark_model(16, 2, 16, 4, DecayShape::full, BBar::euler)}};
}

/// With complex states, and what it adds: taps ever further apart, filters.
std::vector<NamedModel> resonant_models() {
    const auto model = [](ModelConfig config) { return std::make_shared<const Model>(test::random_model(config, true, 20000.0)); };
    ModelConfig plain = test::resonant_preset();
    plain.dilations = {1}, plain.fir_in = plain.fir_out = 0;
    ModelConfig small = plain;
    small.n_layers = 4;
    return {{"rotating_8_8_4_4", model(small)}, {"rotating_8_8_4_6", model(plain)}, {"resonant_8_8_4_6", model(test::resonant_preset())}};
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

/// The cost of what should cost nothing extra: a trained model on signals that slow a careless engine down.
void stream_signal(benchmark::State& state, float (*sample)(int)) {
    const auto model = std::make_shared<const Model>(Model::load(SERPENT_ASSETS "/models/zamcomp.safetensors"));
    Stream player(model);
    std::vector<float> signal(64), answer(64);
    const float* in = signal.data();
    float* out = answer.data();
    int at = 0;
    for (auto _ : state) {
        for (float& v : signal) v = sample(at++ & 0xfffff);
        player.process(&in, &out, 64);
    }
    state.SetItemsProcessed(state.iterations() * 64);
}

/// Other rates and oversampling, per sample of the host.
void stream_rate(benchmark::State& state, double rate_hz, RateMode mode, int oversampling) {
    const auto model = std::make_shared<const Model>(Model::load(SERPENT_ASSETS "/models/scream.safetensors"));
    Stream player(model, {.rate_mode = mode, .oversampling = oversampling});
    player.prepare(rate_hz, 64);
    test::Random random(2);
    const auto signal = random.vector<float>(64, -0.5, 0.5);
    std::vector<float> answer(64);
    const float* in = signal.data();
    float* out = answer.data();
    for (auto _ : state) player.process(&in, &out, 64);
    state.SetItemsProcessed(state.iterations() * 64);
    state.counters["latency"] = player.latency_samples();
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
    const auto register_stream = [](const NamedModel& one) {
        for (const kernels::Isa isa : kernels::available_isas()) {
            const std::string title = "stream/" + one.name + "/" + std::string(kernels::isa_name(isa));
            benchmark::RegisterBenchmark(title.c_str(), stream, one.model, isa)->Arg(1)->Arg(16)->Arg(64)->Arg(512);
        }
    };
    for (const NamedModel& one : resonant_models()) register_stream(one);
    for (const auto& [name, model] : models()) {
        register_stream({name, model});
        for (int threads = 1; threads <= cores; threads *= 2) {
            const std::string title = "render/" + name + "/threads:" + std::to_string(threads);
            benchmark::RegisterBenchmark(title.c_str(), render, model, threads)->UseRealTime();
        }
    }
    const auto noise = [](int t) { return static_cast<float>((t * 7919) % 1001) * 1e-3f - 0.5f; };
    const auto denormal = [](int t) { return (t % 2 ? 1e-40f : -3e-42f); };
    benchmark::RegisterBenchmark("stream_signal/noise", stream_signal, +noise);
    benchmark::RegisterBenchmark("stream_signal/silence", stream_signal, +[](int) { return 0.0f; });
    benchmark::RegisterBenchmark("stream_signal/denormals", stream_signal, +denormal);
    benchmark::RegisterBenchmark("stream_signal/dc", stream_signal, +[](int) { return 0.9f; });
    benchmark::RegisterBenchmark("stream_signal/1e30", stream_signal, +[](int t) { return t % 2 ? 1e30f : -1e30f; });
    for (const int rate_hz : {44100, 48000, 88200, 96000})
        for (const RateMode mode : {RateMode::scale_dt, RateMode::resample})
            for (const int oversampling : {1, 2, 4}) {
                std::string title = "stream_rate/";
                title += std::to_string(rate_hz) + (mode == RateMode::resample ? "/resample" : "/scale_dt");
                title += "/oversampling:" + std::to_string(oversampling);
                benchmark::RegisterBenchmark(title.c_str(), stream_rate, rate_hz, mode, oversampling);
            }
    return true;
}();

} // namespace

BENCHMARK_MAIN();
