// SPDX-License-Identifier: GPL-3.0-or-later
// Changing models while they play: no click, no gap, controls that arrive, nothing lost.
#include "render/gain_model.h"
#include "serpent/errors.h"
#include "serpent/player.h"
#include "stream_helpers.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

constexpr std::size_t fade = 720;  // 15 ms at 48 kHz

float largest_step(const std::vector<float>& signal) {
    float step = 0.0f;
    for (std::size_t t = 1; t < signal.size(); ++t) {
        const float now = std::abs(signal[t] - signal[t - 1]);
        if (!(now <= step)) step = now;
    }
    return step;
}

std::vector<float> guitar_like(std::size_t n) {
    std::vector<float> wave(n);
    for (std::size_t t = 0; t < n; ++t) {
        const double s = static_cast<double>(t) / 48000.0;
        wave[t] = static_cast<float>(0.3 * std::exp(-3 * std::fmod(s, 0.4)) * (std::sin(700 * s) + 0.5 * std::sin(2100 * s)));
    }
    return wave;
}

} // namespace

TEST_CASE("a player without a model passes the input, with one it answers like a stream", "[player]") {
    Player player;
    player.prepare(48000, 64, 2);
    const Planar in = noise(2, 500);
    CHECK((play(player, in, {64}) == in));
    CHECK(player.latency_samples() == 0);

    const auto model = golden_model("film_8_16_4_2");
    Player loaded;
    loaded.load(model);
    loaded.prepare(48000, 64, 2);
    Stream stream(model, {.instances = 2});
    CHECK((play(loaded, in, {64}) == play(stream, in, {64})));
    loaded.reset();
    stream.reset();
    CHECK((play(loaded, in, {100}) == play(stream, in, {64})));  // more than max_block goes in parts
    Planar in_place = in;
    loaded.reset();
    stream.reset();
    process(loaded, in_place, in_place, 0, 500);
    CHECK((in_place == play(stream, in, {64})));
}

TEST_CASE("a model fades in over 15 ms, linearly", "[player]") {
    Player player;
    player.load(shared_gain_model({1.0f}));
    player.prepare(48000, 256, 1);
    const Planar in(1, std::vector<float>(2000, 1.0f));
    play(player, in, {256});
    player.load(shared_gain_model({-3.0f}));
    const auto out = play(player, in, {100})[0];
    for (std::size_t t = 0; t < out.size(); ++t) {
        const double share = std::min(1.0, static_cast<double>(t + 1) / fade);
        REQUIRE(close(1.0 - 4.0 * share, out[t], 1e-6));
    }
}

TEST_CASE("before the first sample there is nothing to fade from", "[player]") {
    const auto model = golden_model("film_8_16_4_2");
    Stream stream(model);
    const Planar in = noise(1, 500);
    const Planar expected = play(stream, in, {64});
    Player player;
    player.prepare(48000, 64, 1);
    player.load(model);  // after prepare(), as hosts do that restore a session late
    CHECK((play(player, in, {64}) == expected));
    player.load(shared_gain_model({1.0f}));
    player.reset();
    player.load(model);
    CHECK((play(player, in, {64}) == expected));
}

TEST_CASE("the rate options change while a model plays, with its controls kept", "[player]") {
    const auto model = golden_model("film_8_16_4_2");
    const Planar in{guitar_like(6000)};
    Player player;
    player.load(model, std::vector{9.0f, -6.0f});
    player.prepare(44100, 64, 1);
    play(player, in, {64});
    CHECK(player.latency_samples() == 0);
    player.set_control(0, 2.0f);
    player.set_rate_options(RateMode::resample, 1);
    play(player, in, {64});  // picks it up and fades
    CHECK(player.latency_samples() > 0);
    player.reset();

    Stream stream(model, {.rate_mode = RateMode::resample});
    stream.set_control(0, 2.0f), stream.set_control(1, -6.0f);
    stream.prepare(44100, 64);
    CHECK((play(player, in, {64}) == play(stream, in, {64})));
    CHECK_THROWS_AS(player.set_rate_options(RateMode::resample, 3), Error);
    player.reset(), stream.reset();
    CHECK((play(player, in, {64}) == play(stream, in, {64})));
}

TEST_CASE("changing models does not click", "[player]") {
    const Planar in{guitar_like(12000)};
    std::vector<std::string> names{"scream", "fuzzface", "zamtube", "zamcomp", "opto"};
    for (const std::string& from : names) {
        const std::string to = from == names.back() ? names.front() : *(std::find(names.begin(), names.end(), from) + 1);
        CAPTURE(from, to);
        Player player;
        player.load(shipped_model(from));
        player.prepare(48000, 64, 1);
        Stream a(shipped_model(from)), b(shipped_model(to));
        const auto alone = play(a, in, {64})[0];
        Planar out = in;
        process(player, in, out, 0, 5000);
        player.load(shipped_model(to));
        process(player, in, out, 5000, 7000);
        Planar late(1, std::vector<float>(in[0].begin() + 5000, in[0].end()));
        const auto other = play(b, late, {64})[0];
        // Besides the steps of either, the fade itself moves by 1/720 of their distance.
        float apart = 0.0f;
        for (std::size_t t = 0; t < fade; ++t) apart = std::max(apart, std::abs(other[t] - alone[5000 + t]));
        CHECK(largest_step(out[0]) <= std::max(largest_step(alone), largest_step(other)) + apart / fade);
        // A control: the same change without the fade.
        std::vector<float> cut(alone.begin(), alone.begin() + 5000);
        cut.insert(cut.end(), other.begin(), other.end());
        CHECK(std::equal(out[0].begin(), out[0].begin() + 5000, alone.begin()));
        CHECK(std::equal(out[0].begin() + 5000 + fade, out[0].end(), other.begin() + fade));
    }
}

TEST_CASE("a fresh model does not thump", "[player]") {
    for (const double rate_hz : {44100.0, 48000.0, 96000.0})
        for (const char* name : {"scream", "fuzzface", "zamtube", "zamcomp", "opto", "zamcomp_knobs"}) {
            CAPTURE(name, rate_hz);
            Player player;
            player.prepare(rate_hz, 64, 1);
            const Planar in = silence(1, 9600);
            play(player, silence(1, 64), {64});
            player.load(shipped_model(name));
            const auto out = play(player, in, {64})[0];
            // From 0 to the model's answer to silence, linearly, and still from there on (to the resampler's 121 dB).
            CHECK(largest_step(out) <= std::abs(out.back()) / (0.015 * rate_hz) + 1e-5);
            CHECK(largest_step({out.begin() + 1500, out.end()}) <= 2e-6);
        }
}

TEST_CASE("controls set during a change apply to both models", "[player]") {
    const auto model = golden_model("film_8_16_4_2");
    const Planar in = noise(1, 4800);
    const auto last = [&](const std::vector<float>& out) { return std::vector<float>(out.end() - 100, out.end()); };
    const auto expected = [&](float value, std::size_t at) {
        Stream stream(model);
        Planar out = in;
        process(stream, in, out, 0, at);
        stream.set_control(0, value);
        process(stream, in, out, at, in[0].size() - at);
        return last(out[0]);
    };
    Player player;
    player.load(golden_model("tied_ema_8_16_4_4"));
    player.prepare(48000, 4800, 1);
    play(player, in, {64});
    SECTION("between load and pick-up") {
        player.load(model);
        player.set_control(0, 9.0f);
        CHECK(last(play(player, in, {64})[0]) == expected(9.0f, 0));
    }
    SECTION("while it fades in") {
        player.load(model);
        Planar out = in;
        process(player, in, out, 0, 128);
        player.set_control(0, 9.0f);
        process(player, in, out, 128, in[0].size() - 128);
        CHECK(last(out[0]) == expected(9.0f, 128));
    }
    SECTION("before load: that was for the old model") {
        player.set_control(0, 9.0f);
        player.load(model);
        CHECK(last(play(player, in, {64})[0]) == expected(model->config.controls[0].default_value, 0));
    }
    SECTION("given to load") {
        const std::vector<float> controls{9.0f, -6.0f};
        player.load(model, controls);
        Stream stream(model);
        stream.set_control(0, 9.0f);
        stream.set_control(1, -6.0f);
        stream.reset();
        CHECK(last(play(player, in, {64})[0]) == last(play(stream, in, {64})[0]));
        player.set_control(0, 2.0f);
        player.prepare(48000, 64, 1);  // keeps them
        stream.set_control(0, 2.0f);
        stream.reset();
        CHECK((play(player, in, {64}) == play(stream, in, {64})));
    }
}

TEST_CASE("loads that follow each other faster than fades: the last one wins", "[player]") {
    Player player;
    player.load(shared_gain_model({1.0f}));
    player.prepare(48000, 64, 1);
    const Planar in(1, std::vector<float>(3000, 1.0f));
    player.load(shared_gain_model({2.0f}));
    play(player, first_samples(in, 64), {64});
    for (int i = 3; i < 20; ++i) player.load(shared_gain_model({static_cast<float>(i)}));
    const auto out = play(player, in, {64})[0];
    CHECK(out.back() == 19.0f);
    CHECK(largest_step(out) <= 17.0f / fade * 1.001f);
    player.load(nullptr);
    CHECK(play(player, in, {64})[0].back() == 1.0f);
}

TEST_CASE("latency follows the model that plays", "[player]") {
    Player player;
    player.prepare(48000, 64, 1);
    const auto at_96k = std::make_shared<const Model>(gain_model({1.0f}, 96000));
    player.load(at_96k);
    CHECK(player.latency_samples() == 0);
    const Planar in = noise(1, 64);
    play(player, in, {64});
    Stream stream(at_96k);
    stream.prepare(48000, 64);
    CHECK(player.latency_samples() == stream.latency_samples());
    player.prepare(96000, 64, 1);
    CHECK(player.latency_samples() == 0);
}

TEST_CASE("models are freed by the control side, and what cannot play is refused", "[player]") {
    std::shared_ptr<const Model> first = shared_gain_model({1.0f}), second = shared_gain_model({2.0f});
    const std::weak_ptr<const Model> watched = first;
    Player player;
    player.load(std::exchange(first, nullptr));
    player.prepare(48000, 64, 1);
    const Planar in = noise(1, 2000);
    player.load(second);
    play(player, in, {64});
    CHECK(!watched.expired());
    player.collect();
    CHECK(watched.expired());

    CHECK_THROWS_AS(player.load(shared_gain_model({1.0f, 1.0f})), Error);  // stereo on a mono bus
    Model broken = *second;
    broken.weights.skip = {};
    CHECK_THROWS_AS(player.load(std::make_shared<Model>(broken)), Error);
    const std::vector<float> too_many{1.0f};
    CHECK_THROWS_AS(player.load(second, too_many), Error);
    CHECK_THROWS_AS(player.prepare(48000, 0, 1), Error);
    CHECK_THROWS_AS(player.prepare(NAN, 64, 1), Error);
    const auto out = play(player, in, {64})[0];
    for (std::size_t t = 0; t < out.size(); ++t) REQUIRE(out[t] == 2.0f * in[0][t]);  // nothing changed
}
