// SPDX-License-Identifier: MIT
#include "training/gain_memory.h"

#include "training/real_fft.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace serpent {
namespace {

constexpr double frame_s = 0.01;
constexpr std::array memories_s{0.05, 0.15, 0.5, 1.5, 4.5};
constexpr std::array<double, 5> band_edges_hz{50, 400, 1500, 5000, 20000};
constexpr double quietest_db = -50, quietest_wet_db = -70;  // below, noise and what the gear adds decide
constexpr std::size_t fewest_frames = 500, judged_every = 7;

using Column = std::vector<double>;

double decibels(double power) { return 10 * std::log10(power + 1e-9); }

Column levels(const std::vector<float>& signal, std::size_t frame) {
    Column db(signal.size() / frame);
    for (std::size_t i = 0; i < db.size(); ++i) {
        double power = 0;
        for (std::size_t t = 0; t < frame; ++t) power += double(signal[i * frame + t]) * double(signal[i * frame + t]);
        db[i] = decibels(power / double(frame));
    }
    return db;
}

std::vector<Column> band_levels(const std::vector<float>& signal, std::size_t frame, double rate_hz) {
    const RealFft fft(frame);
    const std::size_t frames = signal.size() / frame;
    std::vector<Column> bands(band_edges_hz.size() - 1, Column(frames));
    std::vector<float> windowed(frame);
    for (std::size_t i = 0; i < frames; ++i) {
        for (std::size_t t = 0; t < frame; ++t)
            windowed[t] = signal[i * frame + t] * static_cast<float>(0.5 - 0.5 * std::cos(2 * std::numbers::pi * double(t) / double(frame)));
        const RealFft::Bins bins = fft.spectrum(windowed);
        for (std::size_t b = 0; b < bands.size(); ++b) {
            double power = 0;
            for (std::size_t k = 0; k < bins.size(); ++k) {
                const double hz = double(k) * rate_hz / double(frame);
                if (hz >= band_edges_hz[b] && hz < band_edges_hz[b + 1]) power += std::norm(std::complex<double>(bins[k]));
            }
            bands[b][i] = decibels(power);
        }
    }
    return bands;
}

/// Louder at once, quieter over `tau_s`.
Column envelope(const Column& db, double tau_s) {
    const double keep = std::exp(-frame_s / tau_s);
    Column out(db.size());
    double power = 0;
    for (std::size_t i = 0; i < db.size(); ++i) out[i] = decibels(power = std::max(std::pow(10.0, db[i] / 10), power * keep));
    return out;
}

Column mean_level(const Column& db, double tau_s) {
    const double keep = std::exp(-frame_s / tau_s);
    Column out(db.size());
    double power = 0;
    for (std::size_t i = 0; i < db.size(); ++i) out[i] = decibels(power = keep * power + (1 - keep) * std::pow(10.0, db[i] / 10));
    return out;
}

/// The first three powers, of a column that is brought to mean 0 and deviation 1 first.
void add_powers(const Column& column, std::vector<Column>& features) {
    double mean = 0, square = 0;
    for (const double v : column) mean += v / double(column.size());
    for (const double v : column) square += (v - mean) * (v - mean) / double(column.size());
    const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
    for (int power = 1; power <= 3; ++power) {
        Column& out = features.emplace_back(column.size());
        for (std::size_t i = 0; i < column.size(); ++i) out[i] = std::pow((column[i] - mean) * scale, power);
    }
}

Column product(const Column& a, const Column& b) {
    Column out(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) out[i] = a[i] * b[i] / 1000;  // of decibels, to be of order 1
    return out;
}

/// Solves the symmetric positive definite matrix . x = rhs in place, by Cholesky.
void solve(std::vector<Column>& matrix, Column& rhs) {
    const std::size_t n = rhs.size();
    for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < j; ++k)
            for (std::size_t i = j; i < n; ++i) matrix[i][j] -= matrix[i][k] * matrix[j][k];
        const double pivot = std::sqrt(std::max(matrix[j][j], 1e-12));
        for (std::size_t i = j; i < n; ++i) matrix[i][j] /= pivot;
    }
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < i; ++k) rhs[i] -= matrix[i][k] * rhs[k];
        rhs[i] /= matrix[i][i];
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) rhs[i] -= matrix[k][i] * rhs[k];
        rhs[i] /= matrix[i][i];
    }
}

/// Sum of squared errors of the judged frames when the others have fitted `target` by `features`.
double judged_error(const std::vector<Column>& features, const Column& target, const std::vector<std::size_t>& frames) {
    const std::size_t n = features.size();
    std::vector<Column> gram(n, Column(n));
    Column weights(n);
    for (std::size_t k = 0; k < frames.size(); ++k) {
        if (k % judged_every == 0) continue;
        for (std::size_t i = 0; i < n; ++i) {
            const double value = features[i][frames[k]];
            weights[i] += value * target[frames[k]];
            for (std::size_t j = 0; j <= i; ++j) gram[i][j] += value * features[j][frames[k]];
        }
    }
    for (std::size_t i = 0; i < n; ++i) gram[i][i] += 1e-6 * double(frames.size());
    solve(gram, weights);
    double sum = 0;
    for (std::size_t k = 0; k < frames.size(); k += judged_every) {
        double error = -target[frames[k]];
        for (std::size_t i = 0; i < n; ++i) error += weights[i] * features[i][frames[k]];
        sum += error * error;
    }
    return sum;
}

/// Squared errors with no past, and with that of each further time; nothing where the take has too few frames to tell.
std::array<double, memories_s.size() + 1> errors_of(const TrainingTake& take, double rate_hz, int delay_samples, std::size_t& judged) {
    std::array<double, memories_s.size() + 1> errors{};
    const std::size_t frame = 2 * std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(frame_s * rate_hz / 2)));
    const std::vector<float>& dry = take.dry.front();
    const std::vector<float> wet(take.wet.front().begin() + std::min<std::ptrdiff_t>(delay_samples, std::ssize(dry)), take.wet.front().end());
    const Column level = levels(dry, frame), answer = levels(wet, frame);
    std::vector<std::size_t> frames;
    Column gain(answer.size());
    for (std::size_t i = 1; i < answer.size(); ++i) {
        gain[i] = answer[i] - level[i];
        if (level[i] > quietest_db && answer[i] > quietest_wet_db) frames.push_back(i);
    }
    if (frames.size() < fewest_frames) return errors;
    judged += (frames.size() + judged_every - 1) / judged_every;
    std::vector<Column> features{Column(level.size(), 1.0)};
    const std::vector<Column> bands = band_levels(dry, frame, rate_hz);
    for (const Column& band : bands) add_powers(band, features);
    for (std::size_t i = 0; i < bands.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) features.push_back(product(bands[i], bands[j]));
    Column before = level;
    std::rotate(before.begin(), before.end() - 1, before.end());
    add_powers(level, features);
    add_powers(before, features);
    errors[0] = judged_error(features, gain, frames);
    for (std::size_t k = 0; k < memories_s.size(); ++k) {
        for (const Column& past : {envelope(level, memories_s[k]), mean_level(level, memories_s[k])}) {
            add_powers(past, features);
            features.push_back(product(past, level));
        }
        errors[k + 1] = judged_error(features, gain, frames);
    }
    return errors;
}

} // namespace

GainMemory gain_memory(const TrainingSet& data) {
    constexpr double rides_below = 0.5, nearly_as_much = 1.1, small_share = 0.03;
    std::array<double, memories_s.size() + 1> squares{};
    std::size_t judged = 0;
    for (const TrainingTake& take : data.train) {
        const auto errors = errors_of(take, data.sample_rate, data.delay_samples, judged);
        for (std::size_t k = 0; k < errors.size(); ++k) squares[k] += errors[k];
    }
    if (judged == 0) return {};
    // More of the past may also mislead, where there are few frames to learn from.
    const double least = *std::ranges::min_element(squares);
    GainMemory memory{std::sqrt(squares.front() / double(judged)), std::sqrt(least / double(judged)), 0};
    if (!(memory.with_past_db < rides_below * memory.static_error_db)) return memory;
    for (std::size_t k = 0; k < memories_s.size() && memory.seconds == 0; ++k)
        if (std::sqrt(squares[k + 1] / double(judged)) <=
            std::max(nearly_as_much * memory.with_past_db, memory.with_past_db + small_share * memory.static_error_db))
            memory.seconds = memories_s[k];
    return memory;
}

} // namespace serpent
