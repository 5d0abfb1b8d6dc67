// SPDX-License-Identifier: GPL-3.0-or-later
// What a Stream's rate modes and its oversampling do to the sound, in figures for docs/benchmarks.md.
//
//   stream_quality sines OUT.wav            1 s of silence, then sines of 1 to 10 kHz, for a device to play
//   stream_quality aliasing WET.wav         what came back of them: energy that belongs to no harmonic
//   stream_quality aliasing MODEL.safetensors [OVERSAMPLING]
//   stream_quality signals MODEL            ns per sample on guitar-like sound and on what slows a careless engine down
//   stream_quality rates MODEL DRY WET      ESR at the rate of DRY and WET, by rate mode; MODEL may be of another rate
#include "serpent/audio_file.h"
#include "serpent/errors.h"
#include "serpent/metrics.h"
#include "serpent/stream.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <numbers>
#include <string>
#include <vector>

namespace {

using namespace serpent;

constexpr int rate_hz = 48000;
constexpr int sines_hz[] = {997, 1999, 3001, 4001, 5003, 6007, 7001, 8009, 9001, 9973};  // primes: images miss the harmonics
constexpr float amplitude = 0.25f;
constexpr std::size_t settle = rate_hz, window = rate_hz;  // a bin is 1 Hz
constexpr double step = 2 * std::numbers::pi / rate_hz;

std::vector<float> test_sines() {
    std::vector<float> signal(rate_hz, 0.0f);
    for (const int hz : sines_hz)
        for (std::size_t t = 0; t < settle + window; ++t)
            signal.push_back(amplitude * static_cast<float>(std::sin(step * hz * static_cast<double>(t))));
    return signal;
}

/// dB of what lies outside the harmonics of `hz` against the whole, of `window` samples under a Hann window (whose lines
/// are three bins wide). 0 Hz belongs to neither.
double outside_harmonics_db(const float* signal, int hz) {
    std::vector<double> x(window);
    double energy = 0.0;
    for (std::size_t t = 0; t < window; ++t) {
        x[t] = signal[t] * (0.5 - 0.5 * std::cos(step * static_cast<double>(t)));
        energy += x[t] * x[t];
    }
    const auto line = [&](int bin) {
        std::complex<double> sum = 0.0;
        for (std::size_t t = 0; t < window; ++t)
            sum += x[t] * std::polar(1.0, -step * static_cast<double>(static_cast<std::size_t>(bin) * t % window));
        return std::norm(sum) / static_cast<double>(window);
    };
    const double dc = line(0) + 2 * line(1);
    double harmonics = 0.0;
    for (int h = hz; h + 1 < rate_hz / 2; h += hz) harmonics += 2 * (line(h - 1) + line(h) + line(h + 1));
    const double whole = energy - dc;
    return 10 * std::log10(std::max(whole - harmonics, 1e-16 * whole) / whole);
}

std::vector<float> play(Stream& stream, const std::vector<float>& in) {
    std::vector<float> out(in.size());
    for (std::size_t at = 0; at < in.size(); at += 64) {
        const float* from = in.data() + at;
        float* to = out.data() + at;
        stream.process(&from, &to, static_cast<int>(std::min<std::size_t>(64, in.size() - at)));
    }
    return out;
}

void print_aliasing(const std::vector<float>& wet) {
    if (wet.size() < test_sines().size()) throw Error("The recording is shorter than the sines.");
    double sum = 0.0;
    for (std::size_t i = 0; i < std::size(sines_hz); ++i) {
        const double db = outside_harmonics_db(wet.data() + rate_hz + i * (settle + window) + settle, sines_hz[i]);
        std::printf(" %.0f |", db);
        sum += std::pow(10, db / 10);
    }
    std::printf(" %.0f |", 10 * std::log10(sum / static_cast<double>(std::size(sines_hz))));
}

void aliasing(const std::string& file, int oversampling) {
    if (!file.ends_with(".safetensors")) {
        print_aliasing(read_mono(file, rate_hz));
        std::printf(" | |\n");
        return;
    }
    Stream stream(std::make_shared<const Model>(Model::load(file)), {.oversampling = oversampling});
    stream.prepare(rate_hz, 64);
    const auto in = test_sines();
    double best_ns = 1e30;
    for (int i = 0; i < 200; ++i) {
        const std::vector<float> part(in.begin() + rate_hz, in.begin() + rate_hz + 1024);
        const auto start = std::chrono::steady_clock::now();
        play(stream, part);
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
        best_ns = std::min(best_ns, took.count() / 1024);
    }
    stream.reset();
    print_aliasing(play(stream, in));
    std::printf(" %.0f | %d |\n", best_ns, stream.latency_samples());
}

/// The signals take turns, so that a busy machine hits all of them alike; every one plays on from where it was.
void signals(const std::string& model_file) {
    struct Signal {
        const char* name;
        float (*sample)(int t);
        Stream stream;
        std::vector<double> ns;
    };
    const auto model = std::make_shared<const Model>(Model::load(model_file));
    const auto decaying = [](int t) { return std::exp(-static_cast<float>(t % 24000) / 3000) * std::sin(0.03f * static_cast<float>(t)); };
    Signal all[] = {{"plucked notes", +decaying, Stream(model), {}},
                    {"silence", +[](int) { return 0.0f; }, Stream(model), {}},
                    {"denormals", +[](int t) { return t % 2 ? 1e-40f : -3e-42f; }, Stream(model), {}},
                    {"DC 0.9", +[](int) { return 0.9f; }, Stream(model), {}},
                    {"a fade into nothing", +[](int t) { return std::exp(-static_cast<float>(t) / 2000); }, Stream(model), {}},
                    {"1e30", +[](int t) { return t % 2 ? 1e30f : -1e30f; }, Stream(model), {}},
                    {"NaN", +[](int) { return NAN; }, Stream(model), {}}};
    std::vector<float> block(4096);
    for (int turn = 0; turn < 100; ++turn)  // 8.5 s of each
        for (Signal& signal : all) {
            for (int t = 0; t < 4096; ++t) block[static_cast<std::size_t>(t)] = signal.sample(turn * 4096 + t);
            const auto start = std::chrono::steady_clock::now();
            play(signal.stream, block);
            const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
            signal.ns.push_back(took.count() / 4096);
        }
    std::printf("| signal | median |\n|---|---|\n");
    for (Signal& signal : all) {
        std::nth_element(signal.ns.begin(), signal.ns.begin() + 50, signal.ns.end());
        std::printf("| %s | %.0f |\n", signal.name, signal.ns[50]);
    }
}

void rates(const std::string& model_file, const std::string& dry_file, const std::string& wet_file) {
    const auto model = std::make_shared<const Model>(Model::load(model_file));
    const AudioBuffer dry = read_audio(dry_file), wet = read_audio(wet_file);
    std::printf("%s at %d Hz", model_file.c_str(), dry.sample_rate);
    for (const RateMode mode : {RateMode::scale_dt, RateMode::resample}) {
        Stream stream(model, {.rate_mode = mode});
        stream.prepare(dry.sample_rate, 64);
        std::vector<float> in = dry.channels[0];
        const auto late = static_cast<std::ptrdiff_t>(stream.latency_samples());
        in.resize(in.size() + static_cast<std::size_t>(late), 0.0f);
        std::vector<float> out = play(stream, in);
        out.erase(out.begin(), out.begin() + late);
        const Metrics m = evaluate(dry.channels[0], wet.channels[0], out, dry.sample_rate);
        std::printf("  %s: ESR %.2g, pre-emphasised %.2g, envelope %.2f dB, %td samples late",
                    mode == RateMode::resample ? "resample" : "scale_dt", m.esr, m.esr_pre, m.envelope_rms_db, late);
    }
    std::printf("\n");
}

} // namespace

int main(int count, char** arguments) {
    const std::vector<std::string> words(arguments + 1, arguments + count);
    try {
        if (words.size() == 2 && words[0] == "sines")
            write_audio(words[1], {rate_hz, {test_sines()}, Subtype::float32}, Subtype::float32);
        else if ((words.size() == 2 || words.size() == 3) && words[0] == "aliasing")
            aliasing(words[1], words.size() == 3 ? std::atoi(words[2].c_str()) : 1);
        else if (words.size() == 2 && words[0] == "signals")
            signals(words[1]);
        else if (words.size() == 4 && words[0] == "rates")
            rates(words[1], words[2], words[3]);
        else
            throw Error("usage: stream_quality sines OUT.wav | aliasing WET.wav | aliasing MODEL [OVERSAMPLING] | "
                        "signals MODEL | rates MODEL DRY WET");
    } catch (const std::exception& error) {
        std::cerr << "stream_quality: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
