// SPDX-License-Identifier: MIT
// How far a prediction is from the real thing. Everything is summed in float64, over every sample, with no shift and no
// gain. Spans of one call have the same length; all functions throw Error when they do not.
#pragma once

#include <span>
#include <vector>

namespace serpent {

struct Metrics {
    double esr = 0;              ///< sum (y - p)^2 / (sum y^2 + 1e-8)
    double esr_pre = 0;          ///< the same after pre-emphasis 1 - 0.85 z^-1 of both
    double mrstft = 0;           ///< multi-resolution STFT distance, see mrstft()
    double envelope_rms_db = 0;  ///< rms and largest difference of level over 100 ms windows, see envelope_error()
    double envelope_max_db = 0;
    double static_gain_esr = 0;  ///< ESR of static_gain * dry: what doing nothing but turning a volume knob reaches
    double static_gain = 0;      ///< the least-squares gain <dry, target> / <dry, dry>
};

inline constexpr double pre_emphasis_coefficient = 0.85;

/// All of the above for one channel.
Metrics evaluate(std::span<const float> dry, std::span<const float> target, std::span<const float> prediction,
                 int sample_rate);

/// The plain mean of every figure, for channels of a file or takes of a device. Empty: all zero.
Metrics mean(std::span<const Metrics> parts);

double esr(std::span<const float> target, std::span<const float> prediction);
double esr_pre(std::span<const float> target, std::span<const float> prediction);

/// <from, to> / <from, from>; 0 for a silent `from`.
double least_squares_gain(std::span<const float> from, std::span<const float> to);

/// Mean over FFT sizes 1024/2048/512, hops 120/240/50, periodic Hann windows of 600/1200/240 centred in the FFT, of
/// ||Y - P|| / ||Y|| + mean |ln Y - ln P|, where Y and P are magnitudes whose squares are held above 1e-8. Frames are
/// centred on their sample; the signal is continued by reflection. As auraloss's MultiResolutionSTFTLoss.
double mrstft(std::span<const float> target, std::span<const float> prediction);

struct EnvelopeError {
    double rms_db = 0, max_db = 0;
};
/// Difference of RMS level over non-overlapping 100 ms windows (a partial last one is dropped) where the target is
/// above -60 dBFS; the prediction is held above -120 dBFS. Zero when the target never is.
EnvelopeError envelope_error(std::span<const float> target, std::span<const float> prediction, int sample_rate);

/// RMS level in dBFS of consecutive windows of `window_s` seconds, not below `floor_db`; a partial one is dropped.
std::vector<double> level_envelope_db(std::span<const float> signal, int sample_rate, double window_s,
                                      double floor_db = -120.0);

/// Level of `wet` less that of `dry` per window, for plots of what a compressor does; NaN where dry is below -60 dBFS.
std::vector<double> gain_envelope_db(std::span<const float> dry, std::span<const float> wet, int sample_rate,
                                     double window_s);

} // namespace serpent
