// SPDX-License-Identifier: GPL-3.0-or-later
// One training segment of 16 lanes with random inputs, and core's CPU trainer's answer to it.
#pragma once

#include "close.h"
#include "model/example_model.h"
#include "random.h"
#include "training/film_gradient.h"
#include "training/segment_gradient.h"

#include <catch2/catch.hpp>

#include <array>

namespace serpent::test {

inline constexpr std::size_t lanes_used = static_cast<std::size_t>(lanes::lane_count);

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
                for (auto* part : {&state.conv, &state.h, &state.fir_in, &state.fir_out})
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

inline void append_state(std::vector<float>& to, const State& state) {
    for (const auto* part : {&state.conv, &state.h, &state.fir_in, &state.fir_out}) to.insert(to.end(), part->begin(), part->end());
}

inline SegmentLoss loss_of(const SegmentCase& c) {
    SegmentLoss loss;
    loss.esr_weight = 1, loss.pre_emphasis_weight = 0.25, loss.pre_emphasised_power = 0.3;
    loss.sequences = static_cast<double>(lanes::lane_count) * c.model.config.channels;
    loss.samples = loss.sequences * c.steps;
    return loss;
}

inline Answer on_cpu(SegmentCase& c, double mrstft_weight = 0) {
    const ModelConfig& config = c.model.config;
    lanes::LaneModel model(config, c.model.weights, kernels::lane_ops(kernels::default_isa()));
    SegmentGradient segment(model, c.model.weights, c.steps);
    for (std::size_t lane = 0; lane < lanes_used; ++lane) {
        segment.state.set_lane(static_cast<int>(lane), c.start[lane]);
        if (!config.controls.empty()) segment.film.set_lane(static_cast<int>(lane), film(c.model, c.controls[lane]));
        for (int ch = 0; ch < config.channels; ++ch) {
            segment.previous_error[lanes::lane_floats(static_cast<std::size_t>(ch)) + lane] = c.previous_error[lane][static_cast<std::size_t>(ch)];
            for (int t = 0; t < c.steps; ++t) {
                const auto to = lanes::lane_floats(static_cast<std::size_t>(t * config.channels + ch)) + lane;
                segment.in[to] = c.dry[lane][static_cast<std::size_t>(ch * c.steps + t)];
                segment.target[to] = c.wet[lane][static_cast<std::size_t>(ch * c.steps + t)];
            }
        }
    }
    segment.unscored = c.unscored;
    segment.lane_weight = c.weight;
    Answer a;
    SegmentLoss loss = loss_of(c);
    loss.mrstft_weight = mrstft_weight;
    a.loss = segment.run(c.steps, loss);
    for (std::size_t i = 0; i < segment.gradients().size(); ++i) a.gradient.push_back(segment.gradients().sum(i));
    std::size_t at = 0;
    for (const TensorRef& t : tensors(config, c.model.weights)) {
        if (t.name.ends_with("A_log"))
            for (std::size_t i = 0; i < t.data.size(); ++i) a.gradient[at + i] *= -std::exp(t.data[i]);
        at += t.data.size();
    }
    if (!config.controls.empty())
        for (std::size_t lane = 0; lane < lanes_used; ++lane)
            FilmGradient(c.model).add(segment.film_gradients(), static_cast<int>(lane), c.controls[lane], a.gradient);
    for (std::size_t lane = 0; lane < lanes_used; ++lane) {
        const State end = segment.state.lane(static_cast<int>(lane), config);
        append_state(a.end, end);
        for (int ch = 0; ch < config.channels; ++ch)
            a.error.push_back(segment.previous_error[lanes::lane_floats(static_cast<std::size_t>(ch)) + lane]);
    }
    return a;
}

inline void check_close(const Answer& expected, const Answer& got) {
    // Both sides are float32; each is within some 1e-6 of float64 on sums of a few thousand terms with cancellation.
    CHECK(close(expected.loss, got.loss, 1e-5 * expected.loss));
    const Distance g = distance(expected.gradient, got.gradient), e = distance(expected.end, got.end);
    INFO("gradient " << g.rms << " rms, " << g.max << " max; end state " << e.rms << " rms, " << e.max << " max");
    CHECK(g.within(2e-5, 5e-4));
    CHECK(e.within(1e-5, 1e-4));
    CHECK(distance(expected.error, got.error).within(1e-5, 1e-4));
}

inline ModelConfig preset(int d_model, int expand, int d_state, int layers, DecayShape a, BBar b_bar) {
    ModelConfig c;
    c.d_model = d_model, c.expand = expand, c.d_state = d_state, c.n_layers = layers, c.a = a, c.b_bar = b_bar;
    c.skip = true;
    return c;
}

/// Models with blocks of other kinds, dilations and filters at the ends. "in turn" is the form of the presets.
inline std::vector<std::pair<std::string, ModelConfig>> block_cases() {
    using enum BlockKind;
    ModelConfig winner = preset(8, 1, 4, 6, DecayShape::full, BBar::euler);
    winner.blocks = {rotating}, winner.dilations = {1, 3, 9, 27, 81, 243}, winner.fir_in = 64, winner.fir_out = 256;
    ModelConfig in_turn = preset(8, 1, 4, 4, DecayShape::full, BBar::ema);
    in_turn.blocks = {rotating, selective}, in_turn.dilations = {1, 9, 81, 243}, in_turn.fir_in = 16, in_turn.fir_out = 32;
    ModelConfig tied = preset(5, 2, 6, 2, DecayShape::tied, BBar::euler);
    tied.blocks = {rotating}, tied.dilations = {2}, tied.channels = 2, tied.fir_in = 7, tied.fir_out = 13, tied.dt_rank = 2;
    ModelConfig mixed = preset(6, 1, 4, 3, DecayShape::full, BBar::ema);
    mixed.blocks = {selective, rotating, time_invariant}, mixed.dilations = {1, 2, 5}, mixed.fir_out = 1, mixed.skip = false;
    ModelConfig dilated = preset(8, 2, 4, 2, DecayShape::tied, BBar::ema);
    dilated.dilations = {4, 30}, dilated.fir_in = 9, dilated.final_norm = false;
    ModelConfig still = preset(8, 1, 8, 2, DecayShape::full, BBar::euler);
    still.blocks = {time_invariant}, still.d_conv = 1;
    return {{"winner", winner}, {"in turn", in_turn}, {"tied rotating", tied}, {"mixed", mixed}, {"dilated", dilated}, {"time-invariant", still}};
}

} // namespace serpent::test
