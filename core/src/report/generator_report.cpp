// SPDX-License-Identifier: MIT
#include "serpent/generator_report.h"

#include "model/as_error.h"
#include "model/atomic_file.h"
#include "report/page_templates.h"
#include "report/sound_file.h"
#include "report/spectrogram.h"
#include "report/summary.h"
#include "report/text.h"
#include "serpent/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace serpent {

namespace {

using namespace report;

std::string sample_section(const GeneratorSample& sample, std::size_t index, int sample_rate) {
    float peak = 0;
    for (const float v : sample.audio) peak = std::max(peak, std::abs(v));
    const std::vector<std::uint8_t> file = sound_file(sample.audio, sample_rate, peak > 1 ? 1 / double(peak) : 1.0);
    const bool flac = file.size() > 4 && std::equal(file.begin(), file.begin() + 4, "fLaC");
    return "<h3>" + escaped(sample.name) + "</h3>\n<audio controls preload=\"none\" aria-label=\"" + escaped(sample.name) +
           "\" src=\"data:audio/" + (flac ? "flac" : "wav") + ";base64," + base64(file) +
           "\"></audio>\n<div class=\"spectrograms\" data-sample=\"" + std::to_string(index) + "\"></div>\n";
}

nlohmann::json sample_data(const GeneratorSample& sample, int sample_rate) {
    const Spectrogram spectrogram(sample.audio, sample_rate);
    const double loudest = spectrogram.loudest();
    return {{"name", valid_utf8(sample.name)},
            {"samples", sample.audio.size()},
            {"spectrogram",
             {{"columns", spectrogram.layout().columns},
              {"rows", spectrogram.layout().rows},
              {"highest_hz", spectrogram.layout().highest_hz},
              {"range_db", spectrogram_range_db},
              {"levels", base64(spectrogram.levels(loudest > 0 ? loudest : 1.0))}}}};
}

} // namespace

void write_report(const std::filesystem::path& path, const GeneratorReportData& data) try {
    ReportData texts;  // of which the page's common parts are made
    texts.facts = data.facts;
    texts.notes = data.notes;
    texts.command = data.command;
    nlohmann::json script_data = {{"sample_rate", data.sample_rate}};
    script_data["curve"] = nlohmann::json::array();
    for (const GeneratorPoint& p : data.curve)
        script_data["curve"].push_back({{"epoch", p.epoch}, {"train", p.train_bits}, {"valid", p.valid_bits}});
    script_data["samples"] = nlohmann::json::array();
    std::string sections;
    for (const GeneratorSample& sample : data.samples) {
        if (sample.audio.empty()) continue;
        sections += sample_section(sample, script_data["samples"].size(), data.sample_rate);
        script_data["samples"].push_back(sample_data(sample, data.sample_rate));
    }
    write_file_atomically(path, filled(generator_html, {{"title", data.title.empty() ? "Generator" : escaped(data.title)},
                                                        {"subtitle", escaped(data.subtitle)},
                                                        {"style", std::string(style_css)},
                                                        {"script", std::string(generator_js)},
                                                        {"facts", fact_list(texts)},
                                                        {"notes", note_list(texts)},
                                                        {"command", command_line(texts)},
                                                        {"training", data.curve.empty() ? "hidden" : ""},
                                                        {"samples", sections},
                                                        {"data", script_json(script_data)}}));
} catch (...) {
    rethrow_as_error("write " + path.string());
}

} // namespace serpent
