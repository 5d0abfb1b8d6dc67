// SPDX-License-Identifier: GPL-3.0-or-later
// Renderers of a model that knows the level it was trained on, and every shipped model far outside it.
#include "equations/output_bound.h"
#include "model/example_model.h"
#include "random.h"
#include "serpent/render.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <numbers>

using namespace serpent;
using namespace serpent::test;

namespace {

using Signal = std::vector<float>;

Signal render(const Model& model, const Signal& in, int threads = 1) {
    Renderer renderer(std::make_shared<const Model>(model), {.threads = threads});
    Signal out(in.size(), NAN);
    const float* from[] = {in.data()};
    float* to[] = {out.data()};
    renderer.process(from, to, in.size());
    return out;
}

/// Not finite: infinity, so that a comparison fails.
float peak_of(const Signal& signal) {
    float peak = 0;
    for (const float x : signal) peak = std::isfinite(x) ? std::max(peak, std::abs(x)) : std::numeric_limits<float>::infinity();
    return peak;
}

constexpr std::size_t length = 12000;

/// Peak 1: noise, a held sine, a direct voltage, steps.
std::vector<Signal> hostile_signals() {
    Random random(5);
    std::vector<Signal> signals{random.vector<float>(length, -1.0, 1.0), Signal(length), Signal(length, 1.0f), Signal(length)};
    const float steps[] = {1.0f, -0.5f, 0.0f, -1.0f, 0.25f, 0.7f};
    for (std::size_t t = 0; t < length; ++t) {
        signals[1][t] = static_cast<float>(std::sin(2 * std::numbers::pi * 220 / 48000 * double(t)));
        signals[3][t] = steps[t * std::size(steps) / length];
    }
    return signals;
}

} // namespace

TEST_CASE("a renderer plays what the model answers, bound") {
    ModelConfig config = full_config();
    config.channels = 1;
    Model model = random_model(config);
    for (const std::size_t n : {std::size_t{100}, std::size_t{9001}}) {
        Random random(3);
        const Signal in = random.vector<float>(n, -0.7, 0.7);
        model.config.output_peak = 0;
        Signal expected = render(model, in);
        model.config.output_peak = peak_of(expected) / 4;
        const equations::OutputBound<float> bound(model.config.output_peak);
        for (float& y : expected) y = bound(y);
        CHECK((render(model, in) == expected));  // not thousands of samples in a message
        CHECK((render(model, in, 2) == expected));
        CHECK(peak_of(expected) > bound.knee);
    }
}

TEST_CASE("no shipped model plays more than 6 dB above the level it was trained on") {
    const std::vector<Signal> signals = hostile_signals();
    for (const auto& entry : std::filesystem::directory_iterator(SERPENT_ASSETS "/models")) {
        if (entry.path().extension() != ".safetensors") continue;
        CAPTURE(entry.path().stem().string());
        const Model model = Model::load(entry.path());
        REQUIRE(model.config.output_peak > 0.0f);
        for (const Signal& signal : signals)
            for (const int level_db : {-12, -3, 0, 6, 12, 18, 24}) {
                Signal in = signal;
                for (float& x : in) x *= std::pow(10.0f, static_cast<float>(level_db) / 20);
                CAPTURE(&signal - signals.data(), level_db);
                CHECK(peak_of(render(model, in)) <= 2 * model.config.output_peak);
            }
    }
}
