// SPDX-License-Identifier: GPL-3.0-or-later
// Streams of what version 2 of the format adds: rotating and time-invariant blocks, mixed, stretched convolutions, filters.
#include "against_reference.h"
#include "model/example_model.h"
#include "standing_signal.h"

#include "serpent/kernels/flush_denormals.h"
#include "serpent/player.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <functional>

using namespace serpent;
using namespace serpent::test;

namespace {

struct Case {
    std::string name;
    ModelConfig config;
};

ModelConfig changed(ModelConfig config, const std::function<void(ModelConfig&)>& change) {
    change(config);
    return config;
}

std::vector<Case> cases() {
    const ModelConfig preset = resonant_preset();
    return {{"preset", preset},
            {"without filters", changed(preset, [](ModelConfig& c) { c.fir_in = c.fir_out = 0, c.dilations = {1}; })},
            {"tied", changed(preset, [](ModelConfig& c) { c.a = DecayShape::tied; })},
            {"two channels, controls", changed(preset, [](ModelConfig& c) { c.channels = 2, c.controls = full_config().controls; })},
            {"one tap", changed(preset, [](ModelConfig& c) { c.d_conv = 1, c.fir_in = c.fir_out = 1; })},
            {"8 states, wide", changed(preset, [](ModelConfig& c) { c.d_model = 20, c.d_state = 8, c.n_layers = 2, c.dilations = {1, 50}; })},
            {"6 states", changed(preset, [](ModelConfig& c) { c.d_state = 6, c.n_layers = 2, c.dilations = {5}; })},
            {"mixed", resonant_config()},
            {"time-invariant", changed(resonant_config(), [](ModelConfig& c) { c.blocks = {BlockKind::time_invariant}; })}};
}

std::shared_ptr<const Model> shared_model(const ModelConfig& config, double slowest_samples = 2000.0) {
    return std::make_shared<const Model>(random_model(config, true, slowest_samples));
}

/// Bits, NaN included.
bool same_state(const State& a, const State& b) {
    return a.conv == b.conv && a.h == b.h && a.h_low == b.h_low && a.fir_in == b.fir_in && a.fir_out == b.fir_out;
}

} // namespace

TEST_CASE("stream answers resonant models as in float64", "[stream][resonant]") {
    for (const Case& one : cases())
        for (const double slowest_samples : {100.0, 2000.0, 96000.0}) {
            CAPTURE(one.name, slowest_samples);
            const Model model = random_model(one.config, true, slowest_samples);
            check_against_reference(model, 3000);
            if (!one.config.controls.empty()) check_against_reference(model, 1500, {9.0f, -7.0f});
        }
}

TEST_CASE("stream answers resonant models on signals that stand still", "[stream][resonant]") {
    for (const Case& one : cases()) {
        Model model = random_model(one.config, true, 96000.0);
        for (LayerWeights& layer : model.weights.layers)
            for (float& angle : layer.A_imag) angle *= 0.02f;  // slow turns, so that slow states do not average out
        const auto channels = static_cast<std::size_t>(one.config.channels);
        const std::vector<float> in = standing_signal(channels, 9000);
        const std::vector<double> expected = answer_from_silence(model, in);
        for (const kernels::Isa isa : kernels::available_isas()) {
            if (isa == kernels::Isa::scalar) continue;
            Stream stream(std::make_shared<const Model>(model), {.isa = isa});
            const Distance d = worst_section(expected, interleaved(play(stream, planar(in, channels), {64})));
            CAPTURE(one.name, kernels::isa_name(isa), d.rms, d.max);
            CHECK(within_budget(d));
        }
    }
}

TEST_CASE("any blocks give a resonant model's same bits", "[stream][resonant]") {
    for (const Case& one : cases()) {
        const auto model = shared_model(one.config);
        const Planar in = noise(static_cast<std::size_t>(2 * one.config.channels), 2500);
        for (const kernels::Isa isa : kernels::available_isas()) {
            const auto answer = [&](const std::vector<std::size_t>& blocks) {
                Stream stream(model, {.isa = isa, .instances = 2});
                return play(stream, in, blocks);
            };
            const Planar expected = answer({1000});
            for (const std::vector<std::size_t>& blocks : {std::vector<std::size_t>{1}, {7}, {16}, {64}, {3, 0, 17, 500, 1}}) {
                CAPTURE(one.name, kernels::isa_name(isa), blocks[0]);
                CHECK((answer(blocks) == expected));
            }
        }
    }
}

TEST_CASE("a resonant stream goes on from a state that was taken", "[stream][resonant]") {
    for (const Case& one : cases()) {
        const auto model = shared_model(one.config);
        const auto channels = static_cast<std::size_t>(one.config.channels);
        const Planar before = noise(2 * channels, 1111, 1), after = noise(2 * channels, 700, 2);
        for (const kernels::Isa isa : kernels::available_isas()) {
            CAPTURE(one.name, kernels::isa_name(isa));
            Stream stream(model, {.isa = isa, .instances = 2}), other(model, {.isa = isa, .instances = 2});
            play(stream, before, {61});
            play(other, after, {5});
            for (int i = 0; i < 2; ++i) {
                other.set_state(stream.state(i), i);
                CHECK(same_state(other.state(i), stream.state(i)));
            }
            CHECK(!same_state(stream.state(0), stream.state(1)));
            CHECK((play(other, after, {64}) == play(stream, after, {19})));

            // The state is the reference's, filters included.
            ReferenceModel reference(*model);
            reference.set_state(silence_state(*model));
            const Planar first(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(channels));
            reference.process(interleaved(first));
            stream.reset();
            play(stream, before, {64});
            const State state = stream.state(0);
            if (!state.conv.empty()) CHECK(within_budget(distance(reference.state().conv, state.conv)));
            CHECK(within_budget(distance(reference.state().h, state.h)));
            if (!state.fir_in.empty()) CHECK(distance(reference.state().fir_in, state.fir_in).within(1e-7, 1e-7));
            if (!state.fir_out.empty()) CHECK(within_budget(distance(reference.state().fir_out, state.fir_out)));
        }
    }
}

TEST_CASE("a resonant stream starts in its silence, and comes back from what is not finite", "[stream][resonant]") {
    for (const Case& one : cases()) {
        const auto model = shared_model(one.config, 500.0);
        const auto channels = static_cast<std::size_t>(one.config.channels);
        const Planar quiet = silence(channels, 1500);
        Stream stream(model);
        const Planar rest = play(stream, quiet, {64});
        CAPTURE(one.name);
        for (std::size_t c = 0; c < channels; ++c)
            for (const float v : rest[c]) REQUIRE(close(rest[c][0], v, 1e-5));

        // NaN and infinities in the input count as zeros.
        Planar spoilt = noise(channels, 800), cleaned = spoilt;
        for (const std::size_t t : {5u, 77u, 300u}) spoilt[0][t] = t == 77 ? INFINITY : NAN, cleaned[0][t] = 0.0f;
        Stream a(model), b(model);
        CHECK((play(a, spoilt, {64}) == play(b, cleaned, {64})));

        // What overflows is answered with zeros, and then the instance starts anew; its neighbour hears nothing of it.
        Stream pair(model, {.instances = 2});
        Planar both = noise(2 * channels, 3000);
        const Planar lone(both.begin() + static_cast<std::ptrdiff_t>(channels), both.end());
        for (std::size_t t = 100; t < 140; ++t) both[0][t] = t % 2 ? 3e38f : -3e38f;
        const Planar out = play(pair, both, {64});
        for (const auto& channel : out)
            for (const float v : channel) REQUIRE(std::isfinite(v));
        Stream alone(model);
        const Planar expected = play(alone, lone, {64});
        for (std::size_t c = 0; c < channels; ++c) CHECK(within_budget(distance(expected[c], out[channels + c])));
    }
}

TEST_CASE("a resonant model's state decays to exact rest and denormals cost nothing", "[stream][resonant]") {
    const auto model = shared_model(resonant_preset());
    const auto seconds = [&](float level) {
        Stream stream(model);
        Planar in = silence(1, 64), out = in;
        for (std::size_t t = 0; t < 64; ++t) in[0][t] = t % 2 ? level : -level;
        double best = 1e9;
        for (int run = 0; run < 20; ++run) {
            const auto start = std::chrono::steady_clock::now();
            for (int i = 0; i < 30; ++i) process(stream, in, out, 0, 64);
            best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        }
        return best;
    };
    CHECK(seconds(1e-40f) <= 3 * seconds(0.3f));
}

TEST_CASE("a player plays a resonant model", "[player][resonant]") {
    const auto model = shared_model(resonant_preset());
    const Planar in = noise(1, 2000);
    Stream stream(model);
    Player player;
    player.load(model);
    player.prepare(48000, 256, 1);
    CHECK((play(player, in, {100}) == play(stream, in, {64})));
}
