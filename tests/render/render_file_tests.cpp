// SPDX-License-Identifier: GPL-3.0-or-later
// Whole files: alignment at every rate, channels, the dry part, sections, and what is left behind.
#include "audio/temporary_folder.h"
#include "close.h"
#include "render/gain_model.h"

#include "serpent/errors.h"
#include "serpent/render_file.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <numbers>
#include <random>

using namespace serpent;
using serpent::test::distance;

namespace {

std::shared_ptr<const Model> golden_model(const std::string& name) {
    return std::make_shared<const Model>(Model::load(SERPENT_TEST_DATA "/models/" + name + ".safetensors"));
}

/// Two tones well below the Nyquist frequency of 8 kHz audio, faded in and out, different in every channel.
AudioBuffer tones(int rate_hz, int channels, std::size_t frames) {
    AudioBuffer buffer;
    buffer.sample_rate = rate_hz;
    for (int c = 0; c < channels; ++c) {
        std::vector<float> x(frames);
        for (std::size_t i = 0; i < frames; ++i) {
            const double t = static_cast<double>(i) / rate_hz;
            const double place = static_cast<double>(i) / static_cast<double>(frames);
            const double fade = std::pow(std::sin(std::numbers::pi * place), 2);
            x[i] = static_cast<float>(fade * (0.4 * std::sin(2 * std::numbers::pi * (220 + 30 * c) * t) +
                                              0.2 * std::sin(2 * std::numbers::pi * 1500 * t + c)));
        }
        buffer.channels.push_back(std::move(x));
    }
    return buffer;
}

AudioBuffer noise(int rate_hz, int channels, std::size_t frames) {
    std::mt19937 random(11);
    std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
    AudioBuffer buffer;
    buffer.sample_rate = rate_hz;
    buffer.channels.assign(static_cast<std::size_t>(channels), std::vector<float>(frames));
    for (std::vector<float>& channel : buffer.channels) {
        for (float& x : channel) x = uniform(random);
    }
    return buffer;
}

struct Rendered {
    AudioBuffer audio;
    RenderFileReport report;
};

Rendered render(const std::shared_ptr<const Model>& model, const AudioBuffer& input,
                const RenderFileOptions& options = {}, Subtype subtype = Subtype::float32) {
    const TemporaryFolder folder;
    write_audio(folder / "in.wav", input, subtype);
    Rendered rendered;
    rendered.report = render_file(model, folder / "in.wav", folder / "out.wav", options);
    rendered.audio = read_audio(folder / "out.wav");
    CHECK(folder.count() == 2);
    CHECK(rendered.audio.sample_rate == input.sample_rate);
    return rendered;
}

std::vector<float> part(const std::vector<float>& x, std::size_t begin, std::size_t end) {
    return {x.begin() + static_cast<std::ptrdiff_t>(begin), x.begin() + static_cast<std::ptrdiff_t>(end)};
}

constexpr int rates_hz[] = {8000, 22050, 44100, 48000, 88200, 96000, 192000};

// Two conversions of 28 bits each in float, relative to an rms of about 0.2. A shift of one sample at 192 kHz would
// give 0.01.
constexpr double resampled_rms = 1e-5, resampled_max = 5e-5;

} // namespace

TEST_CASE("at any rate and length every sample keeps its place", "[render_file]") {
    for (const int rate_hz : rates_hz) {
        for (const std::size_t frames : {1, 2, 997, 40009}) {
            CAPTURE(rate_hz, frames);
            const AudioBuffer input = tones(rate_hz, 2, frames);
            const AudioBuffer output = render(shared_gain_model({1.0f}), input).audio;
            REQUIRE(output.channels.size() == 2);
            REQUIRE(output.frames() == frames);
            if (frames < 40009) continue; // too short to be free of what lies above the filters
            for (std::size_t c = 0; c < 2; ++c) {
                CHECK(distance(input.channels[c], output.channels[c]).within(resampled_rms, resampled_max));
            }
        }
    }
}

TEST_CASE("the first and the last sample keep their place too", "[render_file]") {
    for (const int rate_hz : rates_hz) {
        for (const std::size_t place : {0, 1, 998, 999}) {
            CAPTURE(rate_hz, place);
            AudioBuffer input;
            input.sample_rate = rate_hz;
            input.channels.assign(1, std::vector<float>(1000));
            input.channels[0][place] = 1.0f;
            const std::vector<float> out = render(shared_gain_model({1.0f}), input).audio.channels[0];
            const auto peak = std::max_element(out.begin(), out.end());
            CHECK(static_cast<std::size_t>(peak - out.begin()) == place);
            CHECK(*peak >= 0.91f * static_cast<float>(std::min(1.0, 48000.0 / rate_hz)));
        }
    }
}

TEST_CASE("the dry part is the input itself and in time with the wet", "[render_file]") {
    for (const int rate_hz : {44100, 48000, 96000}) {
        CAPTURE(rate_hz);
        const AudioBuffer input = tones(rate_hz, 2, 40009);
        const auto inverter = shared_gain_model({-1.0f});
        CHECK((render(inverter, input, {.mix = 0.0}).audio.channels == input.channels));
        const AudioBuffer half = render(inverter, input, {.mix = 0.5}).audio; // dry and inverted wet cancel
        for (const float x : half.channels[1]) {
            if (!(std::abs(x) <= 1e-5f)) FAIL(x);
        }
        const AudioBuffer quarter = render(inverter, input, {.output_db = 6.0206, .mix = 0.25}).audio; // 2 (3 - 1) / 4
        CHECK(distance(input.channels[0], quarter.channels[0]).within(resampled_rms, resampled_max));
    }
}

TEST_CASE("gains are in front of the model and behind it", "[render_file]") {
    const AudioBuffer input = tones(48000, 1, 5000);
    const AudioBuffer output = render(shared_gain_model({1.0f}), input, {.input_db = 20.0, .output_db = -20.0}).audio;
    CHECK(distance(input.channels[0], output.channels[0]).within(1e-6, 1e-6)); // two roundings of float
    const auto model = golden_model("mamba_reference_16_32_16_4");
    AudioBuffer halved = input;
    for (float& x : halved.channels[0]) x *= 0.5f;
    const double half_db = 20.0 * std::log10(0.5);
    CHECK((render(model, input, {.input_db = half_db}).audio.channels == render(model, halved).audio.channels));
}

TEST_CASE("each channel goes through a mono model on its own", "[render_file]") {
    for (const int rate_hz : {44100, 48000}) {
        const auto model = golden_model("slow_ema_8_16_8_2");
        const AudioBuffer input = noise(rate_hz, 3, 30011);
        const AudioBuffer together = render(model, input).audio;
        REQUIRE(together.channels.size() == 3);
        for (std::size_t c = 0; c < 3; ++c) {
            AudioBuffer mono = input;
            mono.channels = {input.channels[c]};
            CHECK((render(model, mono).audio.channels[0] == together.channels[c]));
        }
    }
}

TEST_CASE("a stereo model takes stereo, or mono twice, and nothing else", "[render_file]") {
    const auto model = shared_gain_model({0.5f, -2.0f});
    const AudioBuffer stereo = render(model, noise(48000, 2, 1009)).audio;
    const AudioBuffer stereo_in = noise(48000, 2, 1009);
    for (std::size_t i = 0; i < 1009; ++i) {
        CHECK(stereo.channels[0][i] == 0.5f * stereo_in.channels[0][i]);
        CHECK(stereo.channels[1][i] == -2.0f * stereo_in.channels[1][i]);
    }
    for (const int rate_hz : {48000, 44100}) {
        const AudioBuffer mono_in = tones(rate_hz, 1, 20011);
        const AudioBuffer mono = render(model, mono_in, {.mix = 0.5}).audio;
        REQUIRE(mono.channels.size() == 2);
        std::vector<float> left = mono_in.channels[0], right = left;
        for (float& x : left) x *= 0.75f;
        for (float& x : right) x *= -0.5f;
        CHECK(distance(left, mono.channels[0]).within(resampled_rms, resampled_max));
        CHECK(distance(right, mono.channels[1]).within(resampled_rms, resampled_max));
    }
    CHECK_THROWS_WITH(render(model, noise(48000, 3, 100)), Catch::Contains("in.wav") && Catch::Contains("2 channels"));
}

TEST_CASE("a section is that part of the whole", "[render_file]") {
    const auto model = golden_model("odd_widths_5_10_3_3");
    for (const int rate_hz : {8000, 11025}) {
        CAPTURE(rate_hz);
        const AudioBuffer input = noise(rate_hz, 1, static_cast<std::size_t>(rate_hz) * 14 + 5);
        const std::vector<float> whole = render(model, input).audio.channels[0];
        const std::size_t rate = static_cast<std::size_t>(rate_hz);
        const struct {
            double start_s;
            std::optional<double> end_s;
            std::size_t begin, end;
        } sections[] = {{0.0, 1.0, 0, rate},
                        {13.0, std::nullopt, 13 * rate, input.frames()},
                        {12.5, 13.0, (25 * rate + 1) / 2, 13 * rate},
                        {2.0, 99.0, 2 * rate, input.frames()}};
        for (const auto& section : sections) {
            CAPTURE(section.start_s);
            const Rendered got = render(model, input, {.start_s = section.start_s, .end_s = section.end_s});
            CHECK(got.report.warm);
            // The state is warm to 6e-6, and chunks cut at other places give other roundings (1e-5 each).
            CHECK(distance(part(whole, section.begin, section.end), got.audio.channels[0]).within(2e-5, 2e-4));
        }
    }
    CHECK_THROWS_WITH(render(model, noise(48000, 1, 480), {.start_s = 1.0}), Catch::Contains("0.010 s"));
    CHECK_THROWS_AS(render(model, noise(48000, 1, 480), {.start_s = 0.005, .end_s = 0.001}), Error);
    CHECK_THROWS_AS(render(model, noise(48000, 1, 480), {.start_s = -1.0}), Error);
}

TEST_CASE("a model that remembers longer than the warm-up is not called warm", "[render_file]") {
    Model slow = gain_model({1.0f}, 1000);
    for (float& bias : slow.weights.layers[0].dt_proj_bias) bias = -14.0f; // a step of 8e-7: 1,300 s to forget
    for (float& a : slow.weights.layers[0].A_log) a = 0.0f;
    CHECK(memory_s(slow) == Approx(12.0 / std::log1p(std::exp(-14.0)) / 1000.0));
    const auto model = std::make_shared<const Model>(slow);
    const Rendered late = render(model, noise(1000, 1, 200000), {.start_s = 199.0});
    CHECK_FALSE(late.report.warm);
    CHECK(late.report.warm_up_s == Approx(120.0));
    CHECK(late.audio.frames() == 1000);
    const Rendered early = render(model, noise(1000, 1, 200000), {.start_s = 100.0, .end_s = 101.0});
    CHECK(early.report.warm); // it heard all there was
}

TEST_CASE("the sample format is the input's, and saturation is counted", "[render_file]") {
    for (const Subtype subtype : {Subtype::pcm16, Subtype::pcm24, Subtype::pcm32, Subtype::float32, Subtype::float64}) {
        CAPTURE(subtype_name(subtype));
        const Rendered plain = render(shared_gain_model({1.0f}), noise(48000, 2, 1009), {}, subtype);
        CHECK(plain.audio.subtype == subtype);
        CHECK(plain.report.saturated == 0);
        CHECK(plain.report.frames == 1009);
    }
    AudioBuffer input;
    input.channels = {{0.25f, 0.5f, -0.75f, 0.1f}};
    const Rendered loud = render(shared_gain_model({4.0f}), input, {}, Subtype::pcm16);
    CHECK(loud.report.saturated == 3);
    CHECK(loud.report.peak == 3.0);
    CHECK(loud.audio.channels[0][2] == -1.0f);
    const Rendered free = render(shared_gain_model({4.0f}), input, {.subtype = Subtype::float32}, Subtype::pcm16);
    CHECK(free.report.saturated == 0);
    CHECK(free.audio.subtype == Subtype::float32);
    CHECK(free.audio.channels[0][2] == -3.0f);
}

TEST_CASE("untouched 24-bit audio comes back bit by bit", "[render_file]") {
    AudioBuffer input = noise(48000, 1, 10007);
    for (float& x : input.channels[0]) x = std::floor(x * 8388608.0f) / 8388608.0f;
    const Rendered got = render(shared_gain_model({1.0f}), input, {}, Subtype::pcm24);
    CHECK((got.audio.channels == input.channels));
}

TEST_CASE("nothing is left behind by a render that fails or is stopped", "[render_file]") {
    const TemporaryFolder folder;
    const auto model = shared_gain_model({1.0f});
    write_audio(folder / "in.wav", noise(48000, 1, 500000), Subtype::float32);
    RenderFileOptions stop;
    stop.on_progress = [](double fraction) { return fraction < 0.5; };
    CHECK_THROWS_AS(render_file(model, folder / "in.wav", folder / "out.wav", stop), Interrupted);
    CHECK(folder.count() == 1);
    CHECK_THROWS_WITH(render_file(shared_gain_model({3e38f}), folder / "in.wav", folder / "out.wav", {.input_db = 40}),
                      Catch::Contains("in.wav") && Catch::Contains("not finite"));
    CHECK_THROWS_WITH(render_file(model, folder / "in.wav", folder / "in.wav"), Catch::Contains("input itself"));
    CHECK_THROWS_AS(render_file(model, folder / "in.wav", folder / "out.wav", {.mix = 1.5}), Error);
    CHECK_THROWS_AS(render_file(model, folder / "in.wav", folder / "out.wav", {.mix = std::nan("")}), Error);
    CHECK(folder.count() == 1);
}
