// SPDX-License-Identifier: MIT
// How good a capture is, as one HTML page to look at and listen to: it needs no other file and no network.
#pragma once

#include "serpent/metrics.h"
#include "serpent/training.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace serpent {

/// One line of the model's card, such as "Parameters" and "1,630".
struct ReportFact {
    std::string name, value;
};

/// Something that whoever made the capture should know.
struct ReportNote {
    enum class Severity { info, warning, error };
    Severity severity = Severity::info;
    std::string text;
};

/// A recording that the model was scored on, one channel. The three signals have one length, which may be 0.
struct ReportPart {
    std::string name;                  ///< "validation", "test"
    std::vector<float> dry, target, prediction;
    Metrics metrics;                   ///< as evaluate() gave them
    std::optional<double> self_esr{};  ///< how far the device agrees with itself, where the recording can tell
};

/// Texts are plain UTF-8; the page escapes them. Any of them may be empty, and any figure NaN.
struct ReportData {
    std::string title;     ///< the model's name
    std::string subtitle;  ///< such as the gear
    std::string command;   ///< the command line that made the model
    int sample_rate = 48000;
    std::vector<ReportFact> facts;
    std::vector<ReportNote> notes;
    std::vector<TrainPoint> curve;  ///< empty: the page has no training section
    std::vector<ReportPart> parts;  ///< the last one gives the verdict, so put the part nothing was tuned on there
};

/// What an ESR means in plain words, without a full stop: "hard to tell from the device by ear".
///
///     below .00003  practically identical to the device      below .03   close, but clearly audible side by side
///     below .0005   hard to tell from the device by ear      below .15   recognisable, but clearly different
///     below .005    very close: a careful listener may ...   otherwise   not a usable capture
std::string esr_in_words(double esr);

/// Writes the page, whole or not at all. Throws Error when the signals of a part differ in length or the file cannot
/// be written.
void write_report(const std::filesystem::path& path, const ReportData& data);

} // namespace serpent
