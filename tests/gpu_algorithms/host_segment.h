// SPDX-License-Identifier: GPL-3.0-or-later
// The device's training algorithm on the CPU: one segment, lane after lane, by one thread or by a team with barriers.
#pragma once

#include "gpu/model_layout.h"
#include "gpu/segment.h"
#include "gpu_algorithms/segment_case.h"

#include <barrier>
#include <memory>
#include <thread>

namespace serpent::test {

using namespace serpent::kernels::gpu;


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
inline Answer as_device(SegmentCase& c, int threads) {
    const ModelConfig& config = c.model.config;
    const kernels::DeviceModelLayout layout = device_layout(config, c.model.weights);
    const std::vector<float>& parameters = c.model.weights.values;
    const std::vector<Layer> layers = layers_of(layout.shape, layout.layers);
    const Shape shape = shape_of(layout.shape, layout.n_controls);
    std::vector<float> rates(static_cast<std::size_t>(shape.rates));
    std::vector<Turn> turns(static_cast<std::size_t>(shape.turns)), chunk_turns(turns.size());
    layer_constants(SerialTeam{}, shape.n_layers, layers.data(), parameters.data(), segment_chunk, {rates.data(), turns.data(), chunk_turns.data()});
    std::vector<float> positions;
    for (const auto& values : c.controls)
        for (std::size_t i = 0; i < values.size(); ++i) {
            const Control& k = config.controls[i];
            positions.push_back(2 * (values[i] - k.min) / (k.max - k.min) - 1);
        }
    const SegmentModel model{shape, {parameters.data(), layers.data(), layout.model}, {rates.data(), turns.data(), chunk_turns.data()},
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
            for (auto* part : {&state.conv, &state.h, &state.fir_in, &state.fir_out}) std::fill(part->begin(), part->end(), NAN);
        std::vector<float> error = c.previous_error[lane], gradient(layout.parameters, NAN);
        const SequenceJob job{c.dry[lane].data(), c.wet[lane].data(), c.steps, static_cast<int>(lane),
                              c.unscored[lane], c.from_silence, c.weight[lane]};
        const SequenceMemory memory{{state.conv.data(), state.h.data(), state.fir_in.data(), state.fir_out.data()},
                                {end.conv.data(), end.h.data(), end.fir_in.data(), end.fir_out.data()}, error.data()};
        const auto run = [&](const auto& team) {
            const SegmentPass pass(team, model, job, memory, workspace, c.steps);
            pass.forward();
            pass.score(weights);
            pass.backward({gradient.data(), layers.data(), layout.model});
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
        append_state(a.end, end);
        a.error.insert(a.error.end(), error.begin(), error.end());
    }
    return a;
}

} // namespace serpent::test
