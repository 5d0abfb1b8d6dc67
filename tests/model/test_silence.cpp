// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/bound_memory.h"
#include "model/example_model.h"
#include "reference_model.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

double rms(const std::vector<double>& values) {
    double power = 0.0;
    for (const double v : values) power += v * v;
    return std::sqrt(power / static_cast<double>(values.size()));
}

/// Largest distance, as a part of the reference's rms.
double distance(const std::vector<float>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    double worst = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = std::fabs(a[i] - b[i]);
        if (!(d <= worst)) worst = d;  // keeps a NaN
    }
    return worst / rms(b);
}

const char* const golden_names[] = {"mamba_reference_16_32_16_4", "odd_widths_5_10_3_3", "slow_ema_8_16_8_2",
                                    "tied_ema_8_16_4_4", "film_8_16_4_2", "stereo_6_12_4_2", "f16_8_8_4_3",
                                    "bf16_8_8_4_3", "tied_euler_8_16_4_2", "rotating_8_8_4_6", "mixed_6_12_6_4"};

} // namespace

TEST_CASE("the silence state is a fixed point") {
    std::vector<Model> models;
    for (const std::string name : golden_names) models.push_back(Model::load(SERPENT_TEST_DATA "/models/" + name + ".safetensors"));
    for (const BBar b_bar : {BBar::euler, BBar::ema}) {
        for (const DecayShape a : {DecayShape::full, DecayShape::tied}) {
            ModelConfig config = full_config();
            config.b_bar = b_bar;
            config.a = a;
            models.push_back(random_model(config, true, 96000.0));
            config.controls.clear();
            config.d_conv = 1;
            models.push_back(random_model(config, false, 96000.0));
            config = resonant_config();
            config.a = a;
            models.push_back(random_model(config, true, 96000.0));
        }
    }
    for (const Model& model : models) {
        INFO(model.metadata.name);
        const State state = silence_state(model);
        ReferenceModel forward(model);
        forward.set_state(state);
        forward.process(std::vector<double>(static_cast<std::size_t>(model.config.channels)));
        // One step from a state that is exact but for rounding to float32 (6e-8 of each value), which the weights of
        // order 1 mix but do not amplify beyond a few times.
        CHECK(distance(state.h, forward.state().h) <= 1e-6);
        if (model.config.d_conv > 1) CHECK(distance(state.conv, forward.state().conv) <= 1e-6);
    }
}

TEST_CASE("zeros lead to the silence state") {
    for (const BBar b_bar : {BBar::euler, BBar::ema}) {
        ModelConfig config = full_config();
        config.b_bar = b_bar;
        const Model model = random_model(config, true, 100.0);
        const std::vector<float> controls = {9.0f, -3.0f};
        ReferenceModel forward(model, controls);
        // tau up to 165 samples (100 * exp(0.5)) and some variation of dt: 20,000 samples leave nothing of the start.
        forward.process(std::vector<double>(2 * 20000));
        const State state = silence_state(model, controls);
        CHECK(distance(state.h, forward.state().h) <= 1e-6);      // rounding to float32
        CHECK(distance(state.conv, forward.state().conv) <= 1e-6);
        const State other = silence_state(model);
        CHECK(distance(other.h, forward.state().h) > 1e-3);       // the controls do matter
    }
}

TEST_CASE("the silence state of extreme decays is finite and exact") {
    ModelConfig config = full_config();
    config.controls.clear();
    config.n_layers = 1;
    Model model = random_model(config);
    LayerWeights& layer = model.weights.layers[0];
    SECTION("decay beyond double's reach: h = dt B x") { std::ranges::fill(layer.A_log, 40.0f); }
    SECTION("next to no decay: h = B x / |A|") { std::ranges::fill(layer.A_log, -40.0f); }
    SECTION("dt of zero") { std::ranges::fill(layer.dt_proj_bias, -1000.0f); }
    SECTION("dt of a thousand") { std::ranges::fill(layer.dt_proj_bias, 1000.0f); }
    model.validate();
    const State state = silence_state(model);
    ReferenceModel forward(model);
    forward.set_state(state);
    forward.process(std::vector<double>(2));
    CHECK(distance(state.h, forward.state().h) <= 1e-6);
}

TEST_CASE("the zero state has the documented sizes") {
    const State state = zero_state(full_config());
    CHECK(state.conv == std::vector<float>(2 * 2 * 10));
    CHECK(state.h == std::vector<float>(2 * 10 * 3));
}

TEST_CASE("time constants at silence") {
    ModelConfig config = full_config();
    config.controls.clear();
    config.n_layers = 1;
    Model model = random_model(config);
    LayerWeights& layer = model.weights.layers[0];
    std::ranges::fill(layer.A_log, 0.0f);
    layer.A_log[4] = std::log(4.0f);
    std::ranges::fill(layer.dt_proj, 0.0f);
    std::ranges::fill(layer.dt_proj_bias, std::log(std::expm1(0.01f)));
    CHECK(time_constants(model).shortest_samples == Approx(25.0).epsilon(1e-5));  // float32 weights
    CHECK(time_constants(model).longest_samples == Approx(100.0).epsilon(1e-5));
}

TEST_CASE("a bounded memory") {
    for (const BBar b_bar : {BBar::euler, BBar::ema})
        for (const DecayShape a : {DecayShape::full, DecayShape::tied}) {
            ModelConfig config = full_config();  // two controls
            config.b_bar = b_bar;
            config.a = a;
            Model model = random_model(config, true, 5e7);
            const Model before = model;
            REQUIRE(time_constants(model).longest_samples > 1e6);
            CHECK(bound_memory(model, 96000));
            for (const std::vector<float>& controls : {std::vector<float>{}, {0, -12}, {10, 12}, {0, 0}, {4, 12}}) {
                INFO(controls.size());
                CHECK(time_constants(model, controls).longest_samples <= 96000 * (1 + 3e-6));  // A_log in float32
            }
            CHECK(time_constants(model).longest_samples == Approx(96000).epsilon(0.02));  // and not shorter than asked
            CHECK(time_constants(model).shortest_samples == Approx(time_constants(before).shortest_samples).epsilon(0.3));
            CHECK_FALSE(bound_memory(model, 96000));  // nothing is left to do
            std::size_t kept = 0, rates = 0;
            for (std::size_t layer = 0; layer < model.weights.layers.size(); ++layer)
                for (std::size_t i = 0; i < model.weights.layers[layer].A_log.size(); ++i, ++rates) {
                    const float now = model.weights.layers[layer].A_log[i], then = before.weights.layers[layer].A_log[i];
                    CHECK(now >= then);
                    kept += now == then;
                }
            CHECK(kept > 0);
            CHECK(kept < rates);
        }
    SECTION("a model that forgets soon enough is left alone") {
        Model model = random_model(full_config());
        const Model before = model;
        CHECK_FALSE(bound_memory(model, 96000));
        CHECK(model.weights.values == before.weights.values);
    }
    SECTION("absurd weights end") {
        Model model = random_model(full_config());
        for (LayerWeights& layer : model.weights.layers) std::ranges::fill(layer.dt_proj_bias, -1000.0f);
        bound_memory(model, 96000);
        model.validate();
        std::ranges::fill(model.weights.layers[0].in_proj, std::nanf(""));
        bound_memory(model, 96000);
    }
}

TEST_CASE("FiLM coefficients") {
    const Model model = random_model(full_config());
    SECTION("without controls: ones and zeros") {
        ModelConfig config = full_config();
        config.controls.clear();
        const Film none = film(random_model(config));
        CHECK(none.scale == std::vector<float>(10, 1.0f));
        CHECK(none.shift == std::vector<float>(10, 0.0f));
    }
    SECTION("by hand") {
        const Film f = film(model, std::vector<float>{7.5f, -12.0f});  // 0.5 and -1 after mapping
        const Weights& w = model.weights;
        for (std::size_t row = 0; row < 10; ++row) {
            double sum = w.layers[1].film_bias[row];
            for (std::size_t j = 0; j < 16; ++j) {
                const double hidden = w.film_hidden_bias[j] + 0.5 * w.film_hidden_weight[2 * j] - w.film_hidden_weight[2 * j + 1];
                sum += w.layers[1].film_weight[row * 16 + j] * std::tanh(hidden);
            }
            const double found = row < 5 ? f.scale[5 + row] - 1.0 : f.shift[row];
            CHECK(found == Approx(sum).margin(2e-7));  // rounding of a float near 1
        }
    }
    SECTION("defaults, clamping and NaN") {
        const Film defaults = film(model);
        CHECK(film(model, std::vector<float>{4.0f, 0.0f}).scale == defaults.scale);
        CHECK(film(model, std::vector<float>{std::nanf(""), 0.0f}).scale == defaults.scale);
        CHECK(film(model, std::vector<float>{99.0f, -99.0f}).shift == film(model, std::vector<float>{10.0f, -12.0f}).shift);
        CHECK(film(model, std::vector<float>{10.0f, 0.0f}).scale != defaults.scale);
    }
    SECTION("the wrong number of values") {
        CHECK_THROWS_WITH(film(model, std::vector<float>{1.0f}), Catch::Contains("2 controls") && Catch::Contains("1 values"));
    }
}
