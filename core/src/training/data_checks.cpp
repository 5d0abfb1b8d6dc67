// SPDX-License-Identifier: MIT
#include "training/data_checks.h"

#include "serpent/errors.h"

#include <cmath>
#include <cstdio>

namespace serpent {
namespace {

constexpr double shortest_s = 2.0;
constexpr double silent_rms = 1e-4;     // -80 dBFS: below the hiss of any gear
constexpr float full_scale = 0.9995f;   // what 12-bit and better converters give at their limit
constexpr int clipped_run = 3;          // samples in a row at full scale: a sine's peak touches it for one or two
constexpr double notable_dc = 0.01;

double rms(const std::vector<float>& v) {
    double sum = 0;
    for (const float x : v) sum += double(x) * double(x);
    return std::sqrt(sum / double(v.size()));
}

std::size_t clipped_samples(const std::vector<float>& v) {
    std::size_t clipped = 0;
    int run = 0;
    for (const float x : v) {
        run = std::abs(x) >= full_scale ? run + 1 : 0;
        if (run >= clipped_run) clipped += run == clipped_run ? clipped_run : 1;
    }
    return clipped;
}

double mean(const std::vector<float>& v) {
    double sum = 0;
    for (const float x : v) sum += double(x);
    return sum / double(v.size());
}

void check_side(const AudioBuffer& audio, const std::filesystem::path& path, const char* what,
                std::vector<std::string>& notes) {
    for (const std::vector<float>& channel : audio.channels) {
        if (!(rms(channel) >= silent_rms))
            throw Error(path.string() + " is silent (below -80 dBFS); check the cable and the level, and record again.");
        if (const std::size_t clipped = clipped_samples(channel); clipped > 0)
            notes.push_back("warning: " + path.string() + " is clipped at " + std::to_string(clipped) +
                            " samples; if that is not the gear itself, turn the " + what + " level down and record again");
        if (const double dc = mean(channel); std::abs(dc) > notable_dc) {
            char text[32];
            std::snprintf(text, sizeof text, "%.3f", dc);
            notes.push_back("note: " + path.string() + " has a DC offset of " + text);
        }
    }
}

} // namespace

void check_pair(const AudioBuffer& dry, const AudioBuffer& wet, const std::filesystem::path& dry_path,
                const std::filesystem::path& wet_path, std::vector<std::string>& notes) {
    const std::string d = dry_path.string(), w = wet_path.string();
    if (dry.sample_rate != wet.sample_rate)
        throw Error(d + " has " + std::to_string(dry.sample_rate) + " Hz and " + w + " " +
                    std::to_string(wet.sample_rate) + " Hz; record or convert both at one rate.");
    if (dry.channels.size() != wet.channels.size())
        throw Error(d + " has " + std::to_string(dry.channels.size()) + " channels and " + w + " " +
                    std::to_string(wet.channels.size()) + "; give both the same number, best one.");
    if (wet.frames() < dry.frames())
        throw Error(w + " is shorter than " + d + " (" + std::to_string(wet.frames()) + " of " +
                    std::to_string(dry.frames()) + " samples); record until the dry has played to its end, or trim the dry.");
    if (double(dry.frames()) < shortest_s * dry.sample_rate)
        throw Error(d + " is shorter than 2 s; record at least some seconds, better three minutes.");
    if (wet.frames() > dry.frames())
        notes.push_back("note: " + w + " is " + std::to_string(wet.frames() - dry.frames()) +
                        " samples longer than the dry; its end is not used");
    check_side(dry, dry_path, "playback", notes);
    check_side(wet, wet_path, "recording", notes);
}

} // namespace serpent
