// SPDX-License-Identifier: MIT
// The definition is auraloss's MultiResolutionSTFTLoss (Steinmetz & Reiss 2020) after Yamamoto et al. 2020, on top of
// torch.stft with center=True: https://github.com/csteinmetz1/auraloss
#include "serpent/errors.h"
#include "serpent/metrics.h"

#include <kissfft.hh>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <numbers>

namespace serpent {

namespace {

struct Resolution {
    std::size_t fft, hop, window;
};
constexpr Resolution resolutions[] = {{1024, 120, 600}, {2048, 240, 1200}, {512, 50, 240}};
constexpr double power_floor = 1e-8;

/// Index into a signal of n samples continued on both sides by reflection about its first and last sample.
std::size_t reflect(std::ptrdiff_t i, std::size_t n) {
    if (n == 1) return 0;
    const auto period = static_cast<std::ptrdiff_t>(2 * (n - 1));
    i = std::abs(i) % period;
    return static_cast<std::size_t>(std::min(i, period - i));
}

/// Magnitudes of windowed frames. float64: a float32 FFT would leave rounding noise above the power floor beside a
/// loud partial.
class Spectrum {
public:
    explicit Spectrum(const Resolution& r)
        : r_(r), transform_(r.fft / 2, false), window_(r.window), frame_(r.fft, 0.0), bins_(r.fft / 2),
          magnitudes_(r.fft / 2 + 1) {
        for (std::size_t i = 0; i < r.window; ++i)
            window_[i] = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) /
                                              static_cast<double>(r.window));
    }

    /// The frame centred on sample `centre`.
    const std::vector<double>& at(std::span<const float> signal, std::size_t centre) {
        const std::size_t margin = (r_.fft - r_.window) / 2;
        const auto first = static_cast<std::ptrdiff_t>(centre + margin) - static_cast<std::ptrdiff_t>(r_.fft / 2);
        for (std::size_t i = 0; i < r_.window; ++i)
            frame_[margin + i] = window_[i] * signal[reflect(first + static_cast<std::ptrdiff_t>(i), signal.size())];
        transform_.transform_real(frame_.data(), bins_.data());
        const auto magnitude = [](double power) { return std::sqrt(power < power_floor ? power_floor : power); };
        for (std::size_t k = 1; k < bins_.size(); ++k) magnitudes_[k] = magnitude(std::norm(bins_[k]));
        magnitudes_.front() = magnitude(bins_[0].real() * bins_[0].real()); // kissfft packs the two real bins,
        magnitudes_.back() = magnitude(bins_[0].imag() * bins_[0].imag());  // 0 and fft / 2, into one
        return magnitudes_;
    }

private:
    Resolution r_;
    kissfft<double> transform_;
    std::vector<double> window_, frame_;
    std::vector<std::complex<double>> bins_;
    std::vector<double> magnitudes_;
};

double distance(std::span<const float> target, std::span<const float> prediction, const Resolution& r) {
    Spectrum target_spectrum(r), prediction_spectrum(r);
    double difference = 0, energy = 0, log_difference = 0;
    const std::size_t frames = target.size() / r.hop + 1;
    for (std::size_t frame = 0; frame < frames; ++frame) {
        const auto& y = target_spectrum.at(target, frame * r.hop);
        const auto& p = prediction_spectrum.at(prediction, frame * r.hop);
        for (std::size_t k = 0; k < y.size(); ++k) {
            difference += (y[k] - p[k]) * (y[k] - p[k]);
            energy += y[k] * y[k];
            log_difference += std::abs(std::log(y[k] / p[k]));
        }
    }
    const auto count = static_cast<double>(frames * (r.fft / 2 + 1));
    return std::sqrt(difference / energy) + log_difference / count; // energy > 0 by the power floor
}

} // namespace

double mrstft(std::span<const float> target, std::span<const float> prediction) {
    if (target.size() != prediction.size())
        throw Error("cannot compare spectra of signals of different lengths; cut both to the same length");
    if (target.empty()) return 0.0;
    double sum = 0;
    for (const Resolution& r : resolutions) sum += distance(target, prediction, r);
    return sum / static_cast<double>(std::size(resolutions));
}

} // namespace serpent
