// SPDX-License-Identifier: GPL-3.0-or-later
// Digital waveguide strings (Jaffe & Smith 1983, "Extensions of the Karplus-Strong plucked-string algorithm"): a delay
// as long as the period, closed through a loss, a low-pass and a little dispersion.
#include "guitar.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

namespace demo {

namespace {

constexpr double rate = sample_rate_hz;
constexpr int strings = 6;

double frequency_hz(double pitch) { return 440.0 * std::exp2((pitch - 69.0) / 12.0); }

/// The pole of a one-pole low-pass, 1 - a over 1 - a/z, for a corner in Hz.
double pole(double corner_hz) { return std::exp(-2.0 * std::numbers::pi * corner_hz / rate); }

/// One direction of vibration of one string.
class Waveguide {
public:
    Waveguide() : line_(length, 0.0) {}

    void tune(double frequency, double damping, double decay_s) {
        const double w = 2.0 * std::numbers::pi * frequency / rate;
        damping_ = damping;
        loss_ = std::pow(10.0, -3.0 / (frequency * decay_s));
        // What the low-pass and the two all-passes delay the fundamental by is missing from the line.
        const double low_pass = std::atan2(damping * std::sin(w), 1.0 - damping * std::cos(w)) / w;
        const double all_pass = 1.0 + 2.0 * std::atan2(-dispersion * std::sin(w), 1.0 + dispersion * std::cos(w)) / w;
        delay_ = rate / frequency - low_pass - 2.0 * all_pass;
    }
    void scale(double factor) { line_scale_ = factor; }

    double tick(double input) {
        double x = read(delay_) * line_scale_;
        for (auto& s : all_pass_) {
            const double y = dispersion * x + s;
            s = x - dispersion * y;
            x = y;
        }
        low_ = (1.0 - damping_) * x + damping_ * low_;
        const double y = loss_ * low_ + input;
        line_[write_] = y;
        write_ = (write_ + 1) & (length - 1);
        return y;
    }
    /// The wave `delay` samples ago, by third-order Lagrange interpolation.
    double read(double delay) const {
        const auto whole = static_cast<std::size_t>(delay);
        const double f = delay - static_cast<double>(whole);
        const auto at = [&](std::size_t back) { return line_[(write_ + 2 * length - back) & (length - 1)]; };
        return at(whole - 1) * (-f * (f - 1.0) * (f - 2.0) / 6.0) + at(whole) * ((f + 1.0) * (f - 1.0) * (f - 2.0) / 2.0) +
               at(whole + 1) * (-(f + 1.0) * f * (f - 2.0) / 2.0) + at(whole + 2) * ((f + 1.0) * f * (f - 1.0) / 6.0);
    }

private:
    static constexpr std::size_t length = 2048;
    static constexpr double dispersion = -0.25;
    std::vector<double> line_;
    std::size_t write_ = 0;
    double delay_ = 100.0, damping_ = 0.1, loss_ = 0.99, low_ = 0.0, line_scale_ = 1.0;
    double all_pass_[2] = {0.0, 0.0};
};

/// A string with its two directions of vibration, the hand that plucks and the pickup under it.
class String {
public:
    String(int index, std::uint64_t seed) : index_(index), random_(seed * 977 + static_cast<std::uint64_t>(index)) {}

    void pluck(const Note& note) {
        note_ = note;
        age_ = 0;
        period_ = rate / frequency_hz(note.pitch);
        touch_ = 1.0;
        const double corner_hz = (1800.0 + 8000.0 * note.velocity * note.velocity) * (1.0 - 0.6 * note.mute);
        smooth_pole_ = pole(corner_hz);
    }

    double tick() {
        if (!note_) return 0.0;
        if (age_ % control_period == 0) retune();
        const double x = excitation();
        const double wave = 0.7 * vertical_.tick(x) + 0.3 * horizontal_.tick(x);
        ++age_;
        // The pickup senses the string at one place: the wave and its reflection from the bridge.
        const double back = pickup_position * period_;
        return wave - (0.7 * vertical_.read(back) + 0.3 * horizontal_.read(back));
    }

private:
    static constexpr int control_period = 16;
    static constexpr double pickup_position = 0.17, pluck_position = 0.13;

    void retune() {
        const double t = age_ / rate, end = note_->length_s;
        double pitch = note_->pitch + note_->bend_semitones * std::clamp(3.0 * t / end, 0.0, 1.0);
        if (t > 0.5 * end) pitch += note_->vibrato_cents / 100.0 * std::sin(2.0 * std::numbers::pi * 5.3 * (t - 0.5 * end));
        pitch += 0.12 * note_->velocity * std::exp(-t / 0.05);  // a hard pluck stretches the string
        const double open_s = 9.0 - 0.9 * index_, muted_s = 0.28;
        double decay_s = open_s * std::pow(muted_s / open_s, note_->mute);
        double damping = 0.19 - 0.022 * index_ + 0.45 * note_->mute;
        if (t > end) {  // the finger lifts
            decay_s = 0.12;
            damping = 0.6;
        }
        vertical_.tune(frequency_hz(pitch), damping, decay_s);
        horizontal_.tune(frequency_hz(pitch + 0.011), damping, 0.45 * decay_s);
        // While the pick rests on the string, before it lets go, it takes most of the old note away.
        touch_ = age_ < 0.004 * rate ? 0.35 : 1.0;
        vertical_.scale(touch_);
        horizontal_.scale(touch_);
    }

    /// The velocity wave of a string let go from a triangle is a rectangle; the pick rounds its edges and scrapes.
    double excitation() {
        const double n = age_ - 0.004 * rate, width = pluck_position * period_;
        double x = 0.0;
        if (n >= 0.0 && n < width) x = 1.0;
        if (n >= width && n < 2.0 * width) x = -0.55;
        x += 0.35 * random_.uniform(-1.0, 1.0) * std::exp(-std::abs(n) / (0.0015 * rate));
        for (double& s : smooth_) x = s = (1.0 - smooth_pole_) * x + smooth_pole_ * s;
        return note_->velocity * (1.0 + 0.8 * note_->mute) * x;
    }

    int index_;
    Random random_;
    Waveguide vertical_, horizontal_;
    std::optional<Note> note_;
    std::int64_t age_ = 0;
    double period_ = 100.0, touch_ = 1.0, smooth_pole_ = 0.5;
    double smooth_[2] = {0.0, 0.0};
};

/// The coil and its cable: a resonant low-pass, and no DC.
class Pickup {
public:
    double tick(double x) {
        constexpr double corner_hz = 4300.0, q = 1.8;
        static const double g = std::tan(std::numbers::pi * corner_hz / rate);
        const double high = (x - (1.0 / q + g) * band_ - low_) / (1.0 + g / q + g * g);
        const double band = g * high + band_;
        band_ = band + g * high;
        const double low = g * band + low_;
        low_ = low + g * band;
        static const double slow = 1.0 - pole(45.0);
        dc_ += slow * (low - dc_);
        return low - dc_;
    }

private:
    double band_ = 0.0, low_ = 0.0, dc_ = 0.0;
};

} // namespace

double Random::uniform(double low, double high) {
    // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return low + (high - low) * static_cast<double>(z >> 11) * 0x1p-53;
}

int Random::below(int n) { return static_cast<int>(uniform(0.0, n)); }

std::vector<float> play(std::vector<Note> notes, double seconds, double peak, std::uint64_t seed) {
    std::stable_sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) { return a.start_s < b.start_s; });
    std::vector<String> guitar;
    for (int s = 0; s < strings; ++s) guitar.emplace_back(s, seed);
    Pickup pickup;
    Random noise(seed);
    std::vector<double> out(static_cast<std::size_t>(seconds * rate));
    auto next = notes.begin();
    for (std::size_t n = 0; n < out.size(); ++n) {
        for (; next != notes.end() && next->start_s * rate <= static_cast<double>(n); ++next)
            guitar[static_cast<std::size_t>(next->string)].pluck(*next);
        double sum = 0.0;
        for (String& string : guitar) sum += string.tick();
        out[n] = pickup.tick(sum);
    }
    double loudest = 1e-9;
    for (const double x : out) loudest = std::max(loudest, std::abs(x));
    std::vector<float> audio(out.size());
    for (std::size_t n = 0; n < out.size(); ++n)
        audio[n] = static_cast<float>(out[n] * peak / loudest + 3e-5 * noise.uniform(-1.0, 1.0));
    return audio;
}

} // namespace demo
