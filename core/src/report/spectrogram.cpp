// SPDX-License-Identifier: MIT
#include "report/spectrogram.h"

#include <kissfft.hh>

#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <numbers>

namespace serpent::report {

namespace {

constexpr std::size_t most_columns = 640;
constexpr std::size_t row_count = 144;

double mel(double hz) { return 2595.0 * std::log10(1.0 + hz / 700.0); }
double hz_of(double mels) { return 700.0 * (std::pow(10.0, mels / 2595.0) - 1.0); }

/// Power per bin, averaged over windows half a window apart whose centres lie in [first, last).
class MeanSpectrum {
public:
    explicit MeanSpectrum(std::size_t fft)
        : fft_(fft), transform_(fft / 2, false), window_(fft), frame_(fft), bins_(fft / 2), power_(fft / 2) {
        for (std::size_t i = 0; i < fft; ++i)
            window_[i] = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) /
                                              static_cast<double>(fft));
    }

    const std::vector<double>& of(std::span<const float> signal, std::size_t first, std::size_t last) {
        std::fill(power_.begin(), power_.end(), 0.0);
        const std::size_t windows = std::max<std::size_t>(1, (last - first) / (fft_ / 2));
        for (std::size_t w = 0; w < windows; ++w) add(signal, first + (2 * w + 1) * (last - first) / (2 * windows));
        for (double& p : power_) p /= static_cast<double>(windows);
        return power_;
    }

private:
    void add(std::span<const float> signal, std::size_t centre) {
        for (std::size_t i = 0; i < fft_; ++i) {
            const std::size_t at = centre + i; // half a window late: unsigned, and below half is before the beginning
            frame_[i] = at >= fft_ / 2 && at - fft_ / 2 < signal.size() ? window_[i] * signal[at - fft_ / 2] : 0.0;
        }
        transform_.transform_real(frame_.data(), bins_.data());
        bins_[0] = bins_[0].real(); // kissfft packs the highest bin into its imaginary part
        for (std::size_t k = 0; k < power_.size(); ++k) power_[k] += std::norm(bins_[k]);
    }

    std::size_t fft_;
    kissfft<double> transform_;
    std::vector<double> window_, frame_;
    std::vector<std::complex<double>> bins_;
    std::vector<double> power_;
};

/// Mean power between two frequencies in bins; between neighbours where the band is narrower than a bin.
double band_power(const std::vector<double>& power, double low, double high) {
    const auto first = static_cast<std::size_t>(std::ceil(low));
    const auto last = std::min(static_cast<std::size_t>(std::ceil(high)), power.size());
    if (first >= last || high - low < 1.0) {
        const double centre = std::clamp((low + high) / 2, 0.0, static_cast<double>(power.size() - 1));
        const auto k = static_cast<std::size_t>(centre);
        const double share = centre - static_cast<double>(k);
        return (1.0 - share) * power[k] + share * power[std::min(k + 1, power.size() - 1)];
    }
    double sum = 0;
    for (std::size_t k = first; k < last; ++k) sum += power[k];
    return sum / static_cast<double>(last - first);
}

} // namespace

Spectrogram::Spectrogram(std::span<const float> signal, int sample_rate) {
    const std::size_t fft = std::bit_floor(static_cast<std::size_t>(std::max(sample_rate, 3000)) / 20);
    layout_.columns = std::min(most_columns, (signal.size() + fft / 4 - 1) / (fft / 4));
    layout_.rows = row_count;
    layout_.highest_hz = 0.5 * sample_rate;
    power_.assign(layout_.columns * layout_.rows, 0.0);
    MeanSpectrum spectrum(fft);
    const double hz_per_bin = static_cast<double>(sample_rate) / static_cast<double>(fft);
    const double mel_per_row = mel(layout_.highest_hz) / static_cast<double>(row_count);
    for (std::size_t column = 0; column < layout_.columns; ++column) {
        const auto& power = spectrum.of(signal, column * signal.size() / layout_.columns,
                                        (column + 1) * signal.size() / layout_.columns);
        for (std::size_t row = 0; row < row_count; ++row) {
            const double low = hz_of(mel_per_row * static_cast<double>(row)) / hz_per_bin;
            const double high = hz_of(mel_per_row * static_cast<double>(row + 1)) / hz_per_bin;
            power_[(row_count - 1 - row) * layout_.columns + column] = band_power(power, low, high);
        }
    }
}

double Spectrogram::loudest() const noexcept {
    return power_.empty() ? 0.0 : *std::max_element(power_.begin(), power_.end());
}

std::vector<std::uint8_t> Spectrogram::levels(double reference) const {
    std::vector<std::uint8_t> result(power_.size(), 0);
    if (!(reference > 0)) return result;
    std::transform(power_.begin(), power_.end(), result.begin(), [reference](double power) {
        const double below_db = power > 0 ? -10.0 * std::log10(power / reference) : spectrogram_range_db;
        const double share = std::clamp(1.0 - below_db / spectrogram_range_db, 0.0, 1.0);
        return static_cast<std::uint8_t>(std::lrint(255.0 * share));
    });
    return result;
}

} // namespace serpent::report
