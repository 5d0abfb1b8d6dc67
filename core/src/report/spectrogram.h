// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace serpent::report {

/// How a spectrogram is laid out: columns over the whole signal, rows evenly spaced in mel from 0 Hz up.
struct SpectrogramLayout {
    std::size_t columns = 0, rows = 0;
    double highest_hz = 0;
};

inline constexpr double spectrogram_range_db = 90.0;

/// Mean power of every cell, row by row from the top frequency down. Hann windows of about 43 ms.
class Spectrogram {
public:
    Spectrogram(std::span<const float> signal, int sample_rate);

    const SpectrogramLayout& layout() const noexcept { return layout_; }
    double loudest() const noexcept;
    /// 255 is `reference` (a power), 0 is spectrogram_range_db below it or less.
    std::vector<std::uint8_t> levels(double reference) const;

private:
    SpectrogramLayout layout_;
    std::vector<double> power_;
};

} // namespace serpent::report
