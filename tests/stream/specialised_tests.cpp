// SPDX-License-Identifier: GPL-3.0-or-later
// The live engine's code for the presets' sizes, and for two instances in one vector, against its code for any model.
#include "model/example_model.h"
#include "stream_helpers.h"

#include "serpent/kernels/flush_denormals.h"
#include "serpent/kernels/live.h"
#include "serpent/training.h"
#include "model/tensors.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

/// The presets, resonant models of the same sizes, and the wider shapes that presets had before and that models from then have.
std::vector<std::pair<std::string, ModelConfig>> specialised_shapes() {
    std::vector<std::pair<std::string, ModelConfig>> shapes;
    for (const std::string& name : train_preset_names()) shapes.emplace_back(name, train_preset(name).config);
    ModelConfig wide = train_preset("nano").config;
    wide.expand = 2;
    wide.a = DecayShape::tied;
    shapes.emplace_back("8/16/4 x 4, tied", wide);
    wide.a = DecayShape::full, wide.d_state = 8, wide.n_layers = 2;
    shapes.emplace_back("8/16/8 x 2, full", wide);
    for (const bool tied : {false, true}) {  // tied: 8 by 16, as that is the tied shape with code of its own
        ModelConfig pairs = resonant_preset(tied ? 2 : 1);
        pairs.a = tied ? DecayShape::tied : DecayShape::full;
        shapes.emplace_back(tied ? "resonant, tied" : "resonant", pairs);
        pairs.blocks = {BlockKind::rotating, BlockKind::selective, BlockKind::time_invariant, BlockKind::rotating};
        pairs.n_layers = 4, pairs.dilations = {1, 3, 40, 2};
        shapes.emplace_back(tied ? "mixed, tied" : "mixed", pairs);
    }
    return shapes;
}

Model model_of(ModelConfig config, BBar b_bar, int d_conv) {
    config.b_bar = b_bar;
    config.d_conv = d_conv;
    return random_model(config, true, 2000.0);
}

/// From the silence state, in sub-blocks of changing length.
Planar run(kernels::LiveEngine& engine, const Model& model, const Planar& in) {
    const kernels::FlushDenormals flush;
    const State start = silence_state(model);
    const Film coefficients = film(model);
    engine.set_film(coefficients.scale.data(), coefficients.shift.data(), 0);
    for (int i = 0; i < engine.instances(); ++i) engine.set_state({start.conv.data(), start.h.data(), start.h_low.data(), start.fir_in.data(), start.fir_out.data()}, i);
    Planar out(in.size(), std::vector<float>(in[0].size(), NAN));
    std::vector<const float*> from;
    std::vector<float*> to;
    for (std::size_t c = 0; c < in.size(); ++c) from.push_back(in[c].data()), to.push_back(out[c].data());
    const int most = kernels::live_block, lengths[] = {1, most, 3, 1, most / 2 + 1, 8}, total = static_cast<int>(in[0].size());
    for (int at = 0, i = 0; at < total; ++i) {
        const int n = std::min(lengths[i % 6], total - at);
        REQUIRE(engine.process(from.data(), to.data(), at, n) == 0);
        at += n;
    }
    return out;
}

kernels::LiveEngine engine_of(const Model& model, const kernels::LiveOptions& options) {
    return {model_shape(model.config), weight_pointers(model.weights), options};
}

} // namespace

TEST_CASE("code made for the presets' sizes gives the bits of the code for any size", "[stream][specialised]") {
    for (const auto& [shape, config] : specialised_shapes())
        for (const BBar b_bar : {BBar::ema, BBar::euler})
            for (const int d_conv : {4, 7}) {
                const Model model = model_of(config, b_bar, d_conv);
                for (const kernels::Isa isa : kernels::available_isas())
                    for (int instances = 1; instances <= kernels::LiveEngine::most_instances(isa); ++instances) {
                        CAPTURE(shape, b_bar == BBar::ema, d_conv, kernels::isa_name(isa), instances);
                        auto special = engine_of(model, {.isa = isa, .instances = instances});
                        auto general = engine_of(model, {.isa = isa, .instances = instances, .specialised = false});
                        CHECK(special.isa() == isa);
                        CHECK(special.specialised() == (isa != kernels::Isa::scalar));
                        CHECK_FALSE(general.specialised());
                        const Planar in = noise(static_cast<std::size_t>(instances), 1500);
                        CHECK((run(special, model, in) == run(general, model, in)));
                    }
            }
}

TEST_CASE("instances that share a vector answer as one alone", "[stream][specialised]") {
    for (const auto& [shape, config] : specialised_shapes()) {
        const Model model = model_of(config, BBar::ema, 4);
        for (const kernels::Isa isa : kernels::available_isas()) {
            const int most = kernels::LiveEngine::most_instances(isa);
            CHECK(most == (isa == kernels::Isa::avx512 ? 2 : 1));
            auto together = engine_of(model, {.isa = isa, .instances = most});
            const Planar in = noise(static_cast<std::size_t>(most), 1500);
            const Planar out = run(together, model, in);
            for (std::size_t i = 0; i < in.size(); ++i) {
                CAPTURE(shape, kernels::isa_name(isa), i);
                auto alone = engine_of(model, {.isa = isa});
                CHECK(within_budget(distance(run(alone, model, {in[i]})[0], out[i])));
            }
        }
    }
}

TEST_CASE("more instances than a vector has room for are refused", "[stream][specialised]") {
    const Model model = model_of(train_preset("nano").config, BBar::ema, 4);
    for (const kernels::Isa isa : kernels::available_isas())
        CHECK_THROWS_AS(engine_of(model, {.isa = isa, .instances = kernels::LiveEngine::most_instances(isa) + 1}),
                        std::invalid_argument);
}
