// SPDX-License-Identifier: MIT
#include "serpent/metrics.h"

#include "serpent/errors.h"

#include <cmath>
#include <limits>
#include <string>

namespace serpent {

namespace {

constexpr double energy_floor = 1e-8;

void require_equal_lengths(std::size_t a, std::size_t b) {
    if (a != b)
        throw Error("cannot compare signals of different lengths (" + std::to_string(a) + " and " + std::to_string(b) +
                    " samples); cut both to the same length");
}

/// sum (t - p)^2 / (sum t^2 + floor) where t and p are the signals after 1 - c z^-1.
double pre_emphasised_esr(std::span<const float> target, std::span<const float> prediction, double coefficient) {
    require_equal_lengths(target.size(), prediction.size());
    double error = 0, energy = 0, previous_target = 0, previous_difference = 0;
    for (std::size_t i = 0; i < target.size(); ++i) {
        const double t = target[i], d = t - prediction[i];
        const double filtered_target = t - coefficient * previous_target;
        const double filtered_difference = d - coefficient * previous_difference;
        energy += filtered_target * filtered_target;
        error += filtered_difference * filtered_difference;
        previous_target = t;
        previous_difference = d;
    }
    return error / (energy + energy_floor);
}

/// ESR of gain * dry against target.
double scaled_esr(std::span<const float> target, std::span<const float> dry, double gain) {
    double error = 0, energy = 0;
    for (std::size_t i = 0; i < target.size(); ++i) {
        const double t = target[i], d = t - gain * dry[i];
        energy += t * t;
        error += d * d;
    }
    return error / (energy + energy_floor);
}

double to_db(double rms, double floor_db) {
    const double floor = std::pow(10.0, floor_db / 20.0);
    return rms < floor ? floor_db : 20.0 * std::log10(rms); // written so that NaN stays NaN
}

} // namespace

double esr(std::span<const float> target, std::span<const float> prediction) {
    return pre_emphasised_esr(target, prediction, 0.0);
}

double esr_pre(std::span<const float> target, std::span<const float> prediction) {
    return pre_emphasised_esr(target, prediction, pre_emphasis_coefficient);
}

double least_squares_gain(std::span<const float> from, std::span<const float> to) {
    require_equal_lengths(from.size(), to.size());
    double product = 0, energy = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
        product += static_cast<double>(from[i]) * to[i];
        energy += static_cast<double>(from[i]) * from[i];
    }
    return energy > 0 ? product / energy : 0.0;
}

std::vector<double> level_envelope_db(std::span<const float> signal, int sample_rate, double window_s,
                                      double floor_db) {
    const auto window = static_cast<std::size_t>(std::llround(window_s * sample_rate));
    std::vector<double> levels;
    if (window == 0) return levels;
    levels.reserve(signal.size() / window);
    for (std::size_t start = 0; start + window <= signal.size(); start += window) {
        double energy = 0;
        for (const float x : signal.subspan(start, window)) energy += static_cast<double>(x) * x;
        levels.push_back(to_db(std::sqrt(energy / static_cast<double>(window)), floor_db));
    }
    return levels;
}

EnvelopeError envelope_error(std::span<const float> target, std::span<const float> prediction, int sample_rate) {
    require_equal_lengths(target.size(), prediction.size());
    constexpr double window_s = 0.1, audible_db = -60.0;
    const auto wanted = level_envelope_db(target, sample_rate, window_s);
    const auto got = level_envelope_db(prediction, sample_rate, window_s);
    double sum = 0, largest = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] <= audible_db) continue;
        const double difference = std::abs(wanted[i] - got[i]);
        sum += difference * difference;
        if (!(difference <= largest)) largest = difference; // a NaN becomes the result
        ++count;
    }
    if (count == 0) return {};
    return {std::sqrt(sum / static_cast<double>(count)), std::isnan(sum) ? sum : largest};
}

std::vector<double> gain_envelope_db(std::span<const float> dry, std::span<const float> wet, int sample_rate,
                                     double window_s) {
    require_equal_lengths(dry.size(), wet.size());
    const auto dry_db = level_envelope_db(dry, sample_rate, window_s);
    auto gain_db = level_envelope_db(wet, sample_rate, window_s);
    for (std::size_t i = 0; i < gain_db.size(); ++i)
        gain_db[i] = dry_db[i] > -60.0 ? gain_db[i] - dry_db[i] : std::numeric_limits<double>::quiet_NaN();
    return gain_db;
}

Metrics evaluate(std::span<const float> dry, std::span<const float> target, std::span<const float> prediction,
                 int sample_rate) {
    require_equal_lengths(dry.size(), target.size());
    Metrics m;
    m.esr = esr(target, prediction);
    m.esr_pre = esr_pre(target, prediction);
    m.mrstft = mrstft(target, prediction);
    const EnvelopeError envelope = envelope_error(target, prediction, sample_rate);
    m.envelope_rms_db = envelope.rms_db;
    m.envelope_max_db = envelope.max_db;
    m.static_gain = least_squares_gain(dry, target);
    m.static_gain_esr = scaled_esr(target, dry, m.static_gain);
    return m;
}

Metrics mean(std::span<const Metrics> parts) {
    Metrics m;
    for (double Metrics::*field : {&Metrics::esr, &Metrics::esr_pre, &Metrics::mrstft, &Metrics::envelope_rms_db,
                                   &Metrics::envelope_max_db, &Metrics::static_gain_esr, &Metrics::static_gain}) {
        for (const Metrics& part : parts) m.*field += part.*field;
        if (!parts.empty()) m.*field /= static_cast<double>(parts.size());
    }
    return m;
}

} // namespace serpent
