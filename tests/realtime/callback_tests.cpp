// SPDX-License-Identifier: GPL-3.0-or-later
// Everything that the audio thread may call, on every shipped model, under watch.
#include "model/example_model.h"
#include "serpent/player.h"
#include "stream/stream_helpers.h"
#include "watch.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace serpent;
using namespace serpent::test;

namespace {

constexpr int max_block = 4096;
const int blocks[] = {1, 2, 3, 7, 16, 31, 32, 33, 64, 100, 127, 256, 480, 512, 1024, 2048, 4095, 4096, 0, 5000};

/// Two channels of noise with everything in it that a host should not send.
struct Signal {
    Planar samples = noise(2, 5000);
    std::vector<float*> pointers;

    Signal() {
        for (auto& channel : samples) pointers.push_back(channel.data());
        spoil();
    }
    void spoil() noexcept {
        samples[0][0] = NAN;
        samples[0][1] = INFINITY;
        samples[1][2] = 3e38f;
        samples[1][3] = 1e-40f;
    }
};

template <class Plays>
void callback(Plays& plays, Signal& signal) noexcept {
    for (const int n : blocks) {
        signal.spoil();
        plays.set_control(0, static_cast<float>(n % 50));
        plays.set_control(1, NAN);
        plays.process(signal.pointers.data(), signal.pointers.data(), n);
        (void)plays.latency_samples();
    }
    plays.reset();
}

} // namespace

TEST_CASE("a stream's callback does nothing forbidden", "[realtime]") {
    Signal signal;
    for (const std::string& name : shipped_names())
        for (const double rate_hz : {44100.0, 48000.0, 96000.0})
            for (const RateMode mode : {RateMode::scale_dt, RateMode::resample})
                for (const int oversampling : {1, 2}) {
                    CAPTURE(name, rate_hz, mode == RateMode::resample, oversampling);
                    Stream stream(shipped_model(name), {.instances = 2, .rate_mode = mode, .oversampling = oversampling});
                    stream.prepare(rate_hz, max_block);
                    const auto work = [&] { callback(stream, signal); };
                    CHECK(forbidden_calls(work) == std::vector<std::string>{});
                    CHECK(system_calls(work) != SystemCalls::some);
                }
}

TEST_CASE("a resonant model's callback does nothing forbidden", "[realtime]") {
    Signal signal;
    for (const ModelConfig& config : {resonant_preset(), resonant_config()})
        for (const RateMode mode : {RateMode::scale_dt, RateMode::resample}) {
            CAPTURE(config.channels, mode == RateMode::resample);
            Stream stream(std::make_shared<const Model>(random_model(config)), {.instances = 2 / config.channels, .rate_mode = mode});
            stream.prepare(44100, max_block);
            const auto work = [&] { callback(stream, signal); };
            CHECK(forbidden_calls(work) == std::vector<std::string>{});
            CHECK(system_calls(work) != SystemCalls::some);
        }
}

TEST_CASE("a capture's callback does nothing forbidden", "[realtime]") {
    Signal signal;
    for (const std::string name : {"two_arrays", "kernels", "everything", "lstm", "conv_net", "linear"})
        for (const double rate_hz : {44100.0, 48000.0}) {
            CAPTURE(name, rate_hz);
            Stream stream(std::make_shared<const Model>(Model::load(SERPENT_TEST_DATA "/nam/" + name + ".nam")), {.instances = 2});
            stream.prepare(rate_hz, max_block);
            const auto work = [&] { callback(stream, signal); };
            CHECK(forbidden_calls(work) == std::vector<std::string>{});
            CHECK(system_calls(work) != SystemCalls::some);
        }
}

TEST_CASE("no size of block from 1 to 4096 does anything forbidden", "[realtime]") {
    Signal signal;
    for (const std::string& name : shipped_names()) {
        CAPTURE(name);
        Stream stream(shipped_model(name), {.instances = 2});
        stream.prepare(48000, max_block);
        const auto all_sizes = [&] {
            for (int n = 1; n <= max_block; n += n < 600 ? 1 : 97) stream.process(signal.pointers.data(), signal.pointers.data(), n);
        };
        CHECK(forbidden_calls(all_sizes) == std::vector<std::string>{});
    }
}

TEST_CASE("on any instruction set, from the very first block", "[realtime]") {
    Signal signal;
    for (const kernels::Isa isa : kernels::available_isas())
        for (const char* name : {"film_8_16_4_2", "stereo_6_12_4_2", "mamba_reference_16_32_16_4"}) {
            CAPTURE(name, kernels::isa_name(isa));
            Stream stream(golden_model(name), {.isa = isa});
            signal.spoil();
            const auto work = [&] { stream.process(signal.pointers.data(), signal.pointers.data(), 64); };
            CHECK(system_calls(work) != SystemCalls::some);  // in a child, so that the next line is a first block too
            CHECK(forbidden_calls(work) == std::vector<std::string>{});
        }
}

TEST_CASE("picking up a model does nothing forbidden", "[realtime]") {
    Signal signal;
    for (const double rate_hz : {44100.0, 48000.0, 96000.0})
        for (const RateMode mode : {RateMode::scale_dt, RateMode::resample}) {
            Player player({.rate_mode = mode});
            player.prepare(rate_hz, max_block, 2);
            for (const std::string& name : shipped_names()) {
                CAPTURE(name, rate_hz, mode == RateMode::resample);
                player.load(shipped_model(name));
                const auto work = [&] { callback(player, signal); };
                CHECK(system_calls(work) != SystemCalls::some);
                CHECK(forbidden_calls(work) == std::vector<std::string>{});  // picks up, fades, lets the old one go
                player.load(nullptr);
                const auto reset_while_it_fades = [&] {
                    player.process(signal.pointers.data(), signal.pointers.data(), 16);
                    player.reset();
                };
                CHECK(forbidden_calls(reset_while_it_fades) == std::vector<std::string>{});
            }
        }
}

TEST_CASE("not even while another thread loads as fast as it can", "[realtime]") {
    Player player;
    player.prepare(48000, 64, 2);
    const std::vector<std::shared_ptr<const Model>> models{shipped_model("zamtube"), nullptr, shipped_model("opto"),
                                                           golden_model("film_8_16_4_2")};
    std::atomic<bool> over{false};
    std::thread loader([&] {
        for (std::size_t i = 0; !over; ++i) player.load(models[i % models.size()]);
    });
    std::vector<std::string> seen;
    bool finite = true;
    for (int i = 0; i < 2000; ++i) {
        Planar block = noise(2, 64, static_cast<std::uint64_t>(i));
        float* pointers[] = {block[0].data(), block[1].data()};
        for (std::string& name : forbidden_calls([&] {
                 player.set_control(0, static_cast<float>(i % 10));
                 player.process(pointers, pointers, 64);
             }))
            seen.push_back(std::move(name));
        for (const auto& channel : block)
            for (const float v : channel) finite = finite && std::isfinite(v);
    }
    over = true;
    loader.join();
    CHECK(seen == std::vector<std::string>{});
    CHECK(finite);
}

TEST_CASE("the calls of the audio thread are noexcept", "[realtime]") {
    const auto all = []<class Plays>(Plays* plays) {
        return noexcept(plays->process(nullptr, nullptr, 0)) && noexcept(plays->set_control(0, 0.0f)) &&
               noexcept(plays->reset()) && noexcept(plays->latency_samples());
    };
    CHECK(all(static_cast<Stream*>(nullptr)));
    CHECK(all(static_cast<Player*>(nullptr)));
}
