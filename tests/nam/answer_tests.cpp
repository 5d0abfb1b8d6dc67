// SPDX-License-Identifier: GPL-3.0-or-later
// What the engine answers, held to the plain form in float64: every architecture and option, on every instruction set.
#include "nam/nam_helpers.h"
#include "serpent/errors.h"
#include "serpent/kernels/isa.h"
#include "serpent/player.h"
#include "serpent/render.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

/// An LSTM begins after half a second, which is long in the plain form: there the zero state is compared.
bool recurrent(const Model& model) { return model.nam->reach == 0; }

StreamOptions options_for(const Model& model, kernels::Isa isa) {
    return {.initial_state = recurrent(model) ? InitialState::zero : InitialState::silence, .isa = isa};
}

} // namespace

TEST_CASE("captures answer as in float64: every architecture and option, on every instruction set") {
    for (const NamCase& c : nam_cases()) {
        CAPTURE(c.name);
        const auto model = nam_model(c.file);
        const Planar in = nam_signal(model->config.channels, 2000);
        const auto expected = plain_answer(*model, in, static_cast<std::size_t>(model->nam->reach));
        for (const kernels::Isa isa : kernels::available_isas()) {
            CAPTURE(kernels::isa_name(isa));
            Stream stream(model, options_for(*model, isa));
            const Planar out = play_blocks(stream, in, {64});
            for (std::size_t channel = 0; channel < out.size(); ++channel) {
                const Distance d = distance(expected[channel], out[channel]);
                CAPTURE(d.rms, d.max);
                CHECK(d.within(1e-6, 1e-5));
            }
        }
    }
}

TEST_CASE("a capture gives the same bits however the signal is cut into blocks") {
    for (const NamCase& c : nam_cases()) {
        CAPTURE(c.name);
        const auto model = nam_model(c.file);
        const Planar in = nam_signal(model->config.channels, 1500);
        for (const kernels::Isa isa : kernels::available_isas()) {
            Stream stream(model, {.isa = isa});
            const Planar whole = play_blocks(stream, in, {1500});
            for (const std::vector<int>& blocks : {std::vector<int>{1}, {64}, {7, 1, 0, 64, 65, 200}}) {
                stream.reset();
                CHECK(play_blocks(stream, in, blocks) == whole);
            }
        }
    }
}

TEST_CASE("a capture begins and is reset to what silence without end leaves behind") {
    for (const NamCase& c : nam_cases()) {
        CAPTURE(c.name);
        const auto model = nam_model(c.file);
        if (recurrent(*model)) continue;
        Stream settled(model), cleared(model, {.initial_state = InitialState::zero});
        const Planar silence(static_cast<std::size_t>(model->config.channels), std::vector<float>(static_cast<std::size_t>(model->nam->reach)));
        play_blocks(cleared, silence, {64});
        const Planar in = nam_signal(model->config.channels, 300);
        const Planar expected = play_blocks(cleared, in, {64});
        CHECK(play_blocks(settled, in, {64}) == expected);
        settled.reset();
        CHECK(play_blocks(settled, in, {64}) == expected);
    }
}

TEST_CASE("an LSTM begins half a second after where its weights say") {
    const auto model = nam_model(NamWriter(5).lstm(1, 8));
    const Planar in = nam_signal(1, 500);
    Stream stream(model);
    const Planar out = play_blocks(stream, in, {64});
    CHECK(distance(plain_answer(*model, in, 24000)[0], out[0]).within(1e-6, 1e-5));
    stream.reset();
    CHECK(play_blocks(stream, in, {64}) == out);
}

TEST_CASE("the state of a capture can be taken out and put back, into another stream too") {
    for (const NamCase& c : nam_cases()) {
        CAPTURE(c.name);
        const auto model = nam_model(c.file);
        const int channels = model->config.channels;
        Stream stream(model, {.instances = 2}), other(model);
        const Planar before = nam_signal(2 * channels, 777), after = nam_signal(2 * channels, 400);
        play_blocks(stream, before, {50});
        const State state = stream.state(1);
        const Planar expected = play_blocks(stream, after, {64});
        other.set_state(state);
        const Planar second(after.begin() + channels, after.end());
        const Planar out = play_blocks(other, second, {31});
        for (int i = 0; i < channels; ++i)
            CHECK(out[static_cast<std::size_t>(i)] == expected[static_cast<std::size_t>(channels + i)]);
        State wrong = state;
        wrong.conv.push_back(0);
        CHECK_THROWS_AS(other.set_state(wrong), Error);
    }
}

TEST_CASE("a Renderer answers as a Stream does, to the bit") {
    for (const NamCase& c : nam_cases()) {
        CAPTURE(c.name);
        const auto model = nam_model(c.file);
        const Planar in = nam_signal(model->config.channels, 5000);
        Stream stream(model);
        const Planar expected = play_blocks(stream, in, {64});
        for (const int threads : {1, 3}) {
            Renderer renderer(model, {.threads = threads});
            Planar out = in;
            std::vector<const float*> from;
            std::vector<float*> to;
            const auto render = [&](std::size_t first, std::size_t n) {
                from.clear(), to.clear();
                for (std::size_t i = 0; i < in.size(); ++i) from.push_back(in[i].data() + first), to.push_back(out[i].data() + first);
                renderer.process(from.data(), to.data(), n);
            };
            render(0, 1234), render(1234, 5000 - 1234);
            CHECK(out == expected);
            CHECK(renderer.state().conv == stream.state().conv);
            renderer.reset();
            render(0, 5000);
            CHECK(out == expected);
        }
    }
}

TEST_CASE("what is not finite counts as silence, and a capture that overflows comes back") {
    const auto model = nam_model(NamWriter(5).wavenet({many_kernels(3)}));
    Planar in = nam_signal(1, 3000);
    Stream stream(model);
    Planar zeroed = in;
    for (const std::size_t t : {5u, 70u, 71u}) in[0][t] = t == 5 ? NAN : INFINITY, zeroed[0][t] = 0;
    const Planar expected = play_blocks(stream, zeroed, {64});
    stream.reset();
    CHECK(play_blocks(stream, in, {64}) == expected);
    stream.reset();
    Planar loud(1, std::vector<float>(64, 3e38f));
    const Planar answer = play_blocks(stream, loud, {64});
    for (const float y : answer[0]) CHECK(std::isfinite(y));
    const Planar after = play_blocks(stream, zeroed, {64});
    const auto end_of = [](const Planar& signal) { return std::vector<float>(signal[0].end() - 500, signal[0].end()); };
    CHECK(end_of(after) == end_of(expected));
}

TEST_CASE("a capture that overflows again and again is silent until it has earned its next refill, a large one until reset()") {
    const auto loud_capture = [](int dilation) {
        json file = NamWriter(6).wavenet({layer_array(1, 1, 2, {dilation}, {{"head_size", 1}, {"kernel_size", 2}, {"activation", "ReLU"}})});
        for (json& weight : file["weights"]) weight = 0.5;
        file["weights"].back() = 1e30;  // the scale of the head
        return nam_model(file);
    };
    const Planar quiet(1, std::vector<float>(64, 0.5f)), loud(1, std::vector<float>(64, 1e10f)), zeros(1, std::vector<float>(64, 0.0f));
    const Planar long_quiet(1, std::vector<float>(3000, 0.5f));
    {
        Stream stream(loud_capture(1 << 14));  // 65,536 floats: a refill in 1024 samples
        const Planar first = play_blocks(stream, quiet, {64});
        CHECK(first != zeros);
        CHECK(play_blocks(stream, loud, {64}) == zeros);
        CHECK(play_blocks(stream, quiet, {64}) == first);  // one for free
        CHECK(play_blocks(stream, loud, {64}) == zeros);
        CHECK(play_blocks(stream, quiet, {64}) == zeros);
        CHECK(stream.state().conv == Stream(loud_capture(1 << 14)).state().conv);
        const Planar later = play_blocks(stream, long_quiet, {64});
        CHECK(later[0].front() == 0.0f);
        CHECK(later[0].back() == first[0].back());
        stream.reset();
        CHECK(play_blocks(stream, quiet, {64}) == first);
    }
    Stream stream(loud_capture(1 << 19));  // two million floats
    const Planar first = play_blocks(stream, quiet, {64});
    CHECK(first != zeros);
    CHECK(play_blocks(stream, loud, {64}) == zeros);
    const Planar silence = play_blocks(stream, long_quiet, {64});
    CHECK(std::all_of(silence[0].begin(), silence[0].end(), [](float y) { return y == 0.0f; }));
    stream.reset();
    CHECK(play_blocks(stream, quiet, {64}) == first);
}
