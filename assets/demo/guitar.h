// SPDX-License-Identifier: GPL-3.0-or-later
// A plucked-string electric guitar, straight into the interface: enough of one to try models on.
#pragma once

#include <cstdint>
#include <vector>

namespace demo {

inline constexpr int sample_rate_hz = 48000;

/// Small and the same everywhere, unlike the distributions of <random>.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    double uniform(double low, double high);
    int below(int n);  ///< 0..n-1

private:
    std::uint64_t state_;
};

struct Note {
    double start_s = 0.0, length_s = 0.5;
    int string = 0;              ///< 0 (low E) to 5 (high E)
    double pitch = 40.0;         ///< MIDI note number
    double velocity = 0.7;       ///< 0..1: loudness and brightness
    double mute = 0.0;           ///< 0 open, 1 the palm rests on the bridge
    double bend_semitones = 0.0; ///< reached after a third of the note
    double vibrato_cents = 0.0;  ///< over the second half of the note
};

/// Plays the notes, in any order, and gives `seconds` of audio with its peak at `peak`.
std::vector<float> play(std::vector<Note> notes, double seconds, double peak, std::uint64_t seed);

} // namespace demo
