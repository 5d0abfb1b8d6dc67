// SPDX-License-Identifier: MIT
// Finds where a recording begins to answer otherwise. The wet's band levels, window by window, are explained by those of the
// dry then and before, by least squares: levels, their products and squares, and slow levels for gear that remembers. What is
// left is compared before and after every moment, with what the dry does by chance differently there taken off (both are fitted
// at once). Where the dry plays something else before and after, little is left to compare with, and nothing is told.
#include "training/real_fft.h"
#include "training/take_changes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

namespace serpent {

namespace {

constexpr double window_s = 0.06;  // at least; the next power of two in samples
constexpr std::size_t most_windows = 6000;
constexpr std::array<double, 8> edges_hz{60, 150, 300, 600, 1200, 2500, 5000, 14000};
constexpr std::size_t bands = edges_hz.size() - 1;
constexpr std::array<double, 3> slow_s{0.12, 0.5, 2.0};
constexpr std::size_t inputs = 2 * bands + slow_s.size(), outputs = bands + 1;  // the last is the level on the whole
constexpr std::size_t terms = 1 + inputs + inputs * (inputs + 1) / 2;
constexpr double playing_db = 40, dry_floor_db = 60, wet_floor_db = 60;  // below the loudest windows
constexpr double furthest = 3;                 // standard deviations, of an input
constexpr double windows_per_term = 3.5;       // fewer would be explained by chance
constexpr double ridge = 3;                    // standardised inputs: little, but no term is unbounded
constexpr double edge_s = 4, block_s = 1;      // within a block, what is not explained counts as one observation
// 825 pieces (27 to 80 s) of recordings of eleven devices stay below. A step of 3 dB gives 10 to 35, and 0.12 and more
// explained.
constexpr double least_db = 2, clear_step = 9, least_explained = 0.1;
constexpr double least_share = 0.025;          // of the windows, that much must tell before from after
constexpr std::size_t most_steps = 3;

double db(double power) { return 10 * std::log10(power); }

using Inputs = std::array<double, inputs>;
using Outputs = std::array<double, outputs>;

/// Of one take: the windows in which the dry plays.
struct Levels {
    std::size_t hop = 0, window = 0;
    std::vector<std::size_t> begin;  ///< of each window, in samples
    std::vector<Inputs> in;          ///< mean 0 and variance 1
    std::vector<Outputs> out;        ///< dB, mean 0
};

using Powers = std::vector<std::array<double, outputs>>;

Powers band_powers(std::span<const float> x, const RealFft& fft, std::size_t hop, int sample_rate) {
    const std::size_t n = fft.size();
    std::vector<float> hann(n);
    for (std::size_t i = 0; i < n; ++i) hann[i] = float(0.5 - 0.5 * std::cos(2 * std::numbers::pi * double(i) / double(n)));
    std::array<std::size_t, edges_hz.size()> edge{};
    for (std::size_t b = 0; b < edge.size(); ++b)
        edge[b] = std::min(std::size_t(std::ceil(edges_hz[b] * double(n) / sample_rate)), n / 2);
    Powers all;
    for (std::size_t at = 0; at + n <= x.size(); at += hop) {
        std::vector<float> part(n);
        for (std::size_t i = 0; i < n; ++i) part[i] = hann[i] * x[at + i];
        const RealFft::Bins bins = fft.spectrum(std::move(part));
        auto& powers = all.emplace_back();
        for (std::size_t b = 0; b < bands; ++b) {
            double sum = 0;
            for (std::size_t k = edge[b]; k < edge[b + 1]; ++k) sum += double(std::norm(bins[k]));
            powers[b] = sum / (0.25 * double(n) * double(n)) + 1e-14;
        }
        powers[bands] = std::accumulate(powers.begin(), powers.end() - 1, 0.0);
    }
    return all;
}

/// The level on the whole that all but a hundredth of the windows stay below.
double loudest(const Powers& powers) {
    std::vector<double> all;
    for (const auto& p : powers) all.push_back(p[bands]);
    const auto at = all.begin() + std::ptrdiff_t(0.99 * double(all.size() - 1));
    std::nth_element(all.begin(), at, all.end());
    return *at;
}

void standardise(Levels& levels) {
    const double n = double(levels.in.size());
    for (std::size_t j = 0; j < inputs; ++j) {
        double mean = 0, variance = 0;
        for (const Inputs& v : levels.in) mean += v[j] / n;
        for (const Inputs& v : levels.in) variance += (v[j] - mean) * (v[j] - mean) / n;
        for (Inputs& v : levels.in)
            v[j] = std::clamp((v[j] - mean) / (std::sqrt(variance) + 1e-9), -furthest, furthest);
    }
    for (std::size_t c = 0; c < outputs; ++c) {
        double mean = 0;
        for (const Outputs& v : levels.out) mean += v[c] / n;
        for (Outputs& v : levels.out) v[c] -= mean;
    }
}

Levels measure(std::span<const float> dry, std::span<const float> wet, int sample_rate) {
    const RealFft fft(std::bit_ceil(std::size_t(window_s * sample_rate)));
    Levels levels{std::max(fft.size() / 2, dry.size() / most_windows), fft.size(), {}, {}, {}};
    const Powers played = band_powers(dry, fft, levels.hop, sample_rate);
    const Powers heard = band_powers(wet, fft, levels.hop, sample_rate);
    if (played.empty() || heard.size() != played.size()) return levels;
    const double top = loudest(played), floor = top * std::pow(10.0, -dry_floor_db / 10);
    const double wet_floor = loudest(heard) * std::pow(10.0, -wet_floor_db / 10);
    std::array<double, slow_s.size()> slow;
    slow.fill(played.front()[bands]);
    Inputs now{}, before{};
    for (std::size_t w = 0; w < played.size(); ++w) {
        before = now;
        for (std::size_t b = 0; b < bands; ++b) now[b] = db(played[w][b] + floor / 10);
        std::copy_n(w == 0 ? now.begin() : before.begin(), bands, now.begin() + bands);
        for (std::size_t s = 0; s < slow.size(); ++s) {
            slow[s] += (1 - std::exp(-double(levels.hop) / (slow_s[s] * sample_rate))) * (played[w][bands] - slow[s]);
            now[2 * bands + s] = db(slow[s] + floor);
        }
        if (!(played[w][bands] > top * std::pow(10.0, -playing_db / 10))) continue;
        levels.begin.push_back(w * levels.hop);
        levels.in.push_back(now);
        Outputs& out = levels.out.emplace_back();
        for (std::size_t c = 0; c < outputs; ++c) out[c] = db(heard[w][c] + wet_floor);
    }
    standardise(levels);
    return levels;
}

/// Ridge regression of the levels on the dry's and on steps that are known, and what one more step would explain.
class Fit {
public:
    struct Candidate {
        std::size_t window = 0;  ///< the first of after
        Outputs gain_db{};
        Outputs clearness{};             ///< over its standard error
        Outputs explained{};             ///< of what the dry leaves unexplained, which share
    };

    Fit(const Levels& levels, std::vector<std::size_t> steps, int sample_rate)
        : levels_(levels), steps_(std::move(steps)), sample_rate_(sample_rate), p_(terms + steps_.size()), row_(p_),
          factor_(p_ * p_), rest_(levels.out) {
        std::vector<double> towards(p_ * outputs);
        for (std::size_t i = 0; i < p_; ++i) factor_[i * p_ + i] = ridge;
        for (std::size_t w = 0; w < levels.in.size(); ++w) {
            expand(w);
            for (std::size_t i = 0; i < p_; ++i) {
                for (std::size_t j = 0; j <= i; ++j) factor_[i * p_ + j] += row_[i] * row_[j];
                for (std::size_t c = 0; c < outputs; ++c) towards[c * p_ + i] += row_[i] * levels.out[w][c];
            }
        }
        factorise();
        std::array<std::vector<double>, outputs> weights;
        for (std::size_t c = 0; c < outputs; ++c)
            weights[c] = solve({towards.begin() + std::ptrdiff_t(c * p_), towards.begin() + std::ptrdiff_t((c + 1) * p_)});
        for (std::size_t w = 0; w < rest_.size(); ++w) {
            expand(w);
            for (std::size_t c = 0; c < outputs; ++c) {
                rest_[w][c] -= std::inner_product(row_.begin(), row_.end(), weights[c].begin(), 0.0);
                energy_[c] += rest_[w][c] * levels.out[w][c];
            }
        }
        double trace = 0;  // of the inverse: what of the terms the ridge leaves
        for (std::size_t i = 0; i < p_; ++i) {
            std::vector<double> unit(p_);
            unit[i] = 1;
            forward(unit, i);
            trace += std::inner_product(unit.begin(), unit.end(), unit.begin(), 0.0);
        }
        freedom_ = 1 - (double(p_) - ridge * trace) / double(rest_.size());
    }

    /// The window before which the step lies that explains most; 0: none can be told.
    std::size_t best() {
        std::size_t best = 0;
        double most = 0;
        const std::size_t n = rest_.size(), edge = std::size_t(edge_s * sample_rate_);
        std::vector<double> sum(p_), v;
        Outputs rest{};
        for (std::size_t w = n; w-- > 1;) {
            add(w, sum, rest);
            if (levels_.begin[w] < levels_.begin[0] + edge || levels_.begin[w] + edge > levels_.begin[n - 1] || w % 2) continue;
            v = sum;
            forward(v, 0);
            const double tells = double(n - w) - std::inner_product(v.begin(), v.end(), v.begin(), 0.0);
            if (tells < least_share * double(n)) continue;
            double explained = 0;
            for (std::size_t c = 0; c < outputs; ++c) explained += share(rest[c], tells, c);
            if (explained > most) most = explained, best = w;
        }
        return best;
    }

    Candidate at(std::size_t window) {
        const std::size_t n = rest_.size();
        std::vector<double> sum(p_);
        Outputs rest{};
        for (std::size_t w = n; w-- > window;) add(w, sum, rest);
        const std::vector<double> weights = solve(sum);
        const double tells = double(n - window) - std::inner_product(sum.begin(), sum.end(), weights.begin(), 0.0);
        Candidate result{window, {}, {}, {}};
        Outputs error{}, block{};
        std::size_t number = 0;
        const auto close_block = [&] {
            for (std::size_t c = 0; c < outputs; ++c) error[c] += block[c] * block[c], block[c] = 0;
        };
        for (std::size_t c = 0; c < outputs; ++c) {
            result.gain_db[c] = rest[c] / tells;
            result.explained[c] = share(rest[c], tells, c);
        }
        for (std::size_t w = 0; w < n; ++w) {
            const auto in = std::size_t(double(levels_.begin[w]) / (block_s * sample_rate_));
            if (in != number) close_block(), number = in;
            expand(w);
            const double step = double(w >= window) - std::inner_product(row_.begin(), row_.end(), weights.begin(), 0.0);
            for (std::size_t c = 0; c < outputs; ++c) block[c] += step * (rest_[w][c] - step * result.gain_db[c]);
        }
        close_block();
        for (std::size_t c = 0; c < outputs; ++c)
            result.clearness[c] = freedom_ * std::abs(rest[c]) / (std::sqrt(error[c]) + 1e-9 * double(n));
        return result;
    }

private:
    double share(double rest, double tells, std::size_t c) const {
        return rest * rest / (tells * (energy_[c] + 1e-9 * double(rest_.size())));
    }
    void expand(std::size_t window) {
        const Inputs& in = levels_.in[window];
        row_[0] = 1;
        std::size_t next = 1;
        for (std::size_t i = 0; i < inputs; ++i) {
            row_[next++] = in[i];
            for (std::size_t j = 0; j <= i; ++j) row_[next++] = in[i] * in[j];
        }
        for (const std::size_t step : steps_) row_[next++] = window >= step;
    }
    void add(std::size_t window, std::vector<double>& sum, Outputs& rest) {
        expand(window);
        for (std::size_t i = 0; i < p_; ++i) sum[i] += row_[i];
        for (std::size_t c = 0; c < outputs; ++c) rest[c] += rest_[window][c];
    }

    /// Cholesky in place, lower.
    void factorise() {
        for (std::size_t i = 0; i < p_; ++i)
            for (std::size_t j = 0; j <= i; ++j) {
                double& value = factor_[i * p_ + j];
                value -= std::inner_product(&factor_[i * p_], &factor_[i * p_] + j, &factor_[j * p_], 0.0);
                value = i == j ? std::sqrt(value) : value / factor_[j * p_ + j];
            }
    }
    /// x = L^-1 x, of which all before `first` is 0.
    void forward(std::vector<double>& x, std::size_t first) const {
        for (std::size_t i = first; i < p_; ++i) {
            const double* row = &factor_[i * p_];
            x[i] = (x[i] - std::inner_product(row + first, row + i, x.begin() + std::ptrdiff_t(first), 0.0)) / row[i];
        }
    }
    std::vector<double> solve(std::vector<double> x) const {
        forward(x, 0);
        for (std::size_t i = p_; i-- > 0;) {
            x[i] /= factor_[i * p_ + i];
            for (std::size_t k = 0; k < i; ++k) x[k] -= factor_[i * p_ + k] * x[i];
        }
        return x;
    }

    const Levels& levels_;
    std::vector<std::size_t> steps_;
    int sample_rate_;
    std::size_t p_;
    std::vector<double> row_, factor_;
    std::vector<Outputs> rest_;
    Outputs energy_{};
    double freedom_ = 1;
};

bool counts(const Fit::Candidate& step, std::size_t c) {
    return std::abs(step.gain_db[c]) >= least_db && step.clearness[c] >= clear_step && step.explained[c] >= least_explained;
}

double clearest(const Fit::Candidate& step) {
    double most = 0;
    for (std::size_t c = 1; c < outputs; ++c) most = std::max(most, step.clearness[c] + (counts(step, c) ? 1e9 : 0));
    return most;
}

/// The level on the whole where that changed, else the band in which the change is clearest; none where all may be chance. The
/// lowest band cannot tell alone: what is below the notes, beats and thumps, follows them least.
std::optional<std::size_t> told_by(const Fit::Candidate& step) {
    if (counts(step, bands)) return bands;
    std::optional<std::size_t> band;
    for (std::size_t c = 1; c < bands; ++c)
        if (counts(step, c) && (!band || step.clearness[c] > step.clearness[*band])) band = c;
    return band;
}

std::vector<std::size_t> without(std::vector<std::size_t> list, std::size_t one) {
    std::erase(list, one);
    return list;
}

} // namespace

std::vector<TakeChanges::Step> find_steps(std::span<const float> dry, std::span<const float> wet, int sample_rate) {
    std::vector<TakeChanges::Step> found;
    const Levels levels = measure(dry, wet, sample_rate);
    if (double(levels.in.size()) < windows_per_term * double(terms)) return found;
    // Steps are looked for one beside the other, since a knob that was turned back is two of which neither shows alone; those
    // that may be chance beside the others go again.
    std::vector<std::size_t> steps;
    while (steps.size() < most_steps) {
        const std::size_t next = Fit(levels, steps, sample_rate).best();
        if (next == 0) break;
        steps.push_back(next);
    }
    std::sort(steps.begin(), steps.end());
    std::vector<Fit::Candidate> sized;
    for (;;) {
        sized.clear();
        for (const std::size_t step : steps) sized.push_back(Fit(levels, without(steps, step), sample_rate).at(step));
        const auto faintest = std::min_element(sized.begin(), sized.end(), [](const auto& a, const auto& b) {
            return clearest(a) < clearest(b);
        });
        if (faintest == sized.end() || told_by(*faintest)) break;
        steps = without(steps, faintest->window);
    }
    for (const Fit::Candidate& step : sized) {
        const std::size_t c = *told_by(step);
        const std::size_t at = (levels.begin[step.window - 1] + levels.begin[step.window] + levels.window) / 2;
        found.push_back({at, step.gain_db[c], c < bands ? edges_hz[c] : 0, c < bands ? edges_hz[c + 1] : 0});
    }
    return found;
}

} // namespace serpent
