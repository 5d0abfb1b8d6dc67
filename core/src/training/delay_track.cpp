// SPDX-License-Identifier: MIT
#include "training/delay_track.h"

#include "training/real_fft.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <numbers>

namespace serpent {

namespace {

using Complex = std::complex<float>;
using Bins = RealFft::Bins;

constexpr double window_s = 0.34;
constexpr std::size_t most_windows = 300, least_windows = 6;
constexpr std::size_t seeds = 4, sampled = 12;  // windows tried as first template, and windows to try each on
constexpr double silent_window = 1e-5;          // of the dry's power
constexpr double lowest_hz = 40;
constexpr int rounds = 2;

double power(std::span<const float> x) {
    double sum = 0;
    for (const float v : x) sum += double(v) * v;
    return sum / double(std::max<std::size_t>(x.size(), 1));
}

/// x[from .. from + n), with zeros where there is nothing, times a Hann window if `faded`.
std::vector<float> piece(std::span<const float> x, std::ptrdiff_t from, std::size_t n, bool faded) {
    std::vector<float> part(n, 0.0f);
    for (std::size_t i = 0; i < n; ++i) {
        const std::ptrdiff_t at = from + std::ptrdiff_t(i);
        if (at < 0 || at >= std::ssize(x)) continue;
        const float w = faded ? float(0.5 - 0.5 * std::cos(2 * std::numbers::pi * double(i) / double(n))) : 1.0f;
        part[i] = w * x[std::size_t(at)];
    }
    return part;
}

/// Leaves the phases; what is far below the strongest fades out.
void keep_phases(Bins& bins, std::size_t lowest) {
    float largest = 0;
    for (const Complex& v : bins) largest = std::max(largest, std::abs(v));
    for (std::size_t k = 0; k < bins.size(); ++k)
        bins[k] = k < lowest ? Complex() : bins[k] / (std::abs(bins[k]) + 1e-9f * largest + 1e-30f);
}

/// Adds `bins`, moved `samples` earlier.
void add_moved(Bins& sum, const Bins& bins, double samples, std::size_t fft_size) {
    const std::complex<double> step = std::polar(1.0, 2 * std::numbers::pi * samples / double(fft_size));
    std::complex<double> turn = 1;
    for (std::size_t k = 0; k < bins.size(); ++k, turn *= step) sum[k] += bins[k] * Complex(turn);
}

/// How much later `bins` are than the template, by the peak of their correlation and its neighbours.
DelayTrack::Point compare(const Bins& bins, const Bins& reference, const RealFft& fft) {
    Bins product(bins.size());
    for (std::size_t k = 0; k < bins.size(); ++k) product[k] = bins[k] * std::conj(reference[k]);
    const std::vector<float> c = fft.signal(product);
    const std::size_t n = c.size(), peak = std::size_t(std::max_element(c.begin(), c.end()) - c.begin());
    const double left = c[(peak + n - 1) % n], top = c[peak], right = c[(peak + 1) % n], bend = left - 2 * top + right;
    DelayTrack::Point point;
    point.delay_samples = double(peak < n / 2 ? std::ptrdiff_t(peak) : std::ptrdiff_t(peak) - std::ptrdiff_t(n));
    if (bend < 0) point.delay_samples += 0.5 * (left - right) / bend;
    point.clearness = top / (std::sqrt(power(c)) + 1e-30);
    return point;
}

} // namespace

struct DelayTrack::Fourier {
    RealFft fft;
    std::size_t lowest;
    Bins reference;
};

DelayTrack::DelayTrack(std::span<const float> dry, std::span<const float> wet, std::ptrdiff_t latency_samples, int sample_rate)
    : dry_(dry), wet_(wet), latency_(latency_samples), window_(std::bit_floor(std::size_t(window_s * sample_rate))),
      fourier_(new Fourier{RealFft(2 * window_), std::size_t(lowest_hz * 2 * double(window_) / sample_rate), {}}) {
    const RealFft& fft = fourier_->fft;
    const std::ptrdiff_t first = std::max<std::ptrdiff_t>(0, -latency_);
    const std::ptrdiff_t last = std::min(std::ssize(dry), std::ssize(wet) - latency_);
    if (last - first < std::ptrdiff_t(least_windows * window_)) return;
    const std::size_t hop = std::max(window_ / 2, std::size_t(last - first) / most_windows);
    const double quiet = silent_window * power(dry);
    std::vector<Bins> phases;
    std::vector<Point> all;
    std::vector<double> loudness;
    for (std::size_t at = std::size_t(first); std::ptrdiff_t(at + window_) <= last; at += hop) {
        const auto played = piece(dry, std::ptrdiff_t(at), window_, true);
        if (!(power(played) > quiet)) continue;
        Bins cross = fft.spectrum(piece(wet, std::ptrdiff_t(at) + latency_, window_, true));
        const Bins in = fft.spectrum(played);
        for (std::size_t k = 0; k < cross.size(); ++k) cross[k] *= std::conj(in[k]);
        keep_phases(cross, fourier_->lowest);
        phases.push_back(std::move(cross));
        all.push_back({at});
        loudness.push_back(power(played));
    }
    tried_ = all.size();
    if (tried_ < least_windows) return;

    // The first template is a single window: of the loudest of each part of the take the one that most others follow.
    Bins& reference = fourier_->reference;
    std::size_t most = 0;
    for (std::size_t s = 0; s < seeds; ++s) {
        const auto begin = loudness.begin() + std::ptrdiff_t(s * tried_ / seeds);
        const auto end = loudness.begin() + std::ptrdiff_t((s + 1) * tried_ / seeds);
        if (begin == end) continue;
        const Bins& seed = phases[std::size_t(std::max_element(begin, end) - loudness.begin())];
        std::size_t follow = 0;
        for (std::size_t i = 0; i < tried_; i += std::max<std::size_t>(1, tried_ / sampled))
            follow += &phases[i] != &seed && compare(phases[i], seed, fft).clearness >= clear;
        if (follow > most) most = follow, reference = seed;
    }
    if (most == 0) return;
    for (int round = 0; round < rounds; ++round) {
        Bins sum(phases.front().size());
        for (std::size_t i = 0; i < tried_; ++i) {
            const std::size_t begin = all[i].begin;
            all[i] = compare(phases[i], reference, fft);
            all[i].begin = begin;
            if (all[i].clearness >= clear) add_moved(sum, phases[i], all[i].delay_samples, fft.size());
        }
        for (Complex& v : sum) v *= std::abs(v) / float(tried_);  // where windows agree, and more so where many do
        reference = std::move(sum);
    }
    for (std::size_t i = 0; i < tried_; ++i) {
        const Point point = compare(phases[i], reference, fft);
        if (point.clearness >= clear) points_.push_back({all[i].begin, point.delay_samples, point.clearness});
    }
}

DelayTrack::~DelayTrack() = default;

std::size_t DelayTrack::locate(std::size_t from, std::size_t until, double before, double after) const {
    const std::size_t n = until - from;
    const RealFft fft(std::bit_ceil(n + window_));
    // The template at this size, so that what is played comes out as the gear's phases have it.
    std::vector<float> response = fourier_->fft.signal(fourier_->reference);
    const std::size_t half = window_ / 2;
    std::vector<float> around(fft.size(), 0.0f);
    for (std::size_t i = 0; i < half; ++i) {
        around[i] = response[i];
        around[fft.size() - 1 - i] = response[response.size() - 1 - i];
    }
    const Bins gear = fft.spectrum(around);
    Bins played = fft.spectrum(piece(dry_, std::ptrdiff_t(from), n, false));
    keep_phases(played, 0);
    for (std::size_t k = 0; k < played.size(); ++k) played[k] *= gear[k];
    const std::vector<float> expected = fft.signal(played);
    const auto heard = [&](double delay) {
        Bins bins = fft.spectrum(piece(wet_, std::ptrdiff_t(from) + latency_ + std::llround(delay), n, false));
        keep_phases(bins, 0);
        return fft.signal(bins);
    };
    const std::vector<float> first = heard(before), second = heard(after);
    double gain = 0, best = 0;
    std::size_t at = n / 2;
    for (std::size_t i = 0; i < n; ++i) {
        gain += double(expected[i]) * (double(first[i]) - second[i]);
        if (gain > best) best = gain, at = i + 1;
    }
    return from + at;
}

} // namespace serpent
