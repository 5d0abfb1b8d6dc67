// SPDX-License-Identifier: GPL-3.0-or-later
// Streams of a model that knows the level it was trained on.
#include "equations/output_bound.h"
#include "model/example_model.h"
#include "stream_helpers.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

std::shared_ptr<const Model> with_peak(Model model, float peak) {
    model.config.output_peak = peak;
    return std::make_shared<const Model>(std::move(model));
}

float peak_of(const Planar& signal) {
    float peak = 0;
    for (const auto& channel : signal)
        for (const float x : channel) peak = std::max(peak, std::abs(x));
    return peak;
}

} // namespace

TEST_CASE("a stream plays what the model answers, bound, in any blocks", "[stream]") {
    const Model free = random_model(full_config());
    for (const kernels::Isa isa : kernels::available_isas())
        for (const int instances : {1, 2}) {
            CAPTURE(kernels::isa_name(isa), instances);
            const StreamOptions options{.isa = isa, .instances = instances};
            const Planar in = noise(static_cast<std::size_t>(2 * instances), 600);
            Stream unbound(std::make_shared<const Model>(free), options);
            Planar expected = play(unbound, in, {64});
            const float peak = peak_of(expected) / 4;  // plenty of samples beyond, plenty within
            const equations::OutputBound<float> bound(peak);
            for (auto& channel : expected)
                for (float& y : channel) y = bound(y);
            for (const std::vector<std::size_t>& blocks : {std::vector<std::size_t>{64}, {1}, {1, 15, 16, 17, 33}}) {
                Stream stream(with_peak(free, peak), options);
                CHECK((play(stream, in, blocks) == expected));  // not thousands of samples in a message
            }
            CHECK(peak_of(expected) > bound.knee);
            CHECK(peak_of(expected) <= 2 * peak);
        }
}

TEST_CASE("at other sample rates a stream is bound too", "[stream]") {
    Stream unbound(std::make_shared<const Model>(random_model(full_config())));
    const Planar in = noise(2, 4000);
    const float peak = peak_of(play(unbound, in, {64})) / 4;
    for (const int oversampling : {1, 2}) {
        Stream stream(with_peak(random_model(full_config()), peak), {.oversampling = oversampling});
        stream.prepare(96000, 64);
        // A resampler behind the model rings at most by what its filter allows.
        CHECK(peak_of(play(stream, in, {64})) <= (oversampling == 1 ? 2.0f : 2.6f) * peak);
    }
}

TEST_CASE("a bound stream still recovers from states that overflow", "[stream]") {
    const auto model = with_peak(random_model(full_config()), 0.1f);
    Stream stream(model);
    State state = stream.state(0);
    std::fill(state.h.begin(), state.h.end(), NAN);
    stream.set_state(state);
    const Planar out = play(stream, noise(2, 200), {16});
    CHECK(peak_of({{out[0].begin(), out[0].begin() + 16}}) == 0.0f);
    for (const float y : out[0]) REQUIRE(std::isfinite(y));
    CHECK(peak_of(out) > 0.0f);
}
