// SPDX-License-Identifier: GPL-3.0-or-later
// Stream against float64: the golden models, and random models of every shape the format allows.
#include "against_reference.h"
#include "model/example_model.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

const char* const golden_names[] = {"mamba_reference_16_32_16_4", "tied_ema_8_16_4_4", "slow_ema_8_16_8_2",
                                    "odd_widths_5_10_3_3",        "film_8_16_4_2",     "stereo_6_12_4_2",
                                    "f16_8_8_4_3",                "bf16_8_8_4_3",      "tied_euler_8_16_4_2",
                                    "rotating_8_8_4_6",           "mixed_6_12_6_4"};

} // namespace

TEST_CASE("stream answers the golden models on every ISA", "[stream]") {
    for (const char* name : golden_names) {
        const auto model = golden_model(name);
        const Planar in = golden_audio(name, "in"), expected = golden_audio(name, "out");
        for (const kernels::Isa isa : kernels::available_isas()) {
            CAPTURE(name, kernels::isa_name(isa));
            // Scalar code takes up to 60 us per sample: a part of the file has to do.
            const std::size_t n = isa == kernels::Isa::scalar ? 16000 : in[0].size();
            Stream stream(model, {InitialState::zero, isa});
            REQUIRE(stream.isa() == isa);
            const Planar out = play(stream, first_samples(in, n), {64});
            const Distance d = distance(interleaved(first_samples(expected, n)), interleaved(out));
            CAPTURE(d.rms, d.max);
            CHECK(within_budget(d));
        }
    }
}

TEST_CASE("stream answers the shipped models on every ISA", "[stream]") {
    REQUIRE(shipped_names().size() >= 6);
    for (const std::string& name : shipped_names()) {
        CAPTURE(name);
        check_against_reference(*shipped_model(name), 12000);
    }
}

TEST_CASE("stream answers the golden model with controls moved", "[stream]") {
    const char* name = "film_8_16_4_2";
    const Planar in = golden_audio(name, "in"), expected = golden_audio(name, "out_drive9_tone-6");
    Stream stream(golden_model(name), {.initial_state = InitialState::zero});
    stream.set_control(0, 9.0f);
    stream.set_control(1, -6.0f);
    stream.reset();
    CHECK(within_budget(distance(interleaved(expected), interleaved(play(stream, in, {128})))));
}

TEST_CASE("any block sizes give the same bits", "[stream]") {
    for (const char* name : {"odd_widths_5_10_3_3", "film_8_16_4_2", "stereo_6_12_4_2", "f16_8_8_4_3", "tied_euler_8_16_4_2"}) {
        const auto model = golden_model(name);
        const Planar in = first_samples(golden_audio(name, "in"), 9000);
        for (const kernels::Isa isa : kernels::available_isas()) {
            Stream whole(model, {.isa = isa});
            const Planar expected = play(whole, in, {in[0].size()});
            for (const std::size_t block : {1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 64, 100, 512, 4096}) {
                CAPTURE(name, kernels::isa_name(isa), block);
                Stream stream(model, {.isa = isa});
                CHECK((play(stream, in, {block}) == expected));
            }
            Random random(3);
            std::vector<std::size_t> blocks;
            for (int i = 0; i < 500; ++i) blocks.push_back(static_cast<std::size_t>(random.uniform(0, 200)));
            Stream stream(model, {.isa = isa});
            CHECK((play(stream, in, blocks) == expected));
        }
    }
}

TEST_CASE("widths of no particular multiple", "[stream]") {
    struct Shape {
        int channels, d_model, expand, d_state, d_conv, dt_rank, n_layers;
    };
    const Shape shapes[] = {{1, 1, 1, 1, 1, 1, 1}, {2, 3, 1, 2, 2, 3, 2}, {1, 7, 3, 5, 5, 1, 1}, {3, 9, 1, 4, 4, 2, 2},
                            {1, 8, 1, 8, 4, 1, 4}, {1, 16, 1, 17, 3, 4, 1}, {5, 17, 2, 6, 1, 2, 1}};
    for (const Shape& s : shapes)
        for (const DecayShape a : {DecayShape::full, DecayShape::tied})
            for (const BBar b_bar : {BBar::euler, BBar::ema}) {
                ModelConfig config;
                config.channels = s.channels, config.d_model = s.d_model, config.expand = s.expand;
                config.d_state = s.d_state, config.d_conv = s.d_conv, config.dt_rank = s.dt_rank;
                config.n_layers = s.n_layers, config.a = a, config.b_bar = b_bar;
                config.final_norm = s.d_model % 2 == 0 || b_bar == BBar::ema;
                config.skip = a == DecayShape::tied;
                CAPTURE(s.d_model, s.expand, s.d_state, a == DecayShape::tied, b_bar == BBar::ema);
                check_against_reference(random_model(config, b_bar == BBar::ema), 400);
            }
    check_against_reference(random_model(full_config()), 400, {9.0f, -3.0f});
}

TEST_CASE("memories of 96,000 samples", "[stream]") {
    for (const BBar b_bar : {BBar::euler, BBar::ema}) {
        ModelConfig config;
        config.d_model = 4, config.n_layers = 1, config.d_state = 2, config.expand = 1, config.b_bar = b_bar;
        CAPTURE(b_bar == BBar::ema);
        check_against_reference(random_model(config, true, 96000.0), 100000);
    }
}
