// SPDX-License-Identifier: MIT
#include "serpent/report.h"

#include "model/as_error.h"
#include "model/atomic_file.h"
#include "report/page_templates.h"
#include "report/part_data.h"
#include "report/summary.h"
#include "report/text.h"
#include "serpent/errors.h"

#include <nlohmann/json.hpp>

namespace serpent {

namespace {

using namespace report;

// Sound is most of a page that should stay below 6 MB; three signals take 0.2 to 0.4 MB a second.
constexpr std::size_t all_excerpts_bytes = 4'000'000;

void check(const ReportData& data) {
    if (data.sample_rate < 1)
        throw Error("cannot write a report for a sample rate of " + std::to_string(data.sample_rate) +
                    " Hz; give the real one");
    for (const ReportPart& part : data.parts) {
        if (part.dry.size() != part.target.size() || part.dry.size() != part.prediction.size())
            throw Error("cannot report on part '" + part.name +
                        "': its dry, target and prediction differ in length; cut them alike");
    }
}

std::string part_section(const ReportPart& part, const CleanPart& signals, std::size_t index, int sample_rate) {
    return filled(part_html, {{"index", std::to_string(index)},
                              {"name", part_title(part)},
                              {"length", length_in_words(part.target.size(), sample_rate)},
                              {"state", part.target.empty() ? "hidden" : ""},
                              {"damage", damage(signals)},
                              {"metrics", metrics_table(part, signals, sample_rate)}});
}

nlohmann::json curve_data(const std::vector<TrainPoint>& curve) {
    auto points = nlohmann::json::array();
    for (const TrainPoint& p : curve)
        points.push_back({{"step", p.step},
                          {"epoch", p.epoch},
                          {"train", p.train_loss},
                          {"valid", p.valid_esr},
                          {"rate", p.rate}});
    return points;
}

} // namespace

void write_report(const std::filesystem::path& path, const ReportData& data) try {
    check(data);
    std::string sections;
    nlohmann::json script_data = {{"sample_rate", data.sample_rate}, {"curve", curve_data(data.curve)}};
    script_data["parts"] = nlohmann::json::array();
    for (const ReportPart& part : data.parts) {
        const CleanPart signals = clean(part);
        sections += part_section(part, signals, script_data["parts"].size(), data.sample_rate);
        const std::size_t excerpt_bytes = all_excerpts_bytes / data.parts.size();
        script_data["parts"].push_back(part_data(part, signals, data.sample_rate, excerpt_bytes));
    }
    const std::string title = data.title.empty() ? "Capture report" : escaped(data.title);
    write_file_atomically(path, filled(page_html, {{"title", title},
                                                   {"subtitle", escaped(data.subtitle)},
                                                   {"style", std::string(style_css)},
                                                   {"script", std::string(script_js)},
                                                   {"verdict", verdict(data)},
                                                   {"contents", contents(data)},
                                                   {"facts", fact_list(data)},
                                                   {"notes", note_list(data)},
                                                   {"command", command_line(data)},
                                                   {"training", data.curve.empty() ? "hidden" : ""},
                                                   {"parts", sections},
                                                   {"data", script_json(script_data)}}));
} catch (...) {
    rethrow_as_error("write " + path.string());
}

} // namespace serpent
