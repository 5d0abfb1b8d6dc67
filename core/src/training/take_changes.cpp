// SPDX-License-Identifier: MIT
#include "training/take_changes.h"

#include <cmath>
#include <cstdio>

namespace serpent {

namespace {

constexpr int least_sample_rate = 4000;  // below, the bands that are looked at are not there

std::string text(const char* format, double value) {
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, format, value);
    return buffer;
}

} // namespace

TakeChanges find_changes(std::span<const float> dry, std::span<const float> wet, int sample_rate) {
    TakeChanges found;
    if (sample_rate < least_sample_rate) return found;
    find_repetition(dry, wet, sample_rate, found);
    // What repeats fills the pauses with what was played before, which looks like a step where louder playing begins.
    if (!found.echo && !found.reverberation_db) found.steps = find_steps(dry, wet, sample_rate);
    return found;
}

std::vector<std::string> describe(const TakeChanges& found, const std::string& wet_name, std::size_t dry_begin,
                                  int sample_rate) {
    std::vector<std::string> notes;
    for (const TakeChanges::Step& step : found.steps) {
        std::string where;
        if (step.high_hz > 0) where = " between " + text("%.0f", step.low_hz) + " and " + text("%.0f Hz", step.high_hz);
        notes.push_back("warning: from " + text("%.1f s", double(dry_begin + step.at_sample) / sample_rate) + " on " + wet_name +
                        " is " + text("%.1f dB ", std::abs(step.gain_db)) + (step.gain_db > 0 ? "louder" : "softer") + where +
                        " than before where the dry plays the same: a knob was moved, or the gear changes by itself; if it "
                        "is not the gear, record again, or cut both recordings there and train on the longer part");
    }
    if (found.echo)
        notes.push_back("warning: " + wet_name + " repeats itself after " + text("%.3f s", found.echo->delay_s) + " at " +
                        text("%.0f dB", found.echo->level_db) +
                        ": a delay was left on, which a capture cannot learn; switch it off and record again");
    if (found.reverberation_db)
        notes.push_back("warning: " + wet_name + " reverberates, at " + text("%.0f dB", *found.reverberation_db) +
                        " from 0.05 to 0.4 s after the sound: a reverb was left on, or it is the room, which a capture cannot "
                        "learn; switch it off, or move the microphone closer, and record again");
    return notes;
}

} // namespace serpent
