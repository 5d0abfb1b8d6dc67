// SPDX-License-Identifier: MIT
#include "training/capture_signal_sounds.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace serpent {

namespace {

constexpr double pi = std::numbers::pi;

/// 0..1 over the first and last `ramp` samples of n, 1 between.
double fade(std::size_t i, std::size_t n, double ramp) {
    const double edge = static_cast<double>(std::min(i + 1, n - i));
    return edge >= ramp ? 1.0 : edge / ramp;
}

} // namespace

std::uint64_t Random::bits() noexcept {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

double Random::uniform(double from, double to) noexcept {
    return from + (to - from) * static_cast<double>(bits() >> 11) * 0x1p-53;
}

double Random::log_uniform(double from, double to) noexcept {
    return from * std::exp(uniform(0.0, std::log(to / from)));
}

int Random::below(int n) noexcept { return static_cast<int>(bits() % static_cast<std::uint64_t>(n)); }

double from_db(double db) { return std::pow(10.0, db / 20.0); }
double midi_to_hz(double note) { return 440.0 * std::exp2((note - 69.0) / 12.0); }

void add_click(std::span<float> out, int sample_rate, double amplitude) {
    const std::size_t half = static_cast<std::size_t>(sample_rate) / 2000;
    for (std::size_t i = 0; i < std::min(2 * half, out.size()); ++i)
        out[i] += static_cast<float>(i < half ? amplitude : -amplitude);
}

void add_sweep(std::span<float> out, int sample_rate, double from_hz, double to_hz, double amplitude) {
    const double growth = std::log(to_hz / from_hz) / static_cast<double>(out.size());
    const double scale = 2.0 * pi * from_hz / (growth * sample_rate);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const double phase = scale * std::expm1(growth * static_cast<double>(i));
        out[i] += static_cast<float>(amplitude * fade(i, out.size(), 0.005 * sample_rate) * std::sin(phase));
    }
}

void add_noise(std::span<float> out, int sample_rate, double cutoff_hz, double amplitude, Random& random) {
    const double keep = cutoff_hz > 0 ? std::exp(-2.0 * pi * cutoff_hz / sample_rate) : 0.0;
    // White noise of variance 1 leaves the filter with (1 - keep) / (1 + keep); sums of many values peak near 3 sigma.
    const double spread = std::sqrt((1.0 - keep) / (1.0 + keep));
    const double gain = amplitude * (cutoff_hz > 0 ? std::min(1.0, std::sqrt(3.0) / (3.0 * spread)) : 1.0);
    double state = 0;
    for (float& sample : out) {
        state = keep * state + (1.0 - keep) * random.uniform(-1.0, 1.0);
        sample += static_cast<float>(std::clamp(gain * state, -amplitude, amplitude));
    }
}

void add_tone(std::span<float> out, int sample_rate, double frequency_hz, double amplitude) {
    const double partials[] = {0.6, 0.2, 0.1, 0.06, 0.04};
    const double step = 2.0 * pi * frequency_hz / sample_rate;
    for (std::size_t i = 0; i < out.size(); ++i) {
        double sum = 0;
        for (int k = 0; k < 5; ++k) sum += partials[k] * std::sin(step * (k + 1) * static_cast<double>(i));
        out[i] += static_cast<float>(amplitude * fade(i, out.size(), 0.001 * sample_rate) * sum);
    }
}

void add_pluck(std::span<float> out, int sample_rate, const Pluck& pluck, Random& random) {
    const double period = sample_rate / pluck.frequency_hz;
    // The loop's delay is a delay line, half a sample of the averaging filter, and an allpass for the fraction.
    const double loop = period - 0.5;
    const auto length = static_cast<std::size_t>(loop - 0.3);
    const double fraction = loop - static_cast<double>(length), allpass = (1.0 - fraction) / (1.0 + fraction);

    // The string's first period: noise, duller for soft strokes, with the notch of the place where it was plucked.
    std::vector<double> string(length);
    const double keep = 0.9 - 0.75 * pluck.brightness;
    double state = 0, peak = 1e-9;
    for (double& s : string) s = state = keep * state + (1.0 - keep) * random.uniform(-1.0, 1.0);
    const std::size_t pluck_point = std::max<std::size_t>(1, length / 7);
    for (std::size_t i = length; i-- > pluck_point;) string[i] -= string[i - pluck_point];
    double mean = 0;
    for (const double s : string) mean += s / static_cast<double>(length);
    for (double& s : string) peak = std::max(peak, std::abs(s -= mean));
    for (double& s : string) s *= pluck.amplitude / peak;

    const double ring = std::pow(10.0, -3.0 * period / (pluck.t60_s * sample_rate));
    const double damped = std::pow(10.0, -3.0 * period / (0.12 * sample_rate)); // a palm: 60 dB in 0.12 s
    const double held = pluck.held_s * sample_rate;
    const double attack = 0.001 * sample_rate; // a pick takes about a millisecond to let go
    double previous = 0, allpass_in = 0, allpass_out = 0;
    for (std::size_t i = 0, at = 0; i < out.size(); ++i, at = at + 1 == length ? 0 : at + 1) {
        const double sample = string[at];
        const double averaged = 0.5 * (sample + previous);
        previous = sample;
        allpass_out = allpass * (averaged - allpass_out) + allpass_in;
        allpass_in = averaged;
        string[at] = (static_cast<double>(i) < held ? ring : damped) * allpass_out;
        out[i] += static_cast<float>(sample * std::min(1.0, static_cast<double>(i + 1) / attack));
        if (static_cast<double>(i) > held + 0.3 * sample_rate) break;
    }
}

} // namespace serpent
