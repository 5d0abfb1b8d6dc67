// SPDX-License-Identifier: GPL-3.0-or-later
// All weights in one vector: what copies, moves and a new layout do to them.
#include "generator/example_generator.h"
#include "model/example_model.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

/// Tensors follow one another in `values`, in the order of tensors(), without gaps.
template <class Config, class Weights>
bool in_order(const Config& config, const Weights& weights) {
    const float* at = weights.values.data();
    for (const TensorRef& t : tensors(config, weights)) {
        if (t.data.empty() && t.optional) continue;
        if (t.data.data() != at || t.data.size() != t.elements()) return false;
        at += t.data.size();
    }
    return at == weights.values.data() + weights.values.size();
}

} // namespace

TEST_CASE("weights lie in file order, with and without optional tensors") {
    for (const ModelConfig& config : {full_config(), resonant_config()})
        for (const bool biases : {true, false}) CHECK(in_order(config, random_model(config, biases).weights));
    for (const char* name : {"flat", "two", "three"}) {
        const GeneratorModel model = example_generator(name);
        CHECK(in_order(model.config, model.weights));
        GeneratorWeights copy = model.weights;
        CHECK(in_order(model.config, copy));
        CHECK(copy.embedding.data() != model.weights.embedding.data());
    }
}

TEST_CASE("a copy of weights has memory of its own, and what is moved keeps it") {
    const Model model = random_model(resonant_config(), false);
    Weights copy;
    copy = model.weights;
    CHECK(in_order(model.config, copy));
    CHECK(copy.values == model.weights.values);
    CHECK(copy.layers[0].in_proj_bias.empty());
    const float before = model.weights.layers[1].D[0];
    copy.layers[1].D[0] = before + 1;
    CHECK(model.weights.layers[1].D[0] == before);
    const float* const place = copy.decoder_bias.data();
    const Weights moved = std::move(copy);
    CHECK(moved.decoder_bias.data() == place);
    CHECK(copy.values.empty());  // NOLINT: what it has left is nothing, not the other's
    CHECK(copy.decoder_bias.empty());
    CHECK(Weights(copy).layers.empty());
    CHECK(in_order(model.config, moved));
}

TEST_CASE("a new layout keeps what fits and makes the rest zero") {
    Model model = random_model(full_config(), false);
    const Model before = model;
    model.config.skip = !model.config.skip;
    model.config.d_conv += 1;
    lay_out(model.config, model.weights, [](const TensorRef& t) { return t.name == "layers.1.mixer.in_proj.bias"; });
    CHECK(in_order(model.config, model.weights));
    CHECK(model.weights.skip.empty() != before.weights.skip.empty());
    CHECK(model.weights.layers[0].in_proj_bias.empty());
    CHECK(model.weights.layers[1].in_proj_bias.size() == static_cast<std::size_t>(2 * model.config.d_inner()));
    for (const float v : model.weights.layers[1].in_proj_bias) CHECK(v == 0);
    const Tensor now = model.weights.layers[0].conv_weight, then = before.weights.layers[0].conv_weight;
    REQUIRE(now.size() > then.size());
    CHECK(std::equal(then.begin(), then.end(), now.begin()));
    CHECK(now.back() == 0);
    CHECK(std::ranges::equal(model.weights.decoder_weight, before.weights.decoder_weight));
}

TEST_CASE("weights of another number of layers are refused by name") {
    Model model = random_model(full_config());
    model.weights.layers.pop_back();
    CHECK_THROWS_WITH(tensors(model.config, model.weights), Catch::Contains("n_layers"));
    GeneratorModel generator = example_generator("two");
    generator.weights.tiers.pop_back();
    CHECK_THROWS_WITH(tensors(generator.config, generator.weights), Catch::Contains("tiers"));
}
