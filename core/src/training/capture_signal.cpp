// SPDX-License-Identifier: MIT
#include "serpent/capture.h"

#include "model/as_error.h"
#include "serpent/errors.h"
#include "serpent/metrics.h"
#include "training/capture_signal_sounds.h"

#include <algorithm>
#include <cmath>

namespace serpent {

namespace {

constexpr int min_rate = 8000, max_rate = 384000; // Hz
constexpr double max_s = 7200.0;
constexpr double preamble_s = 3.0, coda_s = 2.0; // silence, clicks, silence
constexpr double click_times_s[] = {0.5, 0.8, 1.3}; // from the begin; unequal gaps, so that none is taken for another
constexpr double click_amplitude = 0.7;
constexpr double peak = 0.9;                // of the loudest sections
constexpr double repeat_silence = 0.35;     // share of a repeated section that is silent before it plays
constexpr double seconds_after_loud_share = 0.45; // share of "release" that is silence after its last loud note

std::size_t to_samples(double seconds, int sample_rate) {
    return static_cast<std::size_t>(std::llround(seconds * sample_rate));
}

/// What one section writes: sounds placed in time, in a part of the signal that starts silent.
class Canvas {
public:
    Canvas(std::span<float> out, int sample_rate, std::uint64_t seed) : out_(out), rate_(sample_rate), random(seed) {}

    double length_s() const { return static_cast<double>(out_.size()) / rate_; }
    int rate() const { return rate_; }

    /// From start_s, at most duration_s long, never beyond the end.
    std::span<float> at(double start_s, double duration_s = 1e9) const {
        const std::size_t begin = std::min(to_samples(start_s, rate_), out_.size());
        const double left_s = static_cast<double>(out_.size() - begin) / rate_;
        return out_.subspan(begin, std::min(to_samples(std::min(duration_s, left_s), rate_), out_.size() - begin));
    }

    /// Scales the section down when its peak is above `limit`.
    void limit_peak(double limit) const {
        float loudest = 0;
        for (const float x : out_) loudest = std::max(loudest, std::abs(x));
        if (loudest > limit)
            for (float& x : out_) x *= static_cast<float>(limit) / loudest;
    }

    /// Multiplies by a level that swings sinusoidally between 0 and -depth_db.
    void ride_level(double depth_db, double period_s) const {
        for (std::size_t i = 0; i < out_.size(); ++i) {
            const double phase = 2.0 * 3.141592653589793 * static_cast<double>(i) / (period_s * rate_);
            out_[i] *= static_cast<float>(from_db(-0.5 * depth_db * (1.0 - std::cos(phase))));
        }
    }

    /// Sounds that are still ringing end without a click.
    void fade_end() const { silence_from(length_s() - 0.005); }

    /// Silence until the end, with a fade of 5 ms before it.
    void silence_from(double start_s) const {
        const auto tail = at(start_s);
        const std::size_t ramp = to_samples(0.005, rate_);
        for (std::size_t i = 0; i < tail.size(); ++i)
            tail[i] *= i < ramp ? 1.0f - static_cast<float>(i) / static_cast<float>(ramp) : 0.0f;
    }

private:
    std::span<float> out_;
    int rate_;

public:
    Random random;
};

/// MIDI notes from low to high; -1: the string is not played.
constexpr int chords[][6] = {{40, 47, 52, 56, 59, 64}, {-1, 45, 52, 57, 61, 64}, {-1, -1, 50, 57, 62, 66},
                             {43, 47, 50, 55, 59, 67}, {-1, 48, 52, 55, 60, 64}, {40, 47, 52, 55, 59, 64},
                             {-1, 45, 52, 57, 60, 64}, {41, 48, 53, 57, 60, 65}, {40, 47, 52, -1, -1, -1},
                             {43, 50, 55, -1, -1, -1}, {45, 52, 57, -1, -1, -1}};

void strum(Canvas& c, double start_s, double amplitude, double held_s) {
    const auto& chord = chords[c.random.below(std::size(chords))];
    const double gap_s = c.random.uniform(0.002, 0.025);
    int string = 0;
    for (const int note : chord) {
        if (note < 0) continue;
        add_pluck(c.at(start_s + gap_s * string++), c.rate(),
                  {midi_to_hz(note), amplitude * c.random.uniform(0.3, 0.45), c.random.uniform(3.0, 7.0),
                   c.random.uniform(0.2, 0.9), held_s},
                  c.random);
    }
}

void play_note(Canvas& c, double start_s, double amplitude, double held_s) {
    add_pluck(c.at(start_s), c.rate(),
              {midi_to_hz(c.random.below(49) + 28), amplitude, c.random.uniform(2.0, 8.0), c.random.uniform(0.1, 1.0),
               held_s},
              c.random);
}

void compose_sweeps(Canvas& c) {
    const double each_s = c.length_s() / 3.0, top_hz = std::min(20000.0, 0.45 * c.rate());
    const double levels_db[] = {-36.0, -16.0, -3.0};
    for (int i = 0; i < 3; ++i)
        add_sweep(c.at(i * each_s, 0.93 * each_s), c.rate(), 20.0, top_hz, from_db(levels_db[i]));
}

void compose_noise(Canvas& c) {
    const double levels_db[] = {-12, -48, -20, -4, -36, -28, -54, -8, -42, -16, -60, -24, -2, -32};
    double t = 0;
    for (int i = 0; t < c.length_s() - 0.1; ++i) {
        const double duration_s = std::min(c.random.log_uniform(0.15, 1.2), c.length_s() - t);
        const double cutoff_hz = i % 2 ? c.random.log_uniform(400.0, 4000.0) : 0.0;
        add_noise(c.at(t, duration_s), c.rate(), cutoff_hz, from_db(levels_db[i % 14]), c.random);
        t += duration_s + (i % 4 == 3 ? 0.35 : 0.0);
    }
}

/// Level steps, up and down, quick and slow: what a compressor is read from.
void compose_steps(Canvas& c) {
    double t = 0;
    for (int i = 0; t < c.length_s() - 0.05; ++i) {
        const double duration_s = std::min(c.random.log_uniform(0.04, 2.5), c.length_s() - t);
        const double level_db = i % 2 ? c.random.uniform(-50.0, -22.0) : c.random.uniform(-24.0, -2.0);
        add_tone(c.at(t, duration_s), c.rate(), c.random.log_uniform(70.0, 900.0), from_db(level_db));
        t += duration_s;
    }
}

/// Single notes over the range of bass and guitar, at all strengths: left to ring, held, and damped at once.
void compose_notes(Canvas& c) {
    double t = 0;
    for (int i = 0; t < c.length_s() - 0.3; ++i) {
        const double step_s = i % 5 == 4 ? 2.8 : c.random.log_uniform(0.18, 1.3);
        const double held_s = i % 3 == 2 ? 0.05 : step_s * c.random.uniform(0.6, 1.0);
        play_note(c, t, from_db(c.random.uniform(-36.0, -2.0)), i % 5 == 4 ? 1e9 : held_s);
        t += step_s;
    }
    c.limit_peak(peak);
}

void compose_chords(Canvas& c) {
    double t = 0;
    for (int i = 0; t < c.length_s() - 0.3; ++i) {
        const double step_s = i % 4 == 3 ? 4.0 : c.random.log_uniform(0.25, 1.6);
        strum(c, t, from_db(c.random.uniform(-24.0, 0.0)), step_s * c.random.uniform(0.5, 1.0));
        t += step_s;
    }
    c.limit_peak(peak);
}

/// Fast phrases of notes and chords while the level swings over 24 dB.
void compose_phrases(Canvas& c) {
    double t = 0;
    for (int i = 0; t < c.length_s() - 0.2; ++i) {
        const double step_s = 0.125 * (1 + c.random.below(3));
        const double held_s = step_s * c.random.uniform(0.4, 1.0);
        if (c.random.below(3) == 0) strum(c, t, c.random.uniform(0.4, 1.0), held_s);
        else play_note(c, t, c.random.uniform(0.2, 0.8), held_s);
        t += i % 16 == 15 ? 1.0 : step_s;
    }
    c.limit_peak(peak);
    c.ride_level(24.0, std::min(7.0, c.length_s()));
}

/// A loud passage, then quiet blips at regular times that show how the gain comes back, then nothing at all.
void compose_release(Canvas& c) {
    const double quiet_s = seconds_after_loud_share * c.length_s(), cycle_s = (c.length_s() - quiet_s) / 2.0;
    for (int cycle = 0; cycle < 2; ++cycle) {
        const double start_s = cycle * cycle_s, loud_s = 0.25 * cycle_s * (cycle + 1);
        add_tone(c.at(start_s, loud_s), c.rate(), cycle ? 147.0 : 220.0, from_db(-3.0));
        for (double t = start_s + loud_s + 0.05; t < start_s + cycle_s - 0.1; t += 0.25)
            add_tone(c.at(t, 0.06), c.rate(), 330.0, from_db(-28.0));
    }
    strum(c, 2.0 * cycle_s - 0.4, 1.0, 0.3);
    c.limit_peak(peak);
    c.silence_from(c.length_s() - quiet_s);
}

/// A little of everything after a silence, to be heard twice.
void compose_repeat(Canvas& c) {
    const double start_s = repeat_silence * c.length_s(), unit_s = (c.length_s() - start_s) / 8.0;
    add_noise(c.at(start_s, 0.6 * unit_s), c.rate(), 0.0, from_db(-10.0), c.random);
    add_tone(c.at(start_s + unit_s, 0.8 * unit_s), c.rate(), 196.0, from_db(-30.0));
    play_note(c, start_s + 2.0 * unit_s, 0.7, 0.9 * unit_s);
    play_note(c, start_s + 3.0 * unit_s, 0.1, 0.9 * unit_s);
    strum(c, start_s + 4.0 * unit_s, 1.0, 3.2 * unit_s);
    c.limit_peak(peak);
    c.silence_from(c.length_s() - 0.05 * unit_s);
}

struct Part {
    const char* name;
    double share; ///< of what lies between preamble and coda
    void (*compose)(Canvas&);
};
constexpr Part parts[] = {
    {"sweeps", 0.08, compose_sweeps},   {"noise", 0.10, compose_noise},     {"repeat", 0.04, compose_repeat},
    {"steps", 0.14, compose_steps},     {"release", 0.10, compose_release}, {"notes", 0.14, compose_notes},
    {"chords", 0.14, compose_chords},   {"phrases", 0.14, compose_phrases}, {"validation", 0.08, compose_phrases},
    {"repeat", 0.04, compose_repeat},
};

void compose_clicks(std::span<float> signal, const CaptureLayout& layout) {
    for (const std::size_t marker : layout.markers)
        add_click(signal.subspan(marker), layout.sample_rate, click_amplitude);
}

} // namespace

CaptureLayout capture_layout(int sample_rate, std::size_t length) {
    if (sample_rate < min_rate || sample_rate > max_rate)
        throw Error("no capture signal has a rate of " + std::to_string(sample_rate) + " Hz; use 8000 to 384000 Hz");
    const double seconds = static_cast<double>(length) / sample_rate;
    if (!(seconds >= capture_signal_min_s && seconds <= max_s))
        throw Error("a capture signal must be 20 s to 2 hours long; about 180 s is a good length");

    CaptureLayout layout;
    layout.sample_rate = sample_rate;
    layout.length = length;
    for (const double t : click_times_s) layout.markers.push_back(to_samples(t, sample_rate));
    const std::size_t body_end = length - to_samples(coda_s, sample_rate);
    for (const double t : click_times_s) layout.markers.push_back(body_end + to_samples(t, sample_rate));

    std::size_t at = to_samples(preamble_s, sample_rate);
    const auto body = static_cast<double>(body_end - at);
    layout.sections.push_back({"preamble", 0, at});
    for (const Part& part : parts) {
        const auto size = static_cast<std::size_t>(part.share * body);
        layout.sections.push_back({part.name, at, at + size});
        at += size;
    }
    layout.sections.push_back({"coda", at, length}); // with the few samples that rounding left
    std::vector<CaptureSection> repeats;
    for (const CaptureSection& section : layout.sections) {
        if (section.name == "validation") layout.validation = section;
        if (section.name == "repeat") repeats.push_back(section);
    }
    const auto silent = static_cast<std::size_t>(repeat_silence * static_cast<double>(repeats[0].size()));
    for (CaptureSection& r : repeats) r.begin += silent;
    layout.repeat_first = repeats[0];
    layout.repeat_second = repeats[1];
    return layout;
}

std::vector<float> capture_signal(int sample_rate, double seconds) try {
    if (!(seconds <= max_s)) seconds = max_s + 1.0; // also NaN: capture_layout says what is wrong
    const CaptureLayout layout = capture_layout(sample_rate, to_samples(std::max(seconds, 0.0), sample_rate));
    std::vector<float> signal(layout.length, 0.0f);
    compose_clicks(signal, layout);
    std::uint64_t seed = 1;
    for (std::size_t i = 0; i < std::size(parts); ++i) {
        const CaptureSection& section = layout.sections[i + 1];
        const auto part = std::span(signal).subspan(section.begin, section.size());
        Canvas canvas(part, sample_rate, parts[i].compose == compose_repeat ? 100 : seed++);
        parts[i].compose(canvas);
        canvas.fade_end();
    }
    return signal;
} catch (...) {
    rethrow_as_error("make a signal of that length");
}

std::optional<CaptureLayout> recognise(std::span<const float> dry, int sample_rate) {
    constexpr float tolerance = 1e-4f; // 16 bits with triangular dither are off by 4.6e-5 at most
    const double seconds = static_cast<double>(dry.size()) / std::max(sample_rate, 1);
    if (sample_rate < min_rate || sample_rate > max_rate || !(seconds >= capture_signal_min_s && seconds <= max_s))
        return {};
    const auto same = [&](const std::vector<float>& signal) {
        for (std::size_t i = 0; i < signal.size(); ++i)
            if (!(std::abs(signal[i] - dry[i]) <= tolerance)) return false;
        return true;
    };
    // The clicks alone dismiss any other file without composing the whole signal.
    const CaptureLayout layout = capture_layout(sample_rate, dry.size());
    std::vector<float> preamble(layout.sections.front().end, 0.0f);
    for (const std::size_t marker : layout.markers)
        if (marker < preamble.size()) add_click(std::span(preamble).subspan(marker), sample_rate, click_amplitude);
    if (!same(preamble) || !same(capture_signal(sample_rate, seconds))) return {};
    return layout;
}

CaptureLayout without_begin(CaptureLayout layout, std::size_t samples) {
    const auto earlier = [&](std::size_t at) { return at - std::min(at, samples); };
    const auto cut = [&](CaptureSection& s) { s.begin = earlier(s.begin), s.end = earlier(s.end); };
    std::erase_if(layout.markers, [&](std::size_t marker) { return marker < samples; });
    for (std::size_t& marker : layout.markers) marker -= samples;
    for (CaptureSection& section : layout.sections) cut(section);
    for (CaptureSection* section : {&layout.repeat_first, &layout.repeat_second, &layout.validation}) cut(*section);
    layout.length = earlier(layout.length);
    return layout;
}

double self_esr(std::span<const float> wet, const CaptureLayout& layout) {
    if (wet.size() < layout.repeat_second.end || layout.repeat_first.size() != layout.repeat_second.size())
        throw Error("the wet take is shorter than the capture signal, so that its repeated part cannot be compared");
    const auto part = [&](const CaptureSection& s) { return wet.subspan(s.begin, s.size()); };
    return esr(part(layout.repeat_first), part(layout.repeat_second));
}

} // namespace serpent
