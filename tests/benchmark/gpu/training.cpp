// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/model_layout.h"
#include "gpu_benchmark.h"
#include "model/example_model.h"
#include "serpent/kernels/device_train.h"
#include "serpent/training.h"

#include <chrono>
#include <cstdio>

namespace serpent::bench {
namespace {

/// Seconds of one update, many of them queued.
double update_s(const ModelConfig& config, int sequences, int segment, int blocks_per_sequence = 0) {
    Model model = test::random_model(config, true, 48000.0);
    const kernels::DeviceModelLayout layout = device_layout(model.config, model.weights);
    kernels::DeviceTrainer trainer(layout, sequences, segment, std::vector<float>(layout.parameters), {blocks_per_sequence});
    const std::vector<float> &weights = model.weights.values, zeros(weights.size());
    trainer.set_vectors({weights, weights, zeros, zeros});
    test::Random random(4);
    const std::size_t length = 48000 * 60;
    const auto channel = random.vector<float>(length);
    trainer.add_take({channel}, {channel}, {});
    std::vector<kernels::DeviceSequence> order(static_cast<std::size_t>(sequences));
    kernels::DeviceStep step;
    step.samples = segment;
    step.plain = step.emphasised = 1.0f / static_cast<float>(sequences * segment);
    step.rate = 1e-3;
    const auto run = [&](int updates) {
        for (int i = 0; i < updates; ++i, ++step.number) {
            for (std::size_t sequence = 0; sequence < order.size(); ++sequence) {
                order[sequence].position = static_cast<std::size_t>(random.uniform(0, double(length - static_cast<std::size_t>(segment))));
                order[sequence].start = i % 64 == 0 ? kernels::SequenceStart::silence : kernels::SequenceStart::carried;
            }
            trainer.step(order, step);
        }
        (void)trainer.take_loss();
    };
    run(5);
    const auto begin = std::chrono::steady_clock::now();
    constexpr int updates = 100;
    run(updates);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / updates;
}

} // namespace

void print_training() {
    std::printf("training                  sequences  segment   us/update   M sample/s   100 epochs of 3 min\n");
    for (const std::string& name : train_preset_names()) {
        const TrainOptions options = train_preset(name);
        for (const int sequences : {32, 128})
            for (const int segment : {options.schedule.segment, options.schedule.late_segment}) {
                const double s = update_s(options.config, sequences, segment), rate = sequences * segment / s;
                std::printf("%-28s %6d %8d %11.0f %12.1f %18.1f s\n", name.c_str(), sequences, segment, s * 1e6, rate * 1e-6,
                            100 * 180.0 * 48000 / rate);
            }
    }
    std::printf("\nrotating 8/8/4 with filters  blocks to a sequence\n");
    for (const int layers : {6, 8})
        for (const int sequences : {32, 64, 128})
            for (const int blocks : {1, 0}) {
                const double s = update_s(rotating_config(layers), sequences, 4096, blocks), rate = sequences * 4096 / s;
                std::printf("%d layers %14s %17d %8d %11.0f %12.1f %18.1f s\n", layers, blocks == 0 ? "as many as fit" : "1", sequences,
                            4096, s * 1e6, rate * 1e-6, 100 * 180.0 * 48000 / rate);
            }
    std::printf("\n");
}

} // namespace serpent::bench
