// SPDX-License-Identifier: GPL-3.0-or-later
// Training on the device, run on the CPU: one segment of 16 lanes against core's CPU trainer, loss, gradient and end state, by one
// thread and by a team of three with barriers.
#include "device/model_layout.h"
#include "device/segment.h"
#include "device/segment_case.h"

#include <barrier>
#include <memory>
#include <thread>

using namespace serpent;
using namespace serpent::kernels::device;
using namespace serpent::test;

namespace {

/// A block of threads that meet at sync(), as a device's do.
class ThreadTeam {
public:
    ThreadTeam(int rank, int size, std::barrier<>& barrier) : rank_(rank), size_(size), barrier_(&barrier) {}
    int rank() const { return rank_; }
    int size() const { return size_; }
    void sync() const { barrier_->arrive_and_wait(); }

private:
    int rank_, size_;
    std::barrier<>* barrier_;
};

/// The device's algorithm, lane after lane, each by `threads` threads.
Answer as_device(SegmentCase& c, int threads) {
    const ModelConfig& config = c.model.config;
    const kernels::DeviceModelLayout layout = device_layout(config, c.model.weights);
    const std::vector<float> parameters = flat_parameters(config, c.model.weights);
    std::vector<float> rates;
    for (const LayerWeights& w : c.model.weights.layers)
        for (const float a : w.A_log) rates.push_back(-std::exp(a) * log2_e);
    std::vector<float> positions;
    for (const auto& values : c.controls)
        for (std::size_t i = 0; i < values.size(); ++i) {
            const Control& k = config.controls[i];
            positions.push_back(2 * (values[i] - k.min) / (k.max - k.min) - 1);
        }
    const SegmentModel model{{layout.shape}, {parameters.data(), layout.layers.data(), layout.model}, rates.data(),
                             positions.empty() ? nullptr : positions.data()};
    const SegmentLoss loss = loss_of(c);
    const SegmentLossWeights weights{static_cast<float>(loss.esr_weight / (loss.samples * loss.target_power)),
                                     static_cast<float>(loss.pre_emphasis_weight / (loss.samples * loss.pre_emphasised_power)), 0.85f};
    const Index capacity = (c.steps + 31) / 32 * 32;
    Carver counter(nullptr);
    carve_segment(counter, model.shape, capacity);
    lanes::LaneBuffer block(static_cast<std::size_t>(counter.used()), NAN);
    Carver carver(block.data());
    const SegmentWorkspace workspace = carve_segment(carver, model.shape, capacity);
    Answer a;
    a.gradient.assign(layout.parameters, 0.0f);
    for (std::size_t lane = 0; lane < lanes_used; ++lane) {
        std::fill(block.begin(), block.end(), NAN);  // nothing may be read that was not written
        State state = c.start[lane], end = zero_state(config);
        if (c.from_silence)
            for (auto* part : {&state.conv, &state.h}) std::fill(part->begin(), part->end(), NAN);
        std::vector<float> error = c.previous_error[lane], gradient(layout.parameters, NAN);
        const LaneJob job{c.dry[lane].data(), c.wet[lane].data(), c.steps, static_cast<int>(lane), c.unscored[lane], c.from_silence, c.weight[lane]};
        const LaneMemory memory{state.conv.data(), state.h.data(), end.conv.data(), end.h.data(), error.data()};
        const auto run = [&](const auto& team) {
            const SegmentPass pass(team, model, job, memory, workspace, c.steps);
            pass.forward();
            pass.score(weights);
            pass.backward({gradient.data(), layout.layers.data(), layout.model});
        };
        if (threads == 1) {
            run(SerialTeam{});
        } else {
            std::barrier<> barrier(threads);
            std::vector<std::thread> team;
            for (int i = 0; i < threads; ++i) team.emplace_back([&, i] { run(ThreadTeam(i, threads, barrier)); });
            for (std::thread& thread : team) thread.join();
        }
        a.loss += *workspace.loss;
        for (std::size_t i = 0; i < gradient.size(); ++i) a.gradient[i] += gradient[i];
        a.end.insert(a.end.end(), end.conv.begin(), end.conv.end());
        a.end.insert(a.end.end(), end.h.begin(), end.h.end());
        a.error.insert(a.error.end(), error.begin(), error.end());
    }
    return a;
}

} // namespace

TEST_CASE("a training segment as the device computes it equals the CPU trainer's") {
    const std::vector<std::pair<ModelConfig, bool>> models{
        {preset(8, 1, 4, 4, DecayShape::full, BBar::ema), true},
        {preset(8, 2, 4, 4, DecayShape::tied, BBar::ema), true},
        {preset(8, 2, 8, 2, DecayShape::full, BBar::ema), true},
        {preset(16, 2, 16, 2, DecayShape::full, BBar::euler), false},
        {full_config(), true},
        {full_config(), false},
    };
    for (const auto& [config, biases] : models)
        for (const int steps : {1, 7, 8, 9, 33, 131}) {
            CAPTURE(config.d_model, config.d_state, steps, biases);
            SegmentCase c(config, steps, biases, steps % 2 == 0);
            check_close(on_cpu(c), as_device(c, 1));
        }
}

TEST_CASE("a training segment is the same bits from any team, and no thread outruns another") {
    ModelConfig config = full_config();
    config.final_norm = true;
    for (const bool silence : {false, true}) {
        SegmentCase c(config, 37, true, silence);
        const Answer one = as_device(c, 1), three = as_device(c, 3);
        CHECK(one.gradient == three.gradient);
        CHECK(one.end == three.end);
        CHECK(one.loss == three.loss);
    }
}
