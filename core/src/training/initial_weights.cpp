// SPDX-License-Identifier: MIT
#include "training/initial_weights.h"

#include "serpent/errors.h"
#include "training/initial_states.h"
#include "training/random.h"
#include "training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace serpent {
namespace {

std::size_t size(int a) { return static_cast<std::size_t>(a); }

struct Source {
    std::uint64_t seed, stream = 0;
    void uniform(Tensor v, double bound) {
        ++stream;
        for (std::size_t i = 0; i < v.size(); ++i)
            v[i] = static_cast<float>(bound * (2.0 * random_uniform(seed, stream, i) - 1.0));
    }
};

void set_time_constants(const ModelConfig& c, const TrainSchedule& s, LayerWeights& w) {
    const double longest = longest_memory_samples(s, c.sample_rate);
    const bool grid = s.start == "grid";
    const double fastest = grid ? 32.0 : double(c.d_state);
    for (int i = 0; i < c.d_inner(); ++i) {
        for (int n = 0; n < c.decays(); ++n) {
            const double a = c.a == DecayShape::tied ? 1.0 : grid ? log_spaced(n, c.d_state, 1.0, fastest) : n + 1.0;
            w.A_log[size(i * c.decays() + n)] = static_cast<float>(std::log(a));
        }
        w.dt_proj_bias[size(i)] = static_cast<float>(inverse_softplus(1.0 / log_spaced(i, c.d_inner(), 2.0, longest)));
    }
}

/// As initial_states.h says, up to the memory of gear that rings unless the schedule asks for more.
void spread_resonances(const kernels::BlockShape& b, int layer, int sample_rate_hz, const TrainSchedule& s, Source& source, LayerWeights& w) {
    constexpr double usual_memory_s = 0.1;
    std::vector<float> jitter(size(b.d_inner * b.pairs()));
    source.uniform(jitter, 0.5);
    set_resonances(b, layer, sample_rate_hz, s.start == "slow" ? longest_memory_samples(s, sample_rate_hz) : usual_memory_s * sample_rate_hz, jitter, w);
}

/// As oscillators: periods and decays of all lengths, gain from noise to noise about 1.
void set_oscillators(const kernels::BlockShape& b, Source& source, LayerWeights& w) {
    const int pairs = b.pairs();
    for (int i = 0; i < b.d_inner; ++i)
        for (int m = 0; m < pairs; ++m) {
            const std::size_t at = size(i * pairs + m);
            w.A_log[at] = static_cast<float>(std::log(1.0 / log_spaced(i, b.d_inner, 4.0, 4800.0)));
            w.A_imag[at] = static_cast<float>(std::numbers::pi * log_spaced(m, pairs, 0.01, 0.7));
        }
    source.uniform(w.C, 1.0 / std::sqrt(double(pairs)));
}

/// A filter that passes on what it hears, `delay` samples late.
void set_filter(Tensor taps, int channels, int delay) {
    const std::size_t length = taps.size() / size(channels);
    for (std::size_t c = 0; c < size(channels) && length > 0; ++c) taps[c * length + std::min(size(delay), length - 1)] = 1.0f;
}

} // namespace

Weights initial_weights(const ModelConfig& c, const TrainSchedule& schedule, std::uint64_t seed, int delay_samples) {
    if (schedule.start != "grid" && schedule.start != "slow")
        throw Error("The schedule's start is \"" + schedule.start + "\"; it is \"grid\" or \"slow\".");
    Weights weights;
    lay_out(c, weights);
    Source source{seed};
    source.uniform(weights.encoder_weight, 1.0);
    source.uniform(weights.encoder_bias, 1.0);
    source.uniform(weights.film_hidden_weight, 1.0);
    source.uniform(weights.film_hidden_bias, 0.5);
    const double in_bound = 1.0 / std::sqrt(double(c.d_model)), inner_bound = 1.0 / std::sqrt(double(c.d_inner()));
    for (int l = 0; l < c.n_layers; ++l) {
        LayerWeights& w = weights.layers[size(l)];
        const kernels::BlockShape block = c.block(l);
        std::fill(w.norm.begin(), w.norm.end(), 1.0f);
        source.uniform(w.in_proj, in_bound);
        source.uniform(w.in_proj_bias, in_bound);
        source.uniform(w.conv_weight, 1.0 / std::sqrt(double(c.d_conv)));
        source.uniform(w.conv_bias, 1.0 / std::sqrt(double(c.d_conv)));
        source.uniform(w.x_proj, inner_bound);
        if (block.kind == BlockKind::selective)
            for (int n = c.dt_rank; n < c.dt_rank + 2 * c.d_state; ++n) w.x_proj_bias[size(n)] = 1.0f;
        if (block.kind == BlockKind::rotating)  // the real parts of B and C
            for (int m = 0; m < block.pairs(); ++m) w.x_proj_bias[size(c.dt_rank + m)] = w.x_proj_bias[size(c.dt_rank + c.d_state + m)] = 1.0f;
        source.uniform(w.dt_proj, 1.0 / std::sqrt(double(c.dt_rank)));
        std::fill(w.D.begin(), w.D.end(), 1.0f);
        source.uniform(w.out_proj, inner_bound / std::sqrt(double(c.n_layers)));
        source.uniform(w.film_weight, 0.1);
        switch (block.kind) {
        case BlockKind::selective: set_time_constants(c, schedule, w); break;
        case BlockKind::rotating: spread_resonances(block, l, c.sample_rate, schedule, source, w); break;
        case BlockKind::time_invariant: set_oscillators(block, source, w); break;
        }
    }
    set_filter(weights.fir_in, c.channels, 0);
    set_filter(weights.fir_out, c.channels, delay_samples);
    std::fill(weights.norm_f.begin(), weights.norm_f.end(), 1.0f);
    source.uniform(weights.decoder_weight, in_bound);
    return weights;
}

} // namespace serpent
