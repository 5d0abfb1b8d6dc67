// SPDX-License-Identifier: GPL-3.0-or-later
// One update on the GPU against the CPU trainer and, for what that does not train, against float64: loss, gradient, end states, weights.
#include "equations/adamw.h"
#include "gpu.h"
#include "gpu/model_layout.h"
#include "gpu_algorithms/reference_segment.h"
#include "gpu_algorithms/segment_case.h"
#include "serpent/kernels/device_train.h"

using namespace serpent;
using namespace serpent::test;
using kernels::DeviceSequence;
using kernels::DeviceStep;
using kernels::DeviceTrainer;

namespace {

struct DeviceAnswer {
    Answer answer;
    kernels::DeviceTrainVectors vectors;
};

std::vector<std::vector<float>> planar(const std::vector<float>& flat, int channels) {
    const std::size_t n = flat.size() / static_cast<std::size_t>(channels);
    std::vector<std::vector<float>> out;
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c)
        out.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(c * n), flat.begin() + static_cast<std::ptrdiff_t>((c + 1) * n));
    return out;
}

DeviceAnswer on_gpu(SegmentCase& c, int updates = 1, double mrstft_weight = 0, int blocks_per_sequence = 0) {
    const ModelConfig& config = c.model.config;
    const kernels::DeviceModelLayout layout = device_layout(config, c.model.weights);
    DeviceTrainer trainer(layout, lanes::lane_count, c.steps, std::vector<float>(layout.parameters, 0.01f), {blocks_per_sequence});
    const std::vector<float> zeros(layout.parameters), &weights = c.model.weights.values;
    trainer.set_vectors({weights, weights, zeros, zeros});
    std::vector<DeviceSequence> order(lanes_used);
    for (std::size_t lane = 0; lane < lanes_used; ++lane) {
        std::vector<float> positions;
        for (std::size_t i = 0; i < config.controls.size(); ++i) {
            const Control& k = config.controls[i];
            positions.push_back(2 * (c.controls[lane][i] - k.min) / (k.max - k.min) - 1);
        }
        trainer.add_take(planar(c.dry[lane], config.channels), planar(c.wet[lane], config.channels), positions);
        if (!c.from_silence)
            trainer.set_sequence(static_cast<int>(lane), {c.start[lane].conv.data(), c.start[lane].h.data(), c.start[lane].fir_in.data(),
                                                          c.start[lane].fir_out.data()},
                             c.previous_error[lane].data());
        order[lane] = {static_cast<int>(lane), 0, c.unscored[lane],
                       c.from_silence ? kernels::SequenceStart::silence : kernels::SequenceStart::carried,
                       c.weight[lane]};
    }
    const SegmentLoss loss = loss_of(c);
    DeviceStep step;
    step.samples = c.steps;
    step.plain = static_cast<float>(loss.esr_weight / (loss.samples * loss.target_power));
    step.emphasised = static_cast<float>(loss.pre_emphasis_weight / (loss.samples * loss.pre_emphasised_power));
    step.mrstft = static_cast<float>(mrstft_weight / loss.sequences);
    step.rate = 1e-3;
    step.average_keep = 0.5;
    DeviceAnswer out;
    for (step.number = 1; step.number <= updates; ++step.number) trainer.step(order, step);
    out.answer.loss = trainer.take_loss();
    out.answer.gradient = trainer.gradient();
    for (std::size_t lane = 0; lane < lanes_used; ++lane) {
        State end = zero_state(config);
        std::vector<float> error(static_cast<std::size_t>(config.channels));
        trainer.get_sequence(static_cast<int>(lane), {end.conv.data(), end.h.data(), end.fir_in.data(), end.fir_out.data()}, error.data());
        append_state(out.answer.end, end);
        out.answer.error.insert(out.answer.error.end(), error.begin(), error.end());
    }
    out.vectors = trainer.vectors();
    return out;
}

/// The update that follows from a gradient.
std::vector<float> updated(SegmentCase& c, std::vector<float> gradient) {
    double square = 0;
    for (const float g : gradient) square += double(g) * double(g);
    if (const double norm = std::sqrt(square); norm > 1)
        for (float& g : gradient) g *= static_cast<float>(1 / norm);
    std::vector<float> w = c.model.weights.values, m(w.size()), v(w.size());
    equations::adamw<float>(w.size(), {1e-3, 0.9, 0.99, 1e-8, 0.01}, 1, gradient.data(), w.data(), m.data(), v.data());
    return w;
}

const std::vector<std::pair<ModelConfig, bool>> models{
    {preset(8, 1, 4, 4, DecayShape::full, BBar::ema), true},
    {preset(8, 2, 4, 4, DecayShape::tied, BBar::ema), true},
    {preset(8, 2, 8, 2, DecayShape::full, BBar::ema), true},
    {preset(16, 2, 16, 2, DecayShape::full, BBar::euler), false},
    {full_config(), true},
    {full_config(), false},
};

void check_update(SegmentCase& c, const Answer& expected) {
    const DeviceAnswer got = on_gpu(c);
    check_close(expected, got.answer);
    // Given the GPU's own gradient: Adam's first step is rate * sign(g), which a rounding can turn.
    const Distance w = distance(updated(c, got.answer.gradient), got.vectors.weights);
    INFO("weights " << w.rms << " rms, " << w.max << " max");
    CHECK(w.within(1e-6, 1e-5));
}

} // namespace

TEST_CASE("an update on the GPU is the CPU's") {
    if (!gpu()) return;
    for (const auto& [config, biases] : models)
        for (const int steps : {1, 7, 8, 33, 256, 1433}) {
            CAPTURE(config.d_model, config.d_state, steps, biases);
            SegmentCase c(config, steps, biases, steps % 2 == 0);
            check_update(c, on_cpu(c));
        }
}

TEST_CASE("an update on the GPU of any blocks and filters is float64's") {
    if (!gpu()) return;
    for (const auto& [name, config] : block_cases())
        for (const int steps : {1, 8, 33, 700, 1433}) {
            CAPTURE(name, steps);
            SegmentCase c(config, steps, steps % 3 != 0, steps % 2 == 0);
            check_update(c, in_float64(c));
        }
}

TEST_CASE("any number of thread blocks to a sequence gives the same bits") {
    if (!gpu()) return;
    std::vector<std::pair<std::string, ModelConfig>> all = block_cases();
    all.emplace_back("knobs", full_config());
    for (const auto& [name, config] : all) {
        CAPTURE(name);
        SegmentCase c(config, 1433, true, true);
        const DeviceAnswer one = on_gpu(c, 3, 0.1, 1);
        for (const int blocks : {2, 4, 8}) {
            const DeviceAnswer several = on_gpu(c, 3, 0.1, blocks);
            CHECK(one.answer.gradient == several.answer.gradient);
            CHECK(one.answer.loss == several.answer.loss);
            CHECK(one.answer.end == several.answer.end);
            CHECK(one.vectors.weights == several.vectors.weights);
        }
    }
}

TEST_CASE("an update with the spectral loss on the GPU is the CPU's") {
    if (!gpu()) return;
    for (const auto& [config, biases] : {models[1], models[4]})
        for (const int steps : {200, 700, 1433}) {
            CAPTURE(config.d_model, steps);
            SegmentCase c(config, steps, biases, false);
            const Answer cpu = on_cpu(c, 0.1), got = on_gpu(c, 1, 0.1).answer;
            CHECK(close(cpu.loss, got.loss, 1e-4 * cpu.loss));
            // Both FFTs are float32: serpent/kernels/stft_loss.h allows 2e-3 of the gradient's norm to each.
            CHECK(distance(cpu.gradient, got.gradient).within(4e-3, 1.0));
        }
}

// Small, for compute-sanitizer, under which everything takes a hundred times as long.
TEST_CASE("one small step of training and one with the spectral loss", "[sanitizer]") {
    if (!gpu()) return;
    SegmentCase c(full_config(), 41, true, false);
    (void)on_gpu(c, 2);
    SegmentCase d(preset(8, 2, 4, 2, DecayShape::tied, BBar::ema), 251, true, true);
    (void)on_gpu(d, 1, 0.1);
    for (const auto& [name, config] : block_cases()) {
        SegmentCase e(config, 41, true, true);
        (void)on_gpu(e);
    }
}

TEST_CASE("training on the GPU gives the same bits twice") {
    if (!gpu()) return;
    std::vector<std::pair<ModelConfig, bool>> all = models;
    for (const auto& [name, config] : block_cases()) all.emplace_back(config, true);
    for (const auto& [config, biases] : all) {
        SegmentCase c(config, 300, biases, false);
        const DeviceAnswer a = on_gpu(c, 20), b = on_gpu(c, 20);
        CHECK(a.vectors.weights == b.vectors.weights);
        CHECK(a.vectors.average == b.vectors.average);
        CHECK(a.answer.gradient == b.answer.gradient);
        CHECK(a.answer.loss == b.answer.loss);
        CHECK(a.answer.end == b.answer.end);
    }
}
