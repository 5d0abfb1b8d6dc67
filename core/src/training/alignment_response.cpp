// SPDX-License-Identifier: MIT
#include "training/alignment_response.h"

#include "serpent/errors.h"
#include "training/real_fft.h"

#include <kiss_fftr.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <numeric>

namespace serpent {

namespace {

constexpr std::size_t predictor_order = 64;
constexpr double predictor_noise = 1e-6; // added white noise relative to the signal: bands without content stay quiet
constexpr double solver_noise = 1e-3;
constexpr double silent_block = 1e-8;    // of the dry signal's power
constexpr std::size_t search_block = std::size_t(1) << 16, response_block = (std::size_t(1) << 14) - 512;
constexpr std::size_t taps_before = 96, taps_after = 160; // of the largest correlation
constexpr std::size_t noise_taps = 64;                    // the first ones: they measure what chance gives

struct FreePlan {
    void operator()(kiss_fftr_state* plan) const noexcept { kiss_fftr_free(plan); }
};

/// sum x[i] x[i - lag] for lags below `lags`; with every sample in, no choice of x makes the predictor unstable.
std::vector<double> autocorrelation(std::span<const float> x, std::size_t lags) {
    std::vector<double> r(lags, 0.0);
    for (std::size_t i = 0; i < x.size(); ++i)
        for (std::size_t lag = 0; lag < std::min(lags, i + 1); ++lag) r[lag] += static_cast<double>(x[i]) * x[i - lag];
    return r;
}

/// The filter 1 - sum a_k z^-k that leaves of `signal` only what its past does not tell.
std::vector<float> prediction_error_filter(std::span<const float> signal) {
    auto r = autocorrelation(signal, predictor_order + 1);
    r[0] = r[0] * (1.0 + predictor_noise) + 1e-30;
    const auto a = solve_toeplitz(std::span(r).first(predictor_order), std::span(r).subspan(1));
    std::vector<float> filter{1.0f};
    for (const double coefficient : a) filter.push_back(static_cast<float>(-coefficient));
    return filter;
}

/// y[i] = sum filter[k] x[i + predictor_order - k], in pieces that stay in the cache.
std::vector<float> filtered(std::span<const float> x, std::span<const float> filter) {
    constexpr std::size_t piece = 4096;
    std::vector<float> y(x.size() - predictor_order, 0.0f);
    for (std::size_t start = 0; start < y.size(); start += piece) {
        const std::size_t end = std::min(start + piece, y.size());
        for (std::size_t k = 0; k < filter.size(); ++k)
            for (std::size_t i = start; i < end; ++i) y[i] += filter[k] * x[i + predictor_order - k];
    }
    return y;
}

double dot(std::span<const double> a, std::span<const double> b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double mean_square(std::span<const float> x) {
    double sum = 0;
    for (const float v : x) sum += static_cast<double>(v) * v;
    return sum / static_cast<double>(std::max<std::size_t>(x.size(), 1));
}

/// x[from..to), with zeros where there is nothing.
std::vector<float> section(std::span<const float> x, std::ptrdiff_t from, std::ptrdiff_t to) {
    std::vector<float> part(static_cast<std::size_t>(to - from), 0.0f);
    const std::ptrdiff_t first = std::max<std::ptrdiff_t>(from, 0), last = std::min(to, std::ssize(x));
    if (first < last) std::copy(x.begin() + first, x.begin() + last, part.begin() + (first - from));
    return part;
}

/// Divides by the rms level of every short piece, so that no loud passage outshouts the others.
void level_out(std::vector<float>& x) {
    constexpr std::size_t piece = 512;
    const double floor = 1e-3 * std::sqrt(mean_square(x)) + 1e-20;
    for (std::size_t start = 0; start < x.size(); start += piece) {
        const auto part = std::span(x).subspan(start, std::min(piece, x.size() - start));
        const double scale = 1.0 / (std::sqrt(mean_square(part)) + floor);
        for (float& v : part) v = static_cast<float>(v * scale);
    }
}

/// Sums correlations of dry blocks with the wet around them, for lags -reach .. reach - 1, by FFT.
class Correlator {
public:
    Correlator(std::size_t block, std::size_t reach)
        : reach_(reach), fft_(std::bit_ceil(block + 2 * reach)),
          forward_(kiss_fftr_alloc(static_cast<int>(fft_), 0, nullptr, nullptr)),
          inverse_(kiss_fftr_alloc(static_cast<int>(fft_), 1, nullptr, nullptr)), time_(fft_), dry_(fft_ / 2 + 1),
          wet_(fft_ / 2 + 1), cross_(fft_ / 2 + 1), power_(fft_ / 2 + 1) {
        if (!forward_ || !inverse_) throw Error("there is not enough memory to find the latency of the recording");
    }

    /// wet begins `reach` samples before dry and ends as much after it.
    void add(std::span<const float> dry, std::span<const float> wet, float weight) {
        transform(dry, 0, dry_);
        transform(wet, fft_ - reach_, wet_);
        for (std::size_t k = 0; k < cross_.size(); ++k) {
            cross_[k].r += weight * (dry_[k].r * wet_[k].r + dry_[k].i * wet_[k].i);
            cross_[k].i += weight * (dry_[k].r * wet_[k].i - dry_[k].i * wet_[k].r);
            power_[k].r += weight * (dry_[k].r * dry_[k].r + dry_[k].i * dry_[k].i);
        }
    }

    /// sum dry[i] wet[i + lag]; [0] is lag -reach.
    std::vector<double> cross_correlation() {
        kiss_fftri(inverse_.get(), cross_.data(), time_.data());
        std::vector<double> c(2 * reach_);
        for (std::size_t i = 0; i < c.size(); ++i) c[i] = time_[(i + fft_ - reach_) % fft_] / static_cast<float>(fft_);
        return c;
    }
    /// sum dry[i] dry[i + lag] from lag 0.
    std::vector<double> dry_correlation(std::size_t lags) {
        kiss_fftri(inverse_.get(), power_.data(), time_.data());
        std::vector<double> r(lags);
        for (std::size_t i = 0; i < lags; ++i) r[i] = time_[i] / static_cast<float>(fft_);
        return r;
    }

private:
    /// x from place `at` of the frame, round its end.
    void transform(std::span<const float> x, std::size_t at, std::vector<kiss_fft_cpx>& spectrum) {
        std::fill(time_.begin(), time_.end(), 0.0f);
        for (std::size_t i = 0; i < x.size(); ++i) time_[(at + i) % fft_] = x[i];
        kiss_fftr(forward_.get(), time_.data(), spectrum.data());
    }

    std::size_t reach_, fft_;
    std::unique_ptr<kiss_fftr_state, FreePlan> forward_, inverse_;
    std::vector<float> time_;
    std::vector<kiss_fft_cpx> dry_, wet_, cross_, power_;
};

/// Calls visit(white_dry, white_wet) for every block that is not silent, both filtered by the block's own predictor.
/// The wet is taken `lag` samples later, from `reach` before the block to `reach` after it.
template <class Visit>
void whiten_blocks(std::span<const float> dry, std::span<const float> wet, std::size_t block_size,
                   std::size_t reach_size, std::ptrdiff_t lag, Visit visit) {
    const double power = mean_square(dry);
    const auto block = static_cast<std::ptrdiff_t>(block_size), reach = static_cast<std::ptrdiff_t>(reach_size);
    const auto order = static_cast<std::ptrdiff_t>(predictor_order);
    for (std::ptrdiff_t start = 0; start < std::ssize(dry); start += block) {
        const auto dry_block = section(dry, start - order, start + block);
        if (mean_square(dry_block) <= silent_block * power) continue;
        const auto filter = prediction_error_filter(dry_block);
        visit(filtered(dry_block, filter),
              filtered(section(wet, start + lag - reach - order, start + lag + block + reach), filter));
    }
}

std::ptrdiff_t largest_correlation(const std::vector<double>& c) {
    const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
    return std::max_element(c.begin(), c.end(), smaller) - c.begin();
}

/// The lag of the strongest relation between the two, wherever it is. Levels are evened out on both sides: a loud
/// passage of one must not win over all lags that meet it.
std::ptrdiff_t search_lag(std::span<const float> dry, std::span<const float> wet) {
    const std::size_t block = std::min(search_block, std::bit_ceil(std::max(dry.size(), wet.size())));
    Correlator correlator(block, block);
    whiten_blocks(dry, wet, block, block, 0, [&](std::vector<float> d, std::vector<float> w) {
        level_out(d);
        level_out(w);
        correlator.add(d, w, 1.0f);
    });
    return largest_correlation(correlator.cross_correlation()) - static_cast<std::ptrdiff_t>(block);
}

/// Whitened block by block and evened out in level.
std::vector<float> whitened(std::span<const float> x) {
    const double power = mean_square(x);
    const auto order = static_cast<std::ptrdiff_t>(predictor_order), block = static_cast<std::ptrdiff_t>(response_block);
    std::vector<float> white;
    white.reserve(x.size());
    for (std::ptrdiff_t start = 0; start < std::ssize(x); start += block) {
        const std::ptrdiff_t end = std::min(start + block, std::ssize(x));
        const auto part = section(x, start - order, end);
        if (mean_square(part) > silent_block * power) {
            const auto clean = filtered(part, prediction_error_filter(part));
            white.insert(white.end(), clean.begin(), clean.end());
        } else {
            white.resize(static_cast<std::size_t>(end), 0.0f);
        }
    }
    level_out(white);
    return white;
}

struct Vote {
    std::ptrdiff_t lag = 0;
    double clearness = 0; ///< of the largest correlation over the rms of all
};

/// Where each of the white stretches of dry, of one size, fits best into the white wet.
std::vector<Vote> vote(std::span<const float> dry, const std::vector<std::size_t>& begins, std::size_t size,
                       std::span<const float> wet) {
    const RealFft fft(std::bit_ceil(3 * size));
    std::vector<RealFft::Bins> stretches;
    for (const std::size_t begin : begins) {
        const auto stretch = dry.subspan(begin, size);
        stretches.push_back(fft.spectrum({stretch.begin(), stretch.end()}));
    }
    std::vector<Vote> votes(begins.size());
    std::vector<double> largest(begins.size()), energy(begins.size());
    std::size_t lags = 0;
    const auto reach = static_cast<std::ptrdiff_t>(size);
    for (std::ptrdiff_t from = -reach; from < std::ssize(wet); from += 2 * reach, lags += 2 * size) {
        const RealFft::Bins part = fft.spectrum(section(wet, from, from + 3 * reach));
        RealFft::Bins product(part.size());
        for (std::size_t i = 0; i < begins.size(); ++i) {
            for (std::size_t k = 0; k < part.size(); ++k) product[k] = part[k] * std::conj(stretches[i][k]);
            const std::vector<float> c = fft.signal(product);
            for (std::size_t lag = 0; lag < 2 * size; ++lag) {
                const double value = std::abs(static_cast<double>(c[lag]));
                energy[i] += value * value;
                if (!(value > largest[i])) continue;
                largest[i] = value;
                votes[i].lag = from + static_cast<std::ptrdiff_t>(lag) - static_cast<std::ptrdiff_t>(begins[i]);
            }
        }
    }
    for (std::size_t i = 0; i < begins.size(); ++i)
        votes[i].clearness = largest[i] / std::sqrt(energy[i] / static_cast<double>(std::max<std::size_t>(lags, 1)) + 1e-30);
    return votes;
}

} // namespace

std::optional<std::ptrdiff_t> search_whole_take(std::span<const float> dry, std::span<const float> wet) {
    constexpr std::size_t stretch_samples = std::size_t(1) << 17, stretches = 8;
    constexpr std::ptrdiff_t agreement_samples = 2048; // clocks and losses move stretches apart, but not by more
    constexpr double clear_vote = 7.0;                 // chance alone gives 5 to 6 in so many lags
    const std::vector<float> white_dry = whitened(dry), white_wet = whitened(wet);
    const std::size_t size = std::min(stretch_samples, dry.size() / stretches);
    if (size < 2 * predictor_order) return {};
    std::vector<std::size_t> begins;
    for (std::size_t i = 0; i < stretches; ++i) begins.push_back(i * (dry.size() - size) / (stretches - 1));
    std::vector<Vote> votes = vote(white_dry, begins, size, white_wet);
    std::erase_if(votes, [](const Vote& v) { return !(v.clearness >= clear_vote); });
    std::optional<std::ptrdiff_t> best;
    double most = 0;
    for (const Vote& candidate : votes) {
        double clearness = 0;
        std::size_t agree = 0;
        for (const Vote& v : votes)
            if (std::abs(v.lag - candidate.lag) <= agreement_samples) clearness += v.clearness, ++agree;
        if (agree < 2 || clearness <= most) continue;
        most = clearness;
        best = candidate.lag;
    }
    return best;
}

std::vector<double> solve_toeplitz(std::span<const double> r, std::span<const double> b) {
    const std::size_t n = b.size();
    std::vector<double> x(n, 0.0), predictor(n, 0.0), next(n);
    double error = r[0];
    for (std::size_t m = 0; m < n; ++m) {
        double missing = b[m];
        for (std::size_t j = 0; j < m; ++j) missing -= r[m - j] * x[j];
        const double step = missing / error;
        for (std::size_t j = 0; j < m; ++j) x[j] -= step * predictor[m - 1 - j];
        x[m] = step;
        if (m + 1 == n) break;
        double unpredicted = r[m + 1];
        for (std::size_t j = 0; j < m; ++j) unpredicted -= predictor[j] * r[m - j];
        const double reflection = unpredicted / error;
        for (std::size_t j = 0; j < m; ++j) next[j] = predictor[j] - reflection * predictor[m - 1 - j];
        std::copy_n(next.begin(), m, predictor.begin());
        predictor[m] = reflection;
        error *= 1.0 - reflection * reflection;
    }
    return x;
}

ImpulseResponse impulse_response(std::span<const float> dry, std::span<const float> wet) {
    double mean = 0; // an offset says nothing about time
    for (const float v : wet) mean += static_cast<double>(v) / static_cast<double>(wet.size());
    std::vector<float> centred(wet.begin(), wet.end());
    for (float& v : centred) v -= static_cast<float>(mean);

    // Blocks count the more the less of their wet part is unexplained: sweeps, which predict themselves and come back
    // full of harmonics, would otherwise drown the rest. Where a gate has closed, little wet explains little.
    const std::ptrdiff_t lag = search_lag(dry, centred);
    const std::size_t reach = taps_before + taps_after;
    const double dry_power = mean_square(dry), gain_squared = mean_square(centred) / (dry_power + 1e-30);
    Correlator correlator(response_block, reach);
    const auto add = [&](const std::vector<float>& d, const std::vector<float>& w) {
        const double unexplained = mean_square(w) + 0.01 * gain_squared * mean_square(d);
        correlator.add(d, w, static_cast<float>(dry_power / (unexplained + 1e-30)));
    };
    whiten_blocks(dry, centred, response_block, reach, lag, add);
    const auto correlation = correlator.cross_correlation();
    auto r = correlator.dry_correlation(reach);
    r[0] = r[0] * (1.0 + solver_noise) + 1e-30;

    ImpulseResponse response;
    response.first_lag = lag - static_cast<std::ptrdiff_t>(taps_before);
    const auto around = std::span(correlation).subspan(reach - taps_before, reach);
    response.taps = solve_toeplitz(r, around);
    const auto after_zero = std::clamp<std::ptrdiff_t>(response.first_lag + std::ssize(around), 0, std::ssize(around));
    const auto causal = around.last(static_cast<std::size_t>(after_zero));
    response.causal_share = dot(solve_toeplitz(r, causal), causal) / (dot(response.taps, around) + 1e-300);
    for (const double tap : response.taps) response.peak = std::max(response.peak, std::abs(tap));
    double energy = 0;
    for (std::size_t i = 0; i < noise_taps; ++i) energy += response.taps[i] * response.taps[i];
    response.noise = std::sqrt(energy / static_cast<double>(noise_taps));
    return response;
}

} // namespace serpent
