// SPDX-License-Identifier: MIT
#include "generator/generator_state.h"
#include "training/initial_states.h"
#include "training/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace serpent {
namespace {

std::size_t size(int a) { return static_cast<std::size_t>(a); }

double at_share(double share, double first, double last) { return first * std::pow(last / first, share); }

struct Source {
    std::uint64_t seed, stream = 0;

    void uniform(Tensor v, double low, double high) {
        ++stream;
        for (std::size_t i = 0; i < v.size(); ++i)
            v[i] = static_cast<float>(low + (high - low) * random_uniform(seed, stream, i));
    }
    void uniform(Tensor v, double bound) { uniform(v, -bound, bound); }
};

/// Channels from fast to slow, states of a channel faster by up to 32 times.
void selective_start(const ModelConfig& c, double longest_steps, LayerWeights& w, Source& source) {
    for (int i = 0; i < c.d_inner(); ++i) {
        for (int n = 0; n < c.decays(); ++n) {
            const double share = c.decays() > 1 ? double(n) / (c.decays() - 1) : 0.0;
            w.A_log[size(i * c.decays() + n)] = static_cast<float>(std::log(at_share(share, 1.0, 32.0)));
        }
        const double share = c.d_inner() > 1 ? double(i) / (c.d_inner() - 1) : 0.5;
        w.dt_proj_bias[size(i)] = static_cast<float>(inverse_softplus(1.0 / at_share(share, 2.0, longest_steps)));
    }
    source.uniform(w.x_proj, 1.0 / std::sqrt(double(c.d_inner())));
    for (int n = c.dt_rank; n < c.dt_rank + 2 * c.d_state; ++n) w.x_proj_bias[size(n)] = 1.0f;
    source.uniform(w.dt_proj, 1.0 / std::sqrt(double(c.dt_rank)));
}

void rotating_start(const kernels::BlockShape& b, int layer, double rate_hz, double longest_steps, LayerWeights& w, Source& source) {
    std::vector<float> jitter(size(b.d_inner * b.pairs()));
    source.uniform(jitter, 0.5);
    set_resonances(b, layer, rate_hz, longest_steps, jitter, w);
    source.uniform(w.x_proj, 1.0 / std::sqrt(double(b.d_inner)));
    for (int m = 0; m < b.pairs(); ++m)  // the real parts of B and C
        w.x_proj_bias[size(b.dt_rank + m)] = w.x_proj_bias[size(b.dt_rank + b.d_state + m)] = 1.0f;
    source.uniform(w.dt_proj, 1.0 / std::sqrt(double(b.dt_rank)));
}

/// Oscillators of any frequency and, log-uniformly, any time constant: a filter bank.
void time_invariant_start(const ModelConfig& c, double longest_steps, LayerWeights& w, Source& source) {
    source.uniform(w.A_log, -std::log(longest_steps), -std::log(2.0));
    source.uniform(w.A_imag, 0.0, std::numbers::pi);
    source.uniform(w.C, 1.0 / std::sqrt(0.5 * c.d_state));
}

} // namespace

GeneratorWeights initial_generator_weights(const GeneratorConfig& config, const GeneratorSchedule& schedule, std::uint64_t seed) {
    GeneratorWeights weights;
    lay_out(config, weights);
    Source source{seed};
    source.uniform(weights.embedding, 1.0);
    for (std::size_t k = 0; k < config.tiers.size(); ++k) {
        const ModelConfig& c = config.tiers[k].stack;
        TierWeights& w = weights.tiers[k];
        const double step_s = double(config.samples_per_step(static_cast<int>(k))) / config.sample_rate;
        const double longest = std::max(4.0, schedule.longest_memory_s / step_s);
        const double in_bound = 1.0 / std::sqrt(double(c.d_model)), inner_bound = 1.0 / std::sqrt(double(c.d_inner()));
        if (k > 0) {
            source.uniform(w.pool_weight, 1.0 / std::sqrt(double(w.pool_weight.size()) / c.d_model));
            source.uniform(w.unpool_weight, in_bound);
        }
        for (const Tensor table : w.conditions) source.uniform(table, 0.3);
        for (int i = 0; i < c.n_layers; ++i) {
            LayerWeights& l = w.stack.layers[size(i)];
            const kernels::BlockShape block = c.block(i);
            std::ranges::fill(l.norm, 1.0f);
            source.uniform(l.in_proj, in_bound);
            source.uniform(l.in_proj_bias, in_bound);
            source.uniform(l.conv_weight, 1.0 / std::sqrt(double(c.d_conv)));
            source.uniform(l.conv_bias, 1.0 / std::sqrt(double(c.d_conv)));
            std::ranges::fill(l.D, 1.0f);
            source.uniform(l.out_proj, inner_bound / std::sqrt(double(c.n_layers)));
            switch (block.kind) {
            case BlockKind::selective: selective_start(c, longest, l, source); break;
            case BlockKind::rotating: rotating_start(block, i, 1 / step_s, longest, l, source); break;
            case BlockKind::time_invariant: time_invariant_start(c, longest, l, source); break;
            }
        }
        std::ranges::fill(w.stack.norm_f, 1.0f);
    }
    source.uniform(weights.decoder_weight, 1.0 / std::sqrt(double(config.tiers.front().stack.d_model)));
    return weights;
}

} // namespace serpent
