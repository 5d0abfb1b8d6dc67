// SPDX-License-Identifier: GPL-3.0-or-later
// What a host relies on: in-place buffers, empty blocks, recovery, controls, states, errors.
#include "model/example_model.h"
#include "stream_helpers.h"

#include "serpent/errors.h"
#include "serpent/kernels/flush_denormals.h"
#include "serpent/kernels/live.h"

#include <catch2/catch.hpp>

#include <limits>

using namespace serpent;
using namespace serpent::test;

namespace {

const std::string film_name = "film_8_16_4_2";

bool all_finite(const Planar& signal) {
    return std::all_of(signal.begin(), signal.end(), [](const std::vector<float>& channel) {
        return std::all_of(channel.begin(), channel.end(), [](float v) { return std::isfinite(v); });
    });
}

} // namespace

TEST_CASE("in-place processing gives the same samples", "[stream]") {
    const auto model = golden_model("stereo_6_12_4_2");
    const Planar in = noise(2, 1000);
    Stream separate(model), in_place(model);
    const Planar expected = play(separate, in, {100});
    Planar buffer = in;
    for (std::size_t at = 0; at < 1000; at += 100) process(in_place, buffer, buffer, at, 100);
    CHECK((buffer == expected));
}

TEST_CASE("a block of no samples changes nothing", "[stream]") {
    Stream stream(golden_model(film_name));
    const State before = stream.state();
    Planar in(1), out(1);
    process(stream, in, out, 0, 0);
    stream.process(nullptr, nullptr, 0);
    CHECK(stream.state().h == before.h);
    CHECK(stream.state().conv == before.conv);
}

TEST_CASE("NaN and infinity in the input count as 0", "[stream]") {
    const auto model = golden_model("stereo_6_12_4_2");
    Planar bad = noise(2, 600), clean = bad;
    const float values[] = {NAN, INFINITY, -INFINITY, std::numeric_limits<float>::signaling_NaN()};
    for (std::size_t t = 50; t < 600; t += 77) {
        bad[t % 2][t] = values[t % 4];
        clean[t % 2][t] = 0.0f;
    }
    Stream a(model), b(model);
    CHECK((play(a, bad, {64}) == play(b, clean, {64})));
}

TEST_CASE("absurd levels do not poison the state", "[stream]") {
    for (const char* name : {"film_8_16_4_2", "mamba_reference_16_32_16_4", "tied_euler_8_16_4_2"}) {
        const auto model = golden_model(name);
        for (const kernels::Isa isa : kernels::available_isas()) {
            CAPTURE(name, kernels::isa_name(isa));
            Stream stream(model, {.isa = isa});
            Planar in = noise(1, 512);
            for (std::size_t t = 0; t < 100; ++t) in[0][t] = (t % 2 ? -1.0f : 1.0f) * std::numeric_limits<float>::max();
            CHECK(all_finite(play(stream, in, {64})));
            CHECK(all_finite({stream.state().h, stream.state().conv}));
        }
    }
}

TEST_CASE("a state that is not finite is set anew", "[stream]") {
    const auto model = golden_model(film_name);
    const Planar in = noise(1, 320);
    for (const bool in_h : {true, false}) {
        Stream stream(model), fresh(model);
        State state = stream.state();
        (in_h ? state.h : state.conv)[3] = NAN;
        stream.set_state(state);
        Planar lost(1, std::vector<float>(kernels::live_block, NAN));
        process(stream, in, lost, 0, kernels::live_block);
        CHECK(lost[0] == std::vector<float>(kernels::live_block, 0.0f));
        CHECK((play(stream, in, {64}) == play(fresh, in, {64})));
    }
}

TEST_CASE("silence from the silence state stays a constant, from the zero state it moves", "[stream]") {
    const auto model = golden_model("slow_ema_8_16_8_2");
    const Planar in = silence(1, 4800);
    Stream settled(model), zero(model, {.initial_state = InitialState::zero});
    const std::vector<float> constant = play(settled, in, {64})[0], moving = play(zero, in, {64})[0];
    const auto [low, high] = std::minmax_element(moving.begin(), moving.end());
    REQUIRE(*high - *low > 1e-3f);
    // The live engine's fixed point is float32's, the silence state float64's: they differ by some roundings.
    for (const float v : constant) REQUIRE(close(constant[0], v, 1e-5));
}

TEST_CASE("reset goes back to the initial state at the current controls", "[stream]") {
    const auto model = golden_model(film_name);
    const Planar in = noise(1, 500);
    for (const InitialState initial : {InitialState::silence, InitialState::zero}) {
        Stream stream(model, {.initial_state = initial});
        const Planar first = play(stream, in, {64});
        stream.reset();
        CHECK((play(stream, in, {100}) == first));
        stream.set_control(0, 9.0f);
        stream.reset();
        const std::vector<float> controls{9.0f, model->config.controls[1].default_value};
        const State expected = initial == InitialState::silence ? silence_state(*model, controls) : zero_state(model->config);
        CHECK(stream.state().h == expected.h);
        CHECK(stream.state().conv == expected.conv);
    }
}

TEST_CASE("controls move without clicks and arrive", "[stream]") {
    const auto model = golden_model(film_name);
    const std::size_t n = 48000;
    Stream stream(model), arrived(model);
    arrived.set_control(0, 9.0f);
    arrived.set_control(1, -6.0f);
    arrived.reset();
    const Planar in = silence(1, n);
    const float before = play(stream, silence(1, 64), {64})[0].back();
    stream.set_control(0, 9.0f);
    stream.set_control(1, -6.0f);
    const std::vector<float> moving = play(stream, in, {64})[0], target = play(arrived, in, {64})[0];
    const auto [low, high] = std::minmax_element(moving.begin(), moving.end());
    const float travel = std::max(*high, before) - std::min(*low, before);
    REQUIRE(travel > 1e-3f);  // else this model could not show a click
    float step = std::abs(moving[0] - before);
    for (std::size_t t = 1; t < n; ++t) step = std::max(step, std::abs(moving[t] - moving[t - 1]));
    // A ramp of 480 samples takes 1/480 of the way each; an eighth of a ramp of slack for a curved path.
    CHECK(step <= travel / 60);
    // The memories of this model settle within the second.
    CHECK(close(target.back(), moving.back(), 1e-4 * travel));
}

TEST_CASE("moving controls give the same bits in any blocks", "[stream]") {
    const auto model = golden_model(film_name);
    const Planar in = noise(1, 3000);
    const auto with_moves = [&](std::size_t block) {
        Stream stream(model);
        Planar out = in;
        for (std::size_t at = 0; at < 3000;) {
            // Moves at 100, 300 (within the first ramp) and 1500, whatever the blocks.
            if (at == 100) stream.set_control(0, 9.0f);
            if (at == 300) stream.set_control(1, 12.0f);
            if (at == 1500) stream.set_control(0, 0.0f);
            std::size_t n = std::min(block, 3000 - at);
            for (const std::size_t move : {100, 300, 1500})
                if (at < move) n = std::min(n, move - at);
            process(stream, in, out, at, n);
            at += n;
        }
        return out;
    };
    const Planar expected = with_moves(1);
    for (const std::size_t block : {3, 16, 17, 32, 33, 512}) CHECK((with_moves(block) == expected));
}

TEST_CASE("control values are clamped, unknown controls ignored, NaN is the default", "[stream]") {
    const auto model = golden_model(film_name);
    const Planar in = noise(1, 1000);
    const auto answer = [&](int index, float value) {
        Stream stream(model);
        stream.set_control(index, value);
        return play(stream, in, {50});
    };
    const Planar untouched = answer(0, model->config.controls[0].default_value);
    CHECK((answer(0, 1e9f) == answer(0, model->config.controls[0].max)));
    CHECK((answer(0, -INFINITY) == answer(0, model->config.controls[0].min)));
    CHECK((answer(0, 9.0f) != untouched));
    CHECK((answer(0, NAN) == untouched));
    CHECK((answer(-1, 9.0f) == untouched));
    CHECK((answer(2, 9.0f) == untouched));
}

TEST_CASE("a state carries over to another stream", "[stream]") {
    const auto model = golden_model("odd_widths_5_10_3_3");
    const Planar in = noise(1, 400);
    Stream whole(model), first(model), second(model, {.initial_state = InitialState::zero});
    const Planar expected = play(whole, in, {64});
    Planar out = in;
    process(first, in, out, 0, 150);
    second.set_state(first.state());
    process(second, in, out, 150, 250);
    CHECK((out == expected));
}

TEST_CASE("bad use is refused with a reason", "[stream]") {
    const auto model = golden_model(film_name);
    Stream stream(model);
    stream.prepare(48000, 64);
    CHECK(stream.latency_samples() == 0);
    for (const double rate_hz : {double(NAN), 0.0, -48000.0, 999.0, 2e6}) CHECK_THROWS_AS(stream.prepare(rate_hz, 64), Error);
    CHECK_THROWS_AS(stream.prepare(48000, 0), Error);
    CHECK_THROWS_AS(Stream(nullptr), Error);
    State state = stream.state();
    state.h.pop_back();
    CHECK_THROWS_AS(stream.set_state(state), Error);
    CHECK_THROWS_AS(stream.state(1), Error);
    CHECK_THROWS_AS(stream.state(-1), Error);
    CHECK_THROWS_AS(Stream(model, {.instances = 0}), Error);
    CHECK_THROWS_AS(Stream(model, {.oversampling = 3}), Error);
    auto broken = *model;
    broken.weights.layers[0].A_log = broken.weights.layers[0].A_log.first(1);
    CHECK_THROWS_AS(Stream(std::make_shared<Model>(broken)), Error);
#if defined(__x86_64__)
    CHECK_THROWS_AS(Stream(model, {.isa = kernels::Isa::neon}), Error);
#else
    CHECK_THROWS_AS(Stream(model, {.isa = kernels::Isa::avx2}), Error);
#endif
}

TEST_CASE("denormals are flushed inside and the thread's mode comes back", "[stream]") {
    volatile float denormal = 1e-40f, one = 1.0f;
    REQUIRE(denormal * one != 0.0f);
    {
        const kernels::FlushDenormals flush;
        CHECK(denormal * one == 0.0f);
    }
    Stream stream(golden_model(film_name));
    play(stream, silence(1, 64), {64});
    CHECK(denormal * one != 0.0f);
}
