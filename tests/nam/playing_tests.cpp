// SPDX-License-Identifier: GPL-3.0-or-later
// Captures where models play: golden answers, other sample rates, two channels, a Player that changes between kinds.
#include "golden_file.h"
#include "model/example_model.h"
#include "nam/nam_helpers.h"
#include "serpent/kernels/isa.h"
#include "serpent/player.h"
#include "serpent/render_file.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

const char* const golden_names[] = {"two_arrays", "kernels", "everything", "lstm", "conv_net", "linear"};

std::shared_ptr<const Model> golden(const std::string& name) {
    return std::make_shared<const Model>(Model::load(std::string(SERPENT_TEST_DATA) + "/nam/" + name + ".nam"));
}

Planar golden_audio(const std::string& name) { return {GoldenWav("nam/" + name + ".wav").samples}; }

} // namespace

TEST_CASE("captures answer what an independent script says they must") {
    for (const std::string name : golden_names)
        for (const kernels::Isa isa : kernels::available_isas()) {
            CAPTURE(name, kernels::isa_name(isa));
            Stream stream(golden(name), {.isa = isa});
            const Planar out = play_blocks(stream, golden_audio(name + "_in"), {64});
            const Distance d = distance(golden_audio(name + "_out")[0], out[0]);
            CAPTURE(d.rms, d.max);
            CHECK(d.within(1e-6, 1e-5));
        }
}

TEST_CASE("two channels through a capture are two captures") {
    const auto model = golden("everything");
    const Planar in = nam_signal(2, 1000);
    Stream both(model, {.instances = 2});
    CHECK(both.channels() == 2);
    const Planar out = play_blocks(both, in, {64});
    for (std::size_t c = 0; c < 2; ++c) {
        Stream one(model);
        CHECK(play_blocks(one, Planar{in[c]}, {17})[0] == out[c]);
    }
}

TEST_CASE("at another rate a capture is resampled, whatever the options say") {
    const auto model = golden("kernels");
    for (const double rate_hz : {44100.0, 96000.0})
        for (const RateMode mode : {RateMode::scale_dt, RateMode::resample})
            for (const int oversampling : {1, 2}) {
                CAPTURE(rate_hz, mode == RateMode::resample, oversampling);
                Stream stream(model, {.rate_mode = mode, .oversampling = oversampling});
                stream.prepare(rate_hz, 256);
                CHECK(stream.latency_samples() > 0);
                // A slow sine, which any rate holds, answered at both rates.
                const auto sine = [](double rate, std::size_t n) {
                    Planar signal(1, std::vector<float>(n));
                    for (std::size_t t = 0; t < n; ++t)
                        signal[0][t] = 0.3f * static_cast<float>(std::sin(2 * M_PI * 200 * static_cast<double>(t) / rate));
                    return signal;
                };
                Stream own(model);
                const Planar expected = play_blocks(own, sine(48000, 24000), {64});
                const Planar out = play_blocks(stream, sine(rate_hz, static_cast<std::size_t>(rate_hz / 2)), {64});
                double error = 0, energy = 0;
                for (double time_s = 0.2; time_s < 0.4; time_s += 0.0013) {
                    const auto at = [](const std::vector<float>& s, double place) {
                        const auto i = static_cast<std::size_t>(place);
                        const double share = place - static_cast<double>(i);
                        return (1 - share) * s[i] + share * s[i + 1];
                    };
                    const double want = at(expected[0], time_s * 48000), got = at(out[0], time_s * rate_hz + stream.latency_samples());
                    error += (want - got) * (want - got), energy += want * want;
                }
                CHECK(std::sqrt(error / energy) < 0.01);
                Planar silence(1, std::vector<float>(2000));
                stream.reset();
                const Planar still = play_blocks(stream, silence, {64});
                for (const float y : still[0]) CHECK(y == Approx(still[0][0]).margin(1e-4));
            }
}

TEST_CASE("a Stream at its own rate has no latency and any prepared block") {
    Stream stream(golden("two_arrays"), {.oversampling = 4});
    const Planar in = golden_audio("two_arrays_in");
    stream.prepare(48000, 16);
    CHECK(stream.latency_samples() == 0);
    CHECK(distance(golden_audio("two_arrays_out")[0], play_blocks(stream, in, {500})[0]).within(1e-6, 1e-5));
}

TEST_CASE("a Player fades from a capture to a model of Serpent's and back") {
    const auto capture = golden("two_arrays"), other = golden("lstm");
    const auto mamba = std::make_shared<const Model>(random_model(full_config()));
    Player player;
    player.prepare(48000, 128, 2 * mamba->config.channels);
    const Planar in = nam_signal(2 * mamba->config.channels, 2400);
    for (const auto& model : {capture, mamba, other, capture}) {
        player.load(model);
        const Planar out = play_blocks(player, in, {128});
        for (const auto& channel : out)
            for (const float y : channel) REQUIRE(std::isfinite(y));
    }
    Stream alone(capture);
    player.reset();
    const Planar out = play_blocks(player, in, {128});
    CHECK(play_blocks(alone, Planar{in[0]}, {64})[0] == out[0]);
}

TEST_CASE("audio of any rate and number of channels is rendered through a capture") {
    const auto model = golden("kernels");
    const AudioBuffer input{44100, nam_signal(3, 44100), Subtype::pcm16};
    const AudioBuffer out = render_audio(model, input, {});
    CHECK(out.sample_rate == 44100);
    CHECK(out.channels.size() == 3);
    CHECK(out.frames() == input.frames());
    const AudioBuffer alone = render_audio(model, {44100, {input.channels[1]}, Subtype::pcm16}, {});
    CHECK(alone.channels[0] == out.channels[1]);
}
