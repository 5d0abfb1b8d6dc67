// SPDX-License-Identifier: GPL-3.0-or-later
// An update of the trainer by preset and threads. epochs_per_minute is of a pair of 164 s at 48 kHz; peak_share is of the
// multiply-adds that so many cores could do.
#include "random.h"
#include "serpent/kernels/peak.h"
#include "serpent/training.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>

namespace {

using namespace serpent;

constexpr double pair_s = 164.45;

std::shared_ptr<const TrainingSet> noise_through_a_clipper() {
    auto set = std::make_shared<TrainingSet>();
    test::Random random(3);
    TrainingTake take;
    take.dry = {random.vector<float>(480000, -0.7, 0.7)};
    take.wet = take.dry;
    for (float& y : take.wet[0]) y = std::tanh(3.0f * y);
    set->train = {take};
    return set;
}

void train(benchmark::State& state, const std::string& preset, int threads) {
    TrainOptions options = train_preset(preset);
    options.threads = threads;
    options.schedule.steps = 1 << 30;
    options.schedule.validate_every = 1 << 30;
    options.schedule.silence_share = 1.0;
    Trainer trainer(noise_through_a_clipper(), options);
    for (auto _ : state) trainer.step();
    // Segments of the early part alone are heard here.
    const double samples = double(state.iterations()) * options.schedule.lanes * options.schedule.segment;
    const double macs = trainer.multiply_accumulates_per_step() / trainer.samples_per_step() * samples;
    const double peak_per_s = 1e9 * threads * kernels::measure_peak_macs_per_ns(kernels::default_isa());
    state.counters["epochs_per_minute"] = benchmark::Counter(samples * 60 / (pair_s * 48000), benchmark::Counter::kIsRate);
    state.counters["peak_share"] = benchmark::Counter(macs / peak_per_s, benchmark::Counter::kIsRate);
    state.SetItemsProcessed(static_cast<std::int64_t>(samples));
}

const bool registered = [] {
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    for (const std::string& preset : train_preset_names())
        for (int threads = 1; threads <= std::min(2, cores); ++threads) {
            const std::string title = "train/" + preset + "/threads:" + std::to_string(threads);
            benchmark::RegisterBenchmark(title.c_str(), train, preset, threads)->UseRealTime()->Unit(benchmark::kMillisecond);
        }
    return true;
}();

} // namespace
