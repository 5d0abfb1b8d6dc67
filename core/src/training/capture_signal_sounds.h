// SPDX-License-Identifier: MIT
// The sounds that the capture signal is put together from. All are added to what is there, cut at the span's end.
#pragma once

#include <cstdint>
#include <span>

namespace serpent {

/// splitmix64 (Steele, Lea, Flood 2014): the same numbers everywhere, unlike the standard distributions.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t bits() noexcept;
    double uniform(double from, double to) noexcept;      ///< [from, to)
    double log_uniform(double from, double to) noexcept;  ///< the logarithm is uniform
    int below(int n) noexcept;                            ///< 0..n-1

private:
    std::uint64_t state_;
};

/// 1 ms: half a millisecond up, half down. The first sample is at full level at once.
void add_click(std::span<float> out, int sample_rate, double amplitude);

/// A sine whose frequency rises exponentially over the whole span, with faded ends.
void add_sweep(std::span<float> out, int sample_rate, double from_hz, double to_hz, double amplitude);

/// Uniform noise through a one-pole lowpass, scaled so that its peak is near `amplitude`; cutoff 0 leaves it white.
void add_noise(std::span<float> out, int sample_rate, double cutoff_hz, double amplitude, Random& random);

/// Fundamental and four weaker partials, with 1 ms ramps at both ends.
void add_tone(std::span<float> out, int sample_rate, double frequency_hz, double amplitude);

struct Pluck {
    double frequency_hz;
    double amplitude;        ///< of the loudest sample, about
    double t60_s = 4.0;      ///< until it has decayed by 60 dB when let ring
    double brightness = 0.5; ///< 0 dull .. 1 bright
    double held_s = 1e9;     ///< damped after that
};

/// A plucked string (Karplus and Strong 1983, tuned by an allpass as Jaffe and Smith 1983), from the span's start.
void add_pluck(std::span<float> out, int sample_rate, const Pluck& pluck, Random& random);

double from_db(double db);
double midi_to_hz(double note);

} // namespace serpent
