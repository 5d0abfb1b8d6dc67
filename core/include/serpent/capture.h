// SPDX-License-Identifier: MIT
// The dry signal to play through gear that is to be captured, and how to find one's way in it afterwards.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace serpent {

inline constexpr double capture_signal_min_s = 20.0;
inline constexpr double capture_signal_default_s = 180.0;

/// A part of the signal: samples [begin, end).
struct CaptureSection {
    std::string name;
    std::size_t begin = 0, end = 0;

    std::size_t size() const noexcept { return end - begin; }
};

/// Where everything is. It follows from the sample rate and the length alone.
struct CaptureLayout {
    int sample_rate = 48000;
    std::size_t length = 0;
    std::vector<std::size_t> markers;      ///< first samples of the clicks for alignment, at the begin and at the end
    std::vector<CaptureSection> sections;  ///< in order, without gaps
    CaptureSection repeat_first, repeat_second;  ///< the same samples twice, each after the same length of silence
    CaptureSection validation;             ///< played phrases that occur nowhere else
};

/// Throws Error unless length is at least 20 s and sample_rate is 8000 to 384000 Hz.
CaptureLayout capture_layout(int sample_rate, std::size_t length);

/// The signal itself, always the same: clicks, sweeps at three levels, noise at many, level steps, plucked notes and
/// chords held and damped, phrases with the level ridden, probes of a slow release, silences, and a repeated part.
/// Peak below -0.9 dBFS. Throws as capture_layout.
std::vector<float> capture_signal(int sample_rate, double seconds = capture_signal_default_s);

/// Whether a dry file is the capture signal of its rate and length, to within 16-bit dither.
std::optional<CaptureLayout> recognise(std::span<const float> dry, int sample_rate);

/// The same signal without its first `samples`, for takes that begin later; sections that are gone have no length.
CaptureLayout without_begin(CaptureLayout layout, std::size_t samples);

/// How far the gear agrees with itself: ESR of the repeated part's second time against its first. No model can be
/// expected to do better. wet: aligned; throws Error unless it holds the repeated part to its end.
double self_esr(std::span<const float> wet, const CaptureLayout& layout);

} // namespace serpent
