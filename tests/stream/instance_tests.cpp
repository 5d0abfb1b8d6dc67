// SPDX-License-Identifier: GPL-3.0-or-later
// Several instances of one model: each as if it were alone.
#include "stream_helpers.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

Planar channels_of(const Planar& signal, std::size_t first, std::size_t count) {
    return {signal.begin() + static_cast<std::ptrdiff_t>(first), signal.begin() + static_cast<std::ptrdiff_t>(first + count)};
}

} // namespace

TEST_CASE("instances answer like streams of their own", "[stream]") {
    for (const char* name : {"film_8_16_4_2", "stereo_6_12_4_2", "odd_widths_5_10_3_3"})
        for (const int instances : {1, 2, 3, 5}) {
            const auto model = golden_model(name);
            const auto together = static_cast<std::size_t>(model->config.channels);
            Stream stream(model, {.instances = instances});
            REQUIRE(stream.channels() == instances * model->config.channels);
            const Planar in = noise(together * static_cast<std::size_t>(instances), 700);
            const auto play_moving = [](Stream& player, const Planar& part) {
                player.set_control(0, 1.0f);
                Planar out = play(player, first_samples(part, 300), {33});
                player.set_control(0, 8.0f);
                return std::pair(out, play(player, part, {64}));
            };
            const auto out = play_moving(stream, in);
            for (std::size_t i = 0; i < static_cast<std::size_t>(instances); ++i) {
                CAPTURE(name, instances, i);
                Stream alone(model);
                const auto expected = play_moving(alone, channels_of(in, i * together, together));
                // Two instances share a vector where it has room, and one alone may be summed in another order.
                const auto same = [](const Planar& a, const Planar& b) {
                    return within_budget(distance(interleaved(a), interleaved(b)));
                };
                CHECK(same(channels_of(out.first, i * together, together), expected.first));
                CHECK(same(channels_of(out.second, i * together, together), expected.second));
                CHECK(within_budget(distance(stream.state(static_cast<int>(i)).h, alone.state().h)));
            }
        }
}

TEST_CASE("one instance may be set anew while the other plays on", "[stream]") {
    const auto model = golden_model("film_8_16_4_2");
    const Planar in = noise(2, 640);
    Stream stream(model, {.instances = 2}), untouched(model, {.instances = 2});
    State broken = stream.state(1);
    broken.h[0] = NAN;
    stream.set_state(broken, 1);
    const Planar out = play(stream, in, {64}), expected = play(untouched, in, {64});
    CHECK(out[0] == expected[0]);
    CHECK(out[1] != expected[1]);
    CHECK(std::all_of(out[1].begin(), out[1].end(), [](float v) { return std::isfinite(v); }));
}
