// SPDX-License-Identifier: GPL-3.0-or-later
#include "music.h"

#include <algorithm>
#include <array>

namespace demo {

namespace {

constexpr std::array<int, 6> tuning = {40, 45, 50, 55, 59, 64};  // E2 A2 D3 G3 B3 E4
constexpr int none = -1;
using Shape = std::array<int, 6>;  // fret on each string, low E first

/// Notes as a player sets them down: strings and frets, at times counted in beats.
class Player {
public:
    Player(double tempo_bpm, std::uint64_t seed) : beat_s_(60.0 / tempo_bpm), human_(seed) {}

    double level = 1.0;  ///< of everything that follows

    Note& pluck(double beat, double beats, int string, int fret, double velocity, double mute = 0.0) {
        Note note;
        note.start_s = std::max(0.0, beat * beat_s_ + human_.uniform(-0.004, 0.004));
        note.length_s = beats * beat_s_;
        note.string = string;
        note.pitch = tuning[static_cast<std::size_t>(string)] + fret + human_.uniform(-0.02, 0.02);
        note.velocity = std::clamp(level * velocity * human_.uniform(0.92, 1.06), 0.02, 1.0);
        note.mute = mute;
        return notes_.emplace_back(note);
    }
    /// From the low strings up, `spread_s` from one to the next.
    void strum(double beat, double beats, const Shape& shape, double velocity, double spread_s, double mute = 0.0) {
        double late = 0.0;
        for (int s = 0; s < 6; ++s) {
            const int fret = shape[static_cast<std::size_t>(s)];
            if (fret == none) continue;
            pluck(beat + late / beat_s_, beats - late / beat_s_, s, fret, velocity * (0.8 - 0.04 * s), mute);
            late += spread_s * human_.uniform(0.8, 1.2);
        }
    }
    void power_chord(double beat, double beats, int string, int fret, double velocity) {
        Shape shape = {none, none, none, none, none, none};
        const auto s = static_cast<std::size_t>(string);
        shape[s] = fret;
        shape[s + 1] = shape[s + 2] = fret + 2;
        strum(beat, beats, shape, velocity, 0.006);
    }
    /// Muted low notes at the given beats.
    void chug(std::initializer_list<double> beats, double velocity) {
        for (const double beat : beats) pluck(beat, 0.45, 0, 0, velocity, 0.85);
    }

    std::vector<float> record(double seconds, double peak, std::uint64_t seed) { return play(notes_, seconds, peak, seed); }
    double beats_in(double seconds) const { return seconds / beat_s_; }
    Random& human() { return human_; }

private:
    double beat_s_;
    Random human_;
    std::vector<Note> notes_;
};

constexpr std::array<Shape, 6> chords = {{
    {0, 2, 2, 0, 0, 0},           // E minor
    {none, 3, 2, 0, 1, 0},        // C
    {3, 2, 0, 0, 0, 3},           // G
    {none, 0, 2, 2, 1, 0},        // A minor
    {none, none, 0, 2, 3, 2},     // D
    {none, 3, 2, 0, 0, 0},        // C major 7
}};

// --- practice: one bar of each kind, starting at `beat` ---------------------------------------------------------------

void riff(Player& player, double beat) {
    Random& random = player.human();
    for (int eighth = 0; eighth < 8; ++eighth) {
        const double at = beat + 0.5 * eighth;
        if (random.below(3) > 0)
            player.pluck(at, 0.45, random.below(2), random.below(4), random.uniform(0.5, 0.9), random.uniform(0.6, 1.0));
        else
            player.power_chord(at, random.uniform(0.5, 1.0), random.below(3), random.below(8), random.uniform(0.6, 1.0));
    }
}

void arpeggio(Player& player, double beat) {
    Random& random = player.human();
    const Shape& shape = chords[static_cast<std::size_t>(random.below(static_cast<int>(chords.size())))];
    for (int eighth = 0; eighth < 8; ++eighth) {
        int string = random.below(6);
        while (shape[static_cast<std::size_t>(string)] == none) string = random.below(6);
        player.pluck(beat + 0.5 * eighth, 4.0 - 0.5 * eighth, string, shape[static_cast<std::size_t>(string)],
                     random.uniform(0.25, 0.7));
    }
}

void lick(Player& player, double beat) {
    constexpr std::array<int, 5> minor_pentatonic = {0, 3, 5, 7, 10};
    Random& random = player.human();
    for (double at = beat; at < beat + 3.9;) {
        const double beats = std::array{0.25, 0.5, 0.5, 1.0}[static_cast<std::size_t>(random.below(4))];
        const int string = 2 + random.below(4);
        const int fret = minor_pentatonic[static_cast<std::size_t>(random.below(5))] + 5 * random.below(2);
        Note& note = player.pluck(at, beats, string, fret, random.uniform(0.4, 1.0));
        if (beats >= 0.5 && random.below(3) == 0) note.bend_semitones = 1 + random.below(2);
        if (beats >= 1.0) note.vibrato_cents = random.uniform(10.0, 40.0);
        at += beats;
    }
}

void strummed(Player& player, double beat) {
    Random& random = player.human();
    for (double at = beat; at < beat + 3.9; at += 2.0)
        player.strum(at, 2.0, chords[static_cast<std::size_t>(random.below(static_cast<int>(chords.size())))],
                     random.uniform(0.3, 1.0), random.uniform(0.005, 0.03));
}

} // namespace

std::vector<float> phrase() {
    Player player(104.0, 7);
    // Bar 1: a riff on the low string.
    player.chug({0.0, 0.5, 1.5, 2.0, 3.0, 3.25, 3.5}, 0.8);
    player.power_chord(1.0, 0.5, 0, 0, 0.95);
    player.power_chord(2.5, 0.5, 0, 3, 0.9);
    // Bar 2: the same, answered by D5 and a held C5.
    player.chug({4.0, 4.5, 5.5}, 0.75);
    player.power_chord(5.0, 0.5, 0, 0, 0.95);
    player.power_chord(6.0, 0.5, 1, 5, 0.9);
    player.power_chord(6.5, 1.5, 1, 3, 1.0);
    // Bar 3: quiet, picked chords.
    const Shape c_major_7 = chords[5], g = {3, none, 0, 0, 3, 3};
    int eighth = 0;
    for (const int string : {1, 3, 4, 5}) player.pluck(8.0 + 0.5 * eighth++, 2.0, string, c_major_7[static_cast<std::size_t>(string)], 0.42);
    for (const int string : {0, 3, 4, 5}) player.pluck(8.0 + 0.5 * eighth++, 2.0, string, g[static_cast<std::size_t>(string)], 0.36);
    // Bar 4: a lick that rises, bends and settles.
    player.pluck(12.0, 0.5, 3, 7, 0.7);
    player.pluck(12.5, 0.25, 4, 5, 0.65);
    player.pluck(12.75, 0.75, 4, 8, 0.85).bend_semitones = 2.0;
    player.pluck(13.5, 0.5, 5, 7, 0.8);
    player.pluck(14.0, 0.25, 5, 5, 0.7);
    player.pluck(14.25, 0.25, 4, 8, 0.7);
    player.pluck(14.5, 1.4, 4, 5, 0.8).vibrato_cents = 30.0;
    // The last chord, left to ring.
    player.strum(16.0, 12.0, chords[0], 0.9, 0.022);
    std::vector<float> audio = player.record(11.5, 0.6, 1);
    for (std::size_t n = 0, fade = sample_rate_hz / 4; n < fade; ++n)
        audio[audio.size() - 1 - n] *= static_cast<float>(n) / static_cast<float>(fade);
    return audio;
}

std::vector<float> practice(double seconds, std::uint64_t seed) {
    Player player(112.0, seed);
    Random& random = player.human();
    for (double beat = 0.0; beat < player.beats_in(seconds); beat += 4.0) {
        player.level = random.uniform(0.25, 1.0);
        switch (random.below(5)) {
            case 0: riff(player, beat); break;
            case 1: arpeggio(player, beat); break;
            case 2: lick(player, beat); break;
            case 3: strummed(player, beat); break;
            default: beat -= 2.0;  // half a bar to let it ring
        }
    }
    return player.record(seconds, 0.7, seed + 1);
}

} // namespace demo
