// SPDX-License-Identifier: MIT
// How a generator's training went and what it sounds like, as one HTML page that needs no other file and no network.
#pragma once

#include "serpent/generator_training.h"
#include "serpent/report.h"

namespace serpent {

/// A piece of audio to look at and listen to, such as "temperature 0.9" or "a recording".
struct GeneratorSample {
    std::string name;
    std::vector<float> audio;
};

/// Texts are plain UTF-8; the page escapes them. Any of them may be empty.
struct GeneratorReportData {
    std::string title, subtitle;
    std::string command;  ///< the command line that made the model
    int sample_rate = 16000;
    std::vector<ReportFact> facts;
    std::vector<ReportNote> notes;
    std::vector<GeneratorPoint> curve;
    std::vector<GeneratorSample> samples;
};

/// Writes the page, whole or not at all. Throws Error when it cannot be written.
void write_report(const std::filesystem::path& path, const GeneratorReportData& data);

} // namespace serpent
