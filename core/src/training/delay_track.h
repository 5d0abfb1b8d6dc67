// SPDX-License-Identifier: MIT
// The delay of a wet recording behind its dry one, window by window.
//
// Every window gives a cross-spectrum of which only the phases are kept. The mean of those over the take, each moved by the
// window's own delay, is the template: its magnitude is how well the windows agree at a frequency, so that noise and harmonics
// count for little, and its phase is the gear's. What is correlated with it is sharp, whatever the gear does.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace serpent {

class DelayTrack {
public:
    struct Point {
        std::size_t begin = 0;  ///< of the window, in samples of the dry
        double delay_samples = 0, clearness = 0;  ///< peak of the correlation over its rms; chance alone gives 5 to 6
    };
    static constexpr double clear = 9.0;

    /// wet[i + latency] answers dry[i], about.
    DelayTrack(std::span<const float> dry, std::span<const float> wet, std::ptrdiff_t latency_samples, int sample_rate);
    ~DelayTrack();

    const std::vector<Point>& points() const { return points_; }  ///< the clear ones, in order; empty: it cannot be told
    std::size_t window() const { return window_; }
    std::size_t windows() const { return tried_; }  ///< all that were tried: those in which the dry plays
    /// Where between `from` and `until` (samples of the dry) the delay goes from `before` to `after`.
    std::size_t locate(std::size_t from, std::size_t until, double before, double after) const;

private:
    struct Fourier;

    std::span<const float> dry_, wet_;
    std::ptrdiff_t latency_;
    std::size_t window_, tried_ = 0;
    std::unique_ptr<Fourier> fourier_;
    std::vector<Point> points_;
};

} // namespace serpent
