// SPDX-License-Identifier: MIT
#include "model/bound_memory.h"

#include "model/silence.h"

#include <algorithm>
#include <cmath>

namespace serpent {
namespace {

/// The defaults, each control at either end with the others at their defaults, and all of them at either end.
std::vector<std::vector<float>> settings(const std::vector<Control>& controls) {
    std::vector<float> defaults, low, high;
    for (const Control& control : controls) {
        defaults.push_back(control.default_value);
        low.push_back(control.min);
        high.push_back(control.max);
    }
    std::vector<std::vector<float>> all{defaults};
    if (controls.empty()) return all;
    all.push_back(low);
    all.push_back(high);
    for (std::size_t i = 0; i < controls.size(); ++i)
        for (const float end : {controls[i].min, controls[i].max}) {
            all.push_back(defaults);
            all.back()[i] = end;
        }
    return all;
}

/// Of the states at the solver's last solution. A dt of next to nothing, which no |A| makes up for, stays.
bool raise_slow_decays(Model& model, std::span<const double> decays, double least_decay) {
    constexpr double largest_A_log = 30.0;
    const auto n_states = static_cast<std::size_t>(model.config.d_state), d_inner = static_cast<std::size_t>(model.config.d_inner());
    bool raised = false;
    for (std::size_t c = 0; c * n_states < decays.size(); ++c) {
        const std::size_t layer = c / d_inner;
        const kernels::BlockShape shape = model.config.block(static_cast<int>(layer));
        const auto n_decays = static_cast<std::size_t>(shape.decays());
        const double* const of_channel = decays.data() + c * n_states;
        // Pairs of the time-invariant kind lie side by side; else the first so many states stand for all.
        const std::size_t apart = shape.kind == BlockKind::time_invariant ? 2 : 1;
        for (std::size_t n = 0; n < n_decays; ++n) {
            const double decay = of_channel[n * apart];
            if (!(decay < least_decay * (1 - 1e-6))) continue;  // 1e-6: what rounding A_log to float32 leaves; skips NaN
            float& log_rate = model.weights.layers[layer].A_log[c % d_inner * n_decays + n];
            const double wanted = log_rate + std::log(least_decay / decay);
            if (wanted > largest_A_log) continue;
            log_rate = static_cast<float>(wanted);
            raised = true;
        }
    }
    return raised;
}

} // namespace

bool bound_memory(Model& model, double longest_samples) {
    // A state that forgets sooner comes to rest elsewhere in silence (euler), which moves dt in the layers behind it: so again
    // until nothing moves. |A| only ever grows.
    constexpr int most_rounds = 32;
    SilenceSolver solver(model);
    State state = zero_state(model.config);
    const std::vector<std::vector<float>> places = settings(model.config.controls);
    bool raised = false;
    for (int round = 0; round < most_rounds; ++round) {
        bool moved = false;
        for (const std::vector<float>& controls : places) {
            solver.solve(film(model, controls), state);
            moved |= raise_slow_decays(model, solver.decays(), 1 / longest_samples);
        }
        if (!moved) break;
        raised = true;
    }
    return raised;
}

} // namespace serpent
