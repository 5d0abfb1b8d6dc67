// SPDX-License-Identifier: MIT
#include "training/initial_weights.h"

#include "serpent/errors.h"
#include "training/random.h"
#include "training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace serpent {
namespace {

std::size_t size(int a) { return static_cast<std::size_t>(a); }

/// The value whose softplus is y.
double inverse_softplus(double y) { return y > 20 ? y : std::log(std::expm1(y)); }

/// i of n points, log-spaced from first to last.
double log_spaced(int i, int n, double first, double last) {
    return n < 2 ? std::sqrt(first * last) : first * std::pow(last / first, double(i) / double(n - 1));
}

struct Source {
    std::uint64_t seed, stream = 0;
    void uniform(std::vector<float>& v, double bound) {
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

/// Decays over time scales, and over the audible range frequencies that run the other way in every second layer, so that what rings
/// long is not always low. One pair of every second channel hardly turns: sag and bias are slow.
void set_resonances(const kernels::BlockShape& b, int layer, int sample_rate_hz, const TrainSchedule& s, Source& source, LayerWeights& w) {
    constexpr double lowest_hz = 40, highest_hz = 12000, slow_share = 0.1, usual_memory_s = 0.1;
    const double longest = s.start == "slow" ? longest_memory_samples(s, sample_rate_hz) : usual_memory_s * sample_rate_hz;
    const int pairs = b.pairs(), count = b.d_inner * pairs;
    std::vector<float> jitter(size(count));
    source.uniform(jitter, 0.5);
    for (int i = 0; i < b.d_inner; ++i) {
        for (int n = 0; n < b.decays(); ++n)
            w.A_log[size(i * b.decays() + n)] = static_cast<float>(std::log(b.tied ? 1.0 : log_spaced(n, pairs, 1.0, 8.0)));
        for (int m = 0; m < pairs; ++m) {
            const double place = i * pairs + m + double(jitter[size(i * pairs + m)]);
            const double share = std::clamp((layer % 2 == 0 ? place : count - 1 - place) / std::max(1, count - 1), 0.0, 1.0);
            const double hz = std::min(lowest_hz * std::pow(highest_hz / lowest_hz, share), 0.45 * sample_rate_hz);
            const double slow = m == 0 && i % 2 == 0 ? slow_share : 1.0;
            w.A_imag[size(i * pairs + m)] = static_cast<float>(2 * std::numbers::pi * slow * hz / sample_rate_hz);
        }
        const int permuted = i * 5 % b.d_inner;  // apart from the frequencies; all of 0..d_inner - 1 unless 5 divides it, which will do
        w.dt_proj_bias[size(i)] = static_cast<float>(inverse_softplus(1.0 / log_spaced(permuted, b.d_inner, 4.0, longest)));
    }
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
void set_filter(std::vector<float>& taps, int channels, int delay) {
    const std::size_t length = taps.size() / size(channels);
    for (std::size_t c = 0; c < size(channels) && length > 0; ++c) taps[c * length + std::min(size(delay), length - 1)] = 1.0f;
}

} // namespace

Weights initial_weights(const ModelConfig& c, const TrainSchedule& schedule, std::uint64_t seed, int delay_samples) {
    if (schedule.start != "grid" && schedule.start != "slow")
        throw Error("The schedule's start is \"" + schedule.start + "\"; it is \"grid\" or \"slow\".");
    Weights weights;
    for (const TensorRef& t : tensors(c, weights)) {
        std::size_t count = 1;
        for (const std::size_t n : t.shape) count *= n;
        t.data->assign(count, 0.0f);
    }
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
        case BlockKind::rotating: set_resonances(block, l, c.sample_rate, schedule, source, w); break;
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
