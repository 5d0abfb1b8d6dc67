// SPDX-License-Identifier: GPL-3.0-or-later
// Training on the device, run on the CPU: one segment of 16 lanes against core's CPU trainer, loss, gradient and end state, by one
// thread and by a team of three with barriers.
#include "close.h"
#include "device/model_layout.h"
#include "device/segment.h"
#include "model/example_model.h"
#include "random.h"
#include "training/film_gradient.h"
#include "training/segment_gradient.h"

#include <catch2/catch.hpp>

#include <barrier>
#include <memory>
#include <thread>

using namespace serpent;
using namespace serpent::kernels::device;
using namespace serpent::test;
using serpent::lanes::lane_count;
using serpent::lanes::lane_floats;

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

constexpr std::size_t lanes_used = static_cast<std::size_t>(lane_count);

/// Inputs of one segment, lane by lane, planar channels.
struct SegmentCase {
    Model model;
    int steps;
    std::vector<std::vector<float>> dry, wet, controls, previous_error;
    std::vector<State> start;
    std::array<int, lanes_used> unscored{};
    std::array<float, lanes_used> weight{};
    bool from_silence;

    SegmentCase(const ModelConfig& config, int steps_, bool biases, bool silence)
        : model(random_model(config, biases)), steps(steps_), from_silence(silence) {
        Random random(11);
        const auto channels = static_cast<std::size_t>(config.channels), n = static_cast<std::size_t>(steps) * channels;
        for (std::size_t lane = 0; lane < lanes_used; ++lane) {
            dry.push_back(random.vector<float>(n));
            wet.push_back(random.vector<float>(n));
            previous_error.push_back(random.vector<float>(channels));
            if (from_silence) std::fill(previous_error.back().begin(), previous_error.back().end(), 0.0f);
            std::vector<float>& values = controls.emplace_back();
            for (const Control& k : config.controls) values.push_back(static_cast<float>(random.uniform(k.min, k.max)));
            State state = silence_state(model, values);
            if (!from_silence)
                for (auto* part : {&state.conv, &state.h})
                    for (float& v : *part) v += static_cast<float>(random.uniform(-0.3, 0.3));
            start.push_back(state);
            unscored[lane] = lane % 3 == 0 ? static_cast<int>(lane) : 0;
            weight[lane] = static_cast<float>(random.uniform(0.5, 2.0));
        }
    }
};

struct Answer {
    double loss = 0;
    std::vector<float> gradient, end, error;
};

SegmentLoss loss_of(const SegmentCase& c) {
    SegmentLoss loss;
    loss.esr_weight = 1, loss.pre_emphasis_weight = 0.25, loss.pre_emphasised_power = 0.3;
    loss.sequences = static_cast<double>(lane_count) * c.model.config.channels;
    loss.samples = loss.sequences * c.steps;
    return loss;
}

Answer on_cpu(SegmentCase& c) {
    const ModelConfig& config = c.model.config;
    lanes::LaneModel model(config, c.model.weights, kernels::lane_ops(kernels::default_isa()));
    SegmentGradient segment(model, c.model.weights, c.steps);
    for (std::size_t lane = 0; lane < lanes_used; ++lane) {
        segment.state.set_lane(static_cast<int>(lane), c.start[lane]);
        if (!config.controls.empty()) segment.film.set_lane(static_cast<int>(lane), film(c.model, c.controls[lane]));
        for (int ch = 0; ch < config.channels; ++ch) {
            segment.previous_error[lane_floats(static_cast<std::size_t>(ch)) + lane] = c.previous_error[lane][static_cast<std::size_t>(ch)];
            for (int t = 0; t < c.steps; ++t) {
                const auto to = lane_floats(static_cast<std::size_t>(t * config.channels + ch)) + lane;
                segment.in[to] = c.dry[lane][static_cast<std::size_t>(ch * c.steps + t)];
                segment.target[to] = c.wet[lane][static_cast<std::size_t>(ch * c.steps + t)];
            }
        }
    }
    segment.unscored = c.unscored;
    segment.lane_weight = c.weight;
    Answer a;
    a.loss = segment.run(c.steps, loss_of(c));
    for (std::size_t i = 0; i < segment.gradients().size(); ++i) a.gradient.push_back(segment.gradients().sum(i));
    std::size_t at = 0;
    for (const TensorRef& t : tensors(config, c.model.weights)) {
        if (t.name.ends_with("A_log"))
            for (std::size_t i = 0; i < t.data->size(); ++i) a.gradient[at + i] *= -std::exp((*t.data)[i]);
        at += t.data->size();
    }
    if (!config.controls.empty())
        for (std::size_t lane = 0; lane < lanes_used; ++lane)
            FilmGradient(c.model).add(segment.film_gradients(), static_cast<int>(lane), c.controls[lane], a.gradient);
    for (std::size_t lane = 0; lane < lanes_used; ++lane) {
        const State end = segment.state.lane(static_cast<int>(lane), config);
        a.end.insert(a.end.end(), end.conv.begin(), end.conv.end());
        a.end.insert(a.end.end(), end.h.begin(), end.h.end());
        for (int ch = 0; ch < config.channels; ++ch)
            a.error.push_back(segment.previous_error[lane_floats(static_cast<std::size_t>(ch)) + lane]);
    }
    return a;
}

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

void check_close(const Answer& expected, const Answer& got) {
    // Both sides are float32; each is within some 1e-6 of float64 on sums of a few thousand terms with cancellation.
    CHECK(close(expected.loss, got.loss, 1e-5 * expected.loss));
    const Distance g = distance(expected.gradient, got.gradient), e = distance(expected.end, got.end);
    INFO("gradient " << g.rms << " rms, " << g.max << " max; end state " << e.rms << " rms, " << e.max << " max");
    CHECK(g.within(2e-5, 5e-4));
    CHECK(e.within(1e-5, 1e-4));
    CHECK(distance(expected.error, got.error).within(1e-5, 1e-4));
}

ModelConfig preset(int d_model, int expand, int d_state, int layers, DecayShape a, BBar b_bar) {
    ModelConfig c;
    c.d_model = d_model, c.expand = expand, c.d_state = d_state, c.n_layers = layers, c.a = a, c.b_bar = b_bar;
    c.skip = true;
    return c;
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
