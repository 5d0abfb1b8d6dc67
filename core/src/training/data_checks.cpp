// SPDX-License-Identifier: MIT
#include "training/data_checks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace serpent {
namespace {

constexpr float silent_peak = 1e-4f;      // -80 dBFS: below the hiss of any gear
constexpr float quiet_peak = 0.01f;       // -40 dBFS: 16 bits leave nine, and preamplifiers little but their hiss
constexpr std::size_t clipped_run = 3;    // samples in a row: a sine's peak touches its maximum for one or two
// The top of a slow wave is flat in 16 bits, too, but reached at less than 3 steps a sample; a clipped one is hit at speed.
constexpr float clipping_slope = 8.0f / 32768.0f;
constexpr float near_full_scale = 0.89f;  // -1 dBFS: where converters clip; elsewhere it is more likely the gear
constexpr double notable_dc = 0.01;

float peak_of(std::span<const float> x) {
    float peak = 0;
    for (const float v : x) peak = std::max(peak, std::abs(v));
    return peak;
}

double mean(std::span<const float> x) {
    double sum = 0;
    for (const float v : x) sum += double(v);
    return sum / double(std::max<std::size_t>(x.size(), 1));
}

std::string text(const char* format, double value) {
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, format, value);
    return buffer;
}

} // namespace

bool is_silent(std::span<const float> channel) { return !(peak_of(channel) >= silent_peak); }

std::size_t clipped_samples(std::span<const float> channel) {
    if (channel.empty()) return 0;
    const auto [low, high] = std::minmax_element(channel.begin(), channel.end());
    std::size_t clipped = 0;
    for (const float limit : {*low, *high}) {
        for (std::size_t i = 2; i < channel.size(); ++i) {
            if (channel[i] != limit) continue;
            std::size_t end = i;
            while (end < channel.size() && channel[end] == limit) ++end;
            // The step onto the limit is cut short; the one before it shows the speed.
            const float speed = std::max(std::abs(channel[i - 1] - channel[i - 2]), std::abs(limit - channel[i - 1]));
            if (end - i >= clipped_run && speed > clipping_slope) clipped += end - i;
            i = end;
        }
        if (*low == *high) break;
    }
    return clipped;
}

void check_levels(const AudioBuffer& audio, const std::filesystem::path& path, const char* knob,
                  std::vector<std::string>& notes) {
    for (std::size_t c = 0; c < audio.channels.size(); ++c) {
        const std::vector<float>& channel = audio.channels[c];
        const std::string name = (audio.channels.size() > 1 ? "channel " + std::to_string(c + 1) + " of " : "") + path.string();
        const float peak = peak_of(channel);
        if (const std::size_t clipped = clipped_samples(channel); clipped > 0 && peak >= near_full_scale && peak <= 1.0f)
            notes.push_back("warning: " + name + " is clipped at " + std::to_string(clipped) +
                            " samples; if that is not the gear itself, turn the " + knob + " level down and record again");
        else if (clipped > 0)
            notes.push_back("note: " + name + " stands still at its extremes for " + std::to_string(clipped) +
                            " samples" + text(" (peak %.3f)", peak) +
                            ": gear that clips hard, or a recording clipped before its level was changed");
        if (peak < quiet_peak)
            notes.push_back("warning: " + name + " is very quiet, its peak is " +
                            text("%.0f dBFS", 20 * std::log10(double(peak))) +
                            "; turn the " + knob + " level up and record again, or the model learns hiss and hum");
        if (const double dc = mean(channel); std::abs(dc) > notable_dc)
            notes.push_back("note: " + name + " has a DC offset of " + text("%.3f", dc));
    }
}

} // namespace serpent
