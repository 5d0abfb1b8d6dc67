// SPDX-License-Identifier: GPL-3.0-or-later
// States that remember long and turn fast: an error of their angle or length goes the same way sample after sample, so that it takes as
// many samples as they remember to show, and it hides behind everything else a model puts out. So the states themselves are compared.
#include "model/example_model.h"
#include "reference_model.h"
#include "stream_helpers.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace serpent;
using namespace serpent::test;

namespace {

constexpr double slowest_samples = 96000.0;

Model turning_model(BlockKind kind) {
    ModelConfig config;
    config.expand = 1;
    config.n_layers = 1;
    config.blocks = {kind};
    Model model = random_model(config, true, slowest_samples);
    const Tensor rates = model.weights.layers[0].A_log;
    if (kind == BlockKind::time_invariant)
        for (std::size_t i = 0; i < rates.size(); ++i)
            rates[i] = static_cast<float>(-std::log(slowest_samples) * static_cast<double>(i + 1) / static_cast<double>(rates.size()));
    return model;
}

/// Without a fused multiply-add every product is rounded, and the rounding of one with a constant does not quite average out: up to 1e-8
/// of the state in every sample, measured; 6e-5 here.
bool fused(kernels::Isa isa) { return isa != kernels::Isa::scalar && isa != kernels::Isa::sse4; }

} // namespace

TEST_CASE("slow states turn as in float64, however fast", "[stream][resonant]") {
    for (const BlockKind kind : {BlockKind::rotating, BlockKind::time_invariant}) {
        const Model model = turning_model(kind);
        const Planar in = noise(1, 60000);
        ReferenceModel reference(model);
        reference.set_state(silence_state(model));
        const std::vector<double> expected = reference.process(interleaved(in));
        for (const kernels::Isa isa : kernels::available_isas()) {
            Stream stream(std::make_shared<const Model>(model), {.isa = isa});
            const Distance out = distance(expected, interleaved(play(stream, in, {64})));
            const Distance state = distance(reference.state().h, stream.state(0).h);
            CAPTURE(kernels::block_kind_name(kind), kernels::isa_name(isa), out.rms, out.max, state.rms, state.max);
            CHECK(within_budget(out));
            CHECK((fused(isa) ? within_budget(state) : state.within(2e-4, 1e-3)));
        }
    }
}
