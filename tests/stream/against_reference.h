// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "reference_model.h"
#include "stream_helpers.h"

#include <catch2/catch.hpp>

namespace serpent::test {

/// A float model against the same weights in double, from the silence state.
inline void check_against_reference(const Model& model, std::size_t samples, const std::vector<float>& controls = {}) {
    const auto shared = std::make_shared<const Model>(model);
    const auto channels = static_cast<std::size_t>(model.config.channels);
    const Planar in = noise(channels, samples);
    ReferenceModel reference(model, controls);
    reference.set_state(silence_state(model, controls));
    const std::vector<double> expected = reference.process(interleaved(in));
    for (const kernels::Isa isa : kernels::available_isas()) {
        CAPTURE(kernels::isa_name(isa));
        Stream stream(shared, {.isa = isa});
        for (std::size_t i = 0; i < controls.size(); ++i) stream.set_control(static_cast<int>(i), controls[i]);
        stream.reset();
        const Distance d = distance(expected, interleaved(play(stream, in, {37})));
        CAPTURE(d.rms, d.max);
        CHECK(within_budget(d));
    }
}

} // namespace serpent::test
