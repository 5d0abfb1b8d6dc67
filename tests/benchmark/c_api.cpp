// SPDX-License-Identifier: GPL-3.0-or-later
// What a block costs more over the C API than over the C++ one: blocks of 0 samples are nothing but that.
#include "serpent/serpent.h"
#include "serpent/stream.h"

#include <benchmark/benchmark.h>

#include <vector>

namespace {

constexpr const char* path = SERPENT_ASSETS "/models/scream.safetensors";

struct Block {
    explicit Block(int n) : in_samples(static_cast<std::size_t>(n) + 1, 0.1f), out_samples(in_samples) {}

    std::vector<float> in_samples, out_samples;
    const float* in[1] = {in_samples.data()};
    float* out[1] = {out_samples.data()};
};

void block_over_cpp(benchmark::State& state) {
    const int n = static_cast<int>(state.range(0));
    serpent::Stream stream(std::make_shared<const serpent::Model>(serpent::Model::load(path)));
    Block block(n);
    for (auto _ : state) stream.process(block.in, block.out, n);
}

void block_over_c(benchmark::State& state) {
    const int n = static_cast<int>(state.range(0));
    serpent_model* model = nullptr;
    serpent_stream* stream = nullptr;
    if (serpent_model_load(path, &model) != SERPENT_OK ||
        serpent_stream_create(model, serpent_model_sample_rate(model), 512, nullptr, &stream) != SERPENT_OK) {
        state.SkipWithError(serpent_error());
        return;
    }
    Block block(n);
    for (auto _ : state) serpent_stream_process(stream, block.in, block.out, n);
    serpent_stream_free(stream);
    serpent_model_free(model);
}

} // namespace

BENCHMARK(block_over_cpp)->Arg(0)->Arg(1)->Arg(64);
BENCHMARK(block_over_c)->Arg(0)->Arg(1)->Arg(64);
