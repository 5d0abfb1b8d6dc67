// SPDX-License-Identifier: MIT
#include "training/initial_weights.h"

#include "serpent/errors.h"
#include "training/random.h"
#include "training/schedule.h"

#include <algorithm>
#include <cmath>

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
    if (s.start != "grid" && s.start != "slow")
        throw Error("The schedule's start is \"" + s.start + "\"; it is \"grid\" or \"slow\".");
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

} // namespace

Weights initial_weights(const ModelConfig& c, const TrainSchedule& schedule, std::uint64_t seed) {
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
    for (LayerWeights& w : weights.layers) {
        std::fill(w.norm.begin(), w.norm.end(), 1.0f);
        source.uniform(w.in_proj, in_bound);
        source.uniform(w.in_proj_bias, in_bound);
        source.uniform(w.conv_weight, 1.0 / std::sqrt(double(c.d_conv)));
        source.uniform(w.conv_bias, 1.0 / std::sqrt(double(c.d_conv)));
        source.uniform(w.x_proj, inner_bound);
        for (int n = c.dt_rank; n < c.dt_rank + 2 * c.d_state; ++n) w.x_proj_bias[size(n)] = 1.0f;
        source.uniform(w.dt_proj, 1.0 / std::sqrt(double(c.dt_rank)));
        std::fill(w.D.begin(), w.D.end(), 1.0f);
        source.uniform(w.out_proj, inner_bound / std::sqrt(double(c.n_layers)));
        source.uniform(w.film_weight, 0.1);
        set_time_constants(c, schedule, w);
    }
    std::fill(weights.norm_f.begin(), weights.norm_f.end(), 1.0f);
    source.uniform(weights.decoder_weight, in_bound);
    return weights;
}

} // namespace serpent
