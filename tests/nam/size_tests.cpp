// SPDX-License-Identifier: GPL-3.0-or-later
// Captures that offer sizes to choose from.
#include "nam/nam_helpers.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

TEST_CASE("a container plays the part that its size chooses") {
    NamWriter w(8);
    const json small = w.lstm(1, 4), middle = w.wavenet({many_kernels(3)}), large = w.wavenet({many_kernels(8)});
    const auto model = nam_model(NamWriter::container({{0.33, small}, {0.66, middle}, {1.0, large}}));
    CHECK(model->nam->sizes.size() == 3);
    CHECK(model->nam->sizes[1] == Approx(0.33));
    const Planar in = nam_signal(1, 300);
    const auto plays = [&](const Model& a, const Model& b) {
        Stream one(std::make_shared<const Model>(a)), other(std::make_shared<const Model>(b));
        return play_blocks(one, in, {64}) == play_blocks(other, in, {64});
    };
    CHECK(plays(*model, *nam_model(large)));
    CHECK(plays(nam_at_size(*model, 1.0), *nam_model(large)));
    CHECK(plays(nam_at_size(*model, 0.4), *nam_model(middle)));
    CHECK(plays(nam_at_size(nam_at_size(*model, 0.4), 0.0), *nam_model(small)));
    CHECK_THROWS_AS(nam_at_size(*model, 1.5), Error);
    CHECK_THROWS_AS(nam_at_size(*model, NAN), Error);
    CHECK_THROWS_AS(nam_at_size(Model{}, 0.5), Error);
}

TEST_CASE("a network that can be cut plays its first channels") {
    NamWriter w(9);
    const json slim = {{"method", "slice_channels_uniform"}, {"kwargs", {{"allowed_channels", {2, 4}}}}};
    const json file = w.wavenet({layer_array(1, 1, 4, {1, 2}, {{"head_size", 1}, {"kernel_size", 3}, {"slimmable", slim}})});
    // The weights of a network of two channels, taken from the file's by hand.
    const std::vector<float> all = file["weights"].get<std::vector<float>>();
    std::vector<float> less;
    std::size_t at = 0;
    const auto take = [&](std::size_t out, std::size_t in, std::size_t kernel, std::size_t some_out, std::size_t some_in) {
        for (std::size_t o = 0; o < out; ++o)
            for (std::size_t i = 0; i < in * kernel; ++i, ++at)
                if (o < some_out && i < some_in * kernel) less.push_back(all[at]);
    };
    take(4, 1, 1, 2, 1);
    for (int layer = 0; layer < 2; ++layer) take(4, 4, 3, 2, 2), take(4, 1, 1, 2, 1), take(4, 1, 1, 2, 1), take(4, 4, 1, 2, 2), take(4, 1, 1, 2, 1);
    take(1, 4, 1, 1, 2), take(1, 1, 1, 1, 1);
    REQUIRE(at == all.size());
    json cut = NamWriter(9).wavenet({layer_array(1, 1, 2, {1, 2}, {{"head_size", 1}, {"kernel_size", 3}})});
    cut["weights"] = less;
    const auto model = nam_model(file);
    CHECK(model->nam->sizes == std::vector<double>{0.0, 0.5});
    const Planar in = nam_signal(1, 300);
    Stream whole(model), small(std::make_shared<const Model>(nam_at_size(*model, 0.4))), expected(nam_model(cut));
    const Planar answer = play_blocks(expected, in, {64});
    CHECK(play_blocks(small, in, {64}) == answer);
    CHECK(play_blocks(whole, in, {64}) != answer);
}

TEST_CASE("a network whose arrays do not fit together when cut is refused, and nothing beyond its weights is read") {
    const json slim = {{"method", "slice_channels_uniform"}, {"kwargs", {{"allowed_channels", {1, 2}}}}};
    const json first = layer_array(1, 1, 2, {1}, {{"kernel_size", 1}, {"head", {{"out_channels", 1}, {"kernel_size", 65536}, {"bias", false}}},
                                                  {"slimmable", slim}});
    const json second = layer_array(2, 1, 64, {1}, {{"kernel_size", 1}, {"head_size", 1}, {"bottleneck", 1}, {"layer1x1", one_by_one(64, 1)}});
    const auto model = nam_model(NamWriter(11).wavenet({first, second}));
    CHECK_THROWS_WITH(nam_at_size(*model, 0.0), Catch::Contains("cannot be made that small; play it at size 1"));
    CHECK(nam_at_size(*model, 1.0).nam->macs_per_sample == model->nam->macs_per_sample);
    // The second is not cut, and the head before has as many channels as it.
    const json narrow = layer_array(2, 1, 1, {1}, {{"kernel_size", 1}, {"head_size", 1}});
    const json wide_head = layer_array(1, 1, 2, {1}, {{"kernel_size", 1}, {"head_size", 1}, {"slimmable", slim}});
    CHECK_NOTHROW(nam_at_size(*nam_model(NamWriter(12).wavenet({wide_head, narrow})), 0.0));
}
