// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/checks.h"

#include "serpent/audio_file.h"

#include <juce_core/juce_core.h>

#include <cmath>
#include <random>

namespace serpent::test {

void require(bool holds, const std::string& what) {
    if (!holds) throw Failed(what);
}

void require_close(const Planar& expected, const Planar& actual, double tolerance, const std::string& what, std::size_t from) {
    require(expected.size() == actual.size(), what + ": " + std::to_string(actual.size()) + " channels instead of " + std::to_string(expected.size()));
    for (std::size_t c = 0; c < expected.size(); ++c) {
        require(expected[c].size() == actual[c].size(), what + ": the lengths differ");
        double worst = 0.0;
        std::size_t place = 0;
        for (std::size_t t = from; t < expected[c].size(); ++t) {
            const double distance = std::abs(static_cast<double>(expected[c][t]) - actual[c][t]);
            if (distance <= worst) continue;
            worst = distance, place = t;
            if (std::isnan(distance)) break;
        }
        if (!(worst <= tolerance)) {
            char text[200];
            std::snprintf(text, sizeof text, ": %.3g off at sample %zu of channel %zu (%.9g instead of %.9g)", worst, place, c,
                          static_cast<double>(actual[c][place]), static_cast<double>(expected[c][place]));
            throw Failed(what + text);
        }
    }
}

double rms_distance(const Planar& a, const Planar& b) {
    double sum = 0.0, count = 0.0;
    for (std::size_t c = 0; c < a.size(); ++c)
        for (std::size_t t = 0; t < a[c].size(); ++t, ++count) {
            const double distance = static_cast<double>(a[c][t]) - b[c][t];
            sum += distance * distance;
        }
    return std::sqrt(sum / count);
}

void require_finite(const Planar& signal, const std::string& what) {
    for (const auto& channel : signal)
        for (const float x : channel) require(std::isfinite(x), what + ": a sample is not finite");
}

Planar music(std::size_t channels, std::size_t samples, double sample_rate_hz, std::uint32_t seed) {
    std::mt19937 random(seed);
    Planar signal(channels, std::vector<float>(samples));
    for (std::size_t c = 0; c < channels; ++c) {
        double frequency = 110.0, since = 0.0, phase = 0.0;
        for (std::size_t t = 0; t < samples; ++t) {
            if (since > 0.2) frequency = 82.4 * std::pow(2.0, static_cast<double>(random() % 25) / 12.0), since = 0.0;
            phase += 6.283185307 * frequency / sample_rate_hz, since += 1.0 / sample_rate_hz;
            const double noise = static_cast<double>(random()) / 2147483648.0 - 1.0;
            const double tone = std::sin(phase) + 0.5 * std::sin(2 * phase + 0.3) + 0.25 * std::sin(5 * phase);
            signal[c][t] = static_cast<float>(0.25 * std::exp(-6.0 * since) * (tone + 0.1 * noise));
        }
    }
    return signal;
}

Planar rendered(const Subject& subject, const std::filesystem::path& model, const Planar& in, int sample_rate_hz,
                const std::vector<std::string>& options) {
    const juce::TemporaryFile wav_in(".wav"), wav_out(".wav");
    const std::string from = wav_in.getFile().getFullPathName().toStdString(), to = wav_out.getFile().getFullPathName().toStdString();
    write_audio(from, AudioBuffer{sample_rate_hz, in, Subtype::float32}, Subtype::float32);
    juce::StringArray command{subject.serpent, "render", model.string(), from, "-o", to};
    for (const std::string& option : options) command.add(option);
    juce::ChildProcess process;
    require(process.start(command), "cannot start " + subject.serpent);
    const std::string said = process.readAllProcessOutput().toStdString();
    require(process.waitForProcessToFinish(60000) && process.getExitCode() == 0, "serpent render: " + said);
    return read_audio(to).channels;
}

} // namespace serpent::test
