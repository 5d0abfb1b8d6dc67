// SPDX-License-Identifier: GPL-3.0-or-later
// Small generators with random weights, of every shape that matters.
#pragma once

#include "random.h"
#include "serpent/generator_model.h"

#include <string>
#include <vector>

namespace serpent::test {

inline GeneratorTier example_tier(int pool, bool selective, int d_model, int n_layers, int d_state) {
    GeneratorTier t;
    t.pool = pool;
    t.stack.blocks = {selective ? BlockKind::selective : BlockKind::time_invariant};
    t.stack.d_model = d_model, t.stack.n_layers = n_layers, t.stack.d_state = d_state;
    t.stack.b_bar = BBar::ema;
    return t;
}

/// "flat", "two", "three", "mixed", "wide".
inline GeneratorConfig example_config(const std::string& name) {
    GeneratorConfig c;
    c.sample_rate = 8000;
    if (name == "flat") {
        c.tiers = {example_tier(1, true, 5, 2, 3)};
        c.tiers[0].stack.a = DecayShape::tied;
    } else if (name == "two") {
        c.tiers = {example_tier(1, false, 6, 2, 4), example_tier(4, true, 8, 2, 4)};
        c.conditions = {{"digit", {"one", "two"}}, {"speaker", {"ada", "bob", "eve"}}};
    } else if (name == "three") {
        c.tiers = {example_tier(1, false, 4, 1, 6), example_tier(2, true, 7, 1, 5), example_tier(3, false, 9, 2, 2)};
        c.tiers[1].stack.b_bar = BBar::euler;
        c.tiers[1].stack.dt_rank = 2;
        c.tiers[2].stack.d_conv = 1;
        c.conditions = {{"mood", {"calm"}}};
    } else if (name == "mixed") {  // all kinds of blocks in both tiers, and taps that lie further apart than a segment is long
        c.tiers = {example_tier(1, true, 5, 3, 4), example_tier(3, true, 18, 3, 4)};
        using enum BlockKind;
        c.tiers[0].stack.blocks = {rotating, selective, time_invariant};
        c.tiers[0].stack.dilations = {1, 3, 20};
        c.tiers[1].stack.blocks = {time_invariant, rotating};
        c.tiers[1].stack.dilations = {5, 1};
        c.tiers[1].stack.a = DecayShape::tied;
    } else {
        c.tiers = {example_tier(1, false, 32, 3, 16), example_tier(8, true, 64, 3, 16)};
        c.tiers[1].stack.dt_rank = 4;
    }
    return c;
}

inline GeneratorModel example_generator(const std::string& name, std::uint64_t seed = 5) {
    GeneratorModel m{example_config(name), {}, {}};
    Random random(seed);
    lay_out(m.config, m.weights);
    for (const TensorRef& t : tensors(m.config, m.weights)) {
        double scale = t.shape.size() > 1 ? 1.5 / std::sqrt(double(t.shape.back())) : 0.5;
        if (t.name == "embedding.weight" || t.name == "decoder.weight") scale = 1;
        const auto values = random.vector(t.data.size(), -scale, scale);
        for (std::size_t i = 0; i < values.size(); ++i) {
            double v = values[i];
            if (t.name.ends_with("norm.weight") || t.name.ends_with("norm_f.weight")) v += 1;
            if (t.name.ends_with("A_log")) v -= 1;
            if (t.name.ends_with("A_imag")) v = 1.5 + 2 * v;
            t.data[i] = static_cast<float>(v);
        }
    }
    return m;
}

} // namespace serpent::test
