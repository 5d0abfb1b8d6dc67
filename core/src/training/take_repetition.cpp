// SPDX-License-Identifier: MIT
// Finds echo and reverberation by cepstra: what repeats after t seconds has a spectrum that ripples with a period of 1/t Hz.
// The mean log spectrum of the wet over many long frames, less that of the dry, shows the ripple at its full height whatever is
// played and however the gear distorts, and its own transform a peak at t (an echo) or a decaying noise (a reverberation).
#include "training/real_fft.h"
#include "training/take_changes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace serpent {

namespace {

constexpr double frame_s = 1.7;    // at least; the next power of two in samples
constexpr std::size_t most_frames = 60;
constexpr std::size_t least_frames = 16;                       // with fewer, chance reaches as far as a faint reverb
constexpr double dry_silence = 1e-4, wet_silence = 1e-5;      // of the loudest frame's power
constexpr double lowest_hz = 100, highest_hz = 8000, smooth_hz = 60;
// Twice what an echo of -10 dB ripples by; the lines of hum and its harmonics go far beyond.
constexpr double most_ripple = 0.5;
constexpr double shortest_echo_s = 0.03, longest_echo_s = 1.2;
constexpr double around_s = 0.042, inside_s = 0.0008;         // of a peak
// Pieces of 27 s and more of recordings of eleven devices reach 0.02; what stands out by 20 in them reaches 0.002. Hum of -30 dB
// has 0.014 and stands out by 14. An echo of -24 dB has 0.03.
constexpr double least_peak = 0.025, clear_peak = 20;
constexpr double most_at_double = 0.75;  // of the peak; hum has peaks of one height at all multiples of its period
// Rms in two stretches of time: at most 0.0016 and 0.0011 in those pieces; a reverb of 0.8 s has 0.0026 and 0.0015 at -15 dB.
constexpr double least_early = 1.9e-3, least_late = 1.2e-3;
constexpr double early_s = 0.05, middle_s = 0.1, late_s = 0.2, tail_s = 0.4, noise_s = 0.8;

using Values = std::vector<double>;

double mean_square(std::span<const double> x) {
    double sum = 0;
    for (const double v : x) sum += v * v;
    return sum / double(std::max<std::size_t>(x.size(), 1));
}

/// The mean over frames of log |wet| - log |dry|, where both sound. Empty: too few frames.
Values log_response(std::span<const float> dry, std::span<const float> wet, const RealFft& fft) {
    const std::size_t n = fft.size();
    if (dry.size() < n || wet.size() < dry.size()) return {};
    const std::size_t hop = std::max(n / 2, (dry.size() - n) / most_frames);
    const auto power = [&](std::span<const float> x, std::size_t at) {
        double sum = 0;
        for (const float v : x.subspan(at, n)) sum += double(v) * v;
        return sum;
    };
    double loudest_dry = 0, loudest_wet = 0;
    for (std::size_t at = 0; at + n <= dry.size(); at += hop) {
        loudest_dry = std::max(loudest_dry, power(dry, at));
        loudest_wet = std::max(loudest_wet, power(wet, at));
    }
    std::vector<float> hann(n);
    for (std::size_t i = 0; i < n; ++i) hann[i] = float(0.5 - 0.5 * std::cos(2 * std::numbers::pi * double(i) / double(n)));
    const auto spectrum = [&](std::span<const float> x, std::size_t at) {
        std::vector<float> part(n);
        for (std::size_t i = 0; i < n; ++i) part[i] = hann[i] * x[at + i];
        return fft.spectrum(std::move(part));
    };
    Values mean(n / 2 + 1);
    std::size_t frames = 0;
    for (std::size_t at = 0; at + n <= dry.size(); at += hop) {
        if (!(power(dry, at) > dry_silence * loudest_dry && power(wet, at) > wet_silence * loudest_wet)) continue;
        const RealFft::Bins in = spectrum(dry, at), out = spectrum(wet, at);
        for (std::size_t k = 0; k < mean.size(); ++k)
            mean[k] += 0.5 * double(std::log((std::norm(out[k]) + 1e-20f) / (std::norm(in[k]) + 1e-20f)));
        ++frames;
    }
    if (frames < least_frames) return {};
    for (double& v : mean) v /= double(frames);
    return mean;
}

/// The transform of a log response less what is smooth in it: h[i] of a device with the impulse response 1, 0, ..., h, ... is
/// shown as h / 2. band_share: of all frequencies, those that are looked at; noise comes out larger by the root of its inverse.
std::vector<float> ripple(const Values& response, const RealFft& fft, int sample_rate, double& band_share) {
    const double bin_hz = double(sample_rate) / double(fft.size());
    const auto first = std::size_t(lowest_hz / bin_hz), reach = std::size_t(smooth_hz / bin_hz);
    const std::size_t last = std::size_t(std::min(highest_hz, 0.45 * sample_rate) / bin_hz);
    Values sums(response.size() + 1);
    for (std::size_t k = 0; k < response.size(); ++k) sums[k + 1] = sums[k] + response[k];
    RealFft::Bins bins(response.size());
    double weights = 0;
    for (std::size_t k = first; k < last; ++k) {
        const double place = double(k - first + 1) / double(last - first + 1);
        const double weight = std::pow(0.5 - 0.5 * std::cos(2 * std::numbers::pi * place), 0.25);
        const double smooth = (sums[k + reach + 1] - sums[k - reach]) / double(2 * reach + 1);
        bins[k] = float(weight * std::clamp(response[k] - smooth, -most_ripple, most_ripple));
        weights += weight;
    }
    std::vector<float> shown = fft.signal(bins);
    for (float& v : shown) v *= float(0.5 / weights);
    band_share = weights / double(response.size());
    return shown;
}

} // namespace

void find_repetition(std::span<const float> dry, std::span<const float> wet, int sample_rate, TakeChanges& found) {
    const RealFft fft(std::bit_ceil(std::size_t(frame_s * sample_rate)));
    const Values response = log_response(dry, wet, fft);
    if (response.empty()) return;
    double band_share = 0;
    const std::vector<float> shown = ripple(response, fft, sample_rate, band_share);
    const auto samples = [&](double seconds) { return std::size_t(seconds * sample_rate); };
    const auto energy = [&](std::size_t begin, std::size_t end) {
        return mean_square(Values(shown.begin() + std::ptrdiff_t(begin), shown.begin() + std::ptrdiff_t(end)));
    };
    const auto larger = [](float a, float b) { return std::abs(a) < std::abs(b); };
    const auto peak = std::max_element(shown.begin() + std::ptrdiff_t(samples(shortest_echo_s)),
                                       shown.begin() + std::ptrdiff_t(samples(longest_echo_s)), larger);
    const auto at = std::size_t(peak - shown.begin());
    const std::size_t around = samples(around_s), inside = samples(inside_s);
    const std::size_t begin = std::max(samples(shortest_echo_s), at - std::min(at, around));
    const double n_left = at > begin + inside ? double(at - inside - begin) : 0, n_right = double(around - inside);
    const double left = n_left > 0 ? energy(begin, at - inside) : 0, right = energy(at + inside, at + around);
    const double floor = std::sqrt((n_left * left + n_right * right) / (n_left + n_right));
    const double height = std::abs(*peak);
    const bool is_hum = 2 * at + 3 < fft.size() / 2 &&
                        std::any_of(shown.begin() + std::ptrdiff_t(2 * at - 3), shown.begin() + std::ptrdiff_t(2 * at + 4),
                                    [&](float v) { return v / *peak > most_at_double; });
    if (height >= least_peak && height >= clear_peak * floor && !is_hum) {
        found.echo = {double(at) / sample_rate, 20 * std::log10(2 * height)};
        return;
    }
    const double noise = energy(samples(noise_s), samples(longest_echo_s));
    const auto beyond = [&](double from_s, double to_s) { return energy(samples(from_s), samples(to_s)) - noise; };
    if (beyond(early_s, middle_s) >= least_early * least_early && beyond(middle_s, late_s) >= least_late * least_late)
        found.reverberation_db = 10 * std::log10(4 * band_share * beyond(early_s, tail_s) * (tail_s - early_s) * sample_rate);
}

} // namespace serpent
