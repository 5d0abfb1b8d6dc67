// SPDX-License-Identifier: MIT
#include "report/summary.h"

#include "report/text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace serpent {

std::string esr_in_words(double esr) {
    if (!std::isfinite(esr)) return "not a usable capture: the output is not a number";
    if (esr < 0.00003) return "practically identical to the device";
    if (esr < 0.0005) return "hard to tell from the device by ear";
    if (esr < 0.005) return "very close: a careful listener may hear a difference side by side";
    if (esr < 0.03) return "close, but clearly audible side by side";
    if (esr < 0.15) return "recognisable, but clearly different";
    return "not a usable capture";
}

namespace report {

namespace {

/// Above this rms error of level, a held note swells or sags audibly differently whatever the ESR says.
constexpr double audible_level_error_db = 1.0;

/// "39 dB", the distance of the error below the signal.
std::string distance_db(double esr) {
    return std::to_string(std::lround(-10.0 * std::log10(std::max(esr, 1e-12)))) + " dB";
}

/// Red to green in four steps, for the page's colours.
const char* grade(double esr) {
    if (!(esr < 0.15)) return "bad";
    if (!(esr < 0.03)) return "poor";
    return esr < 0.0005 ? "excellent" : "good";
}

std::string remarks(const ReportPart& part) {
    const Metrics& m = part.metrics;
    std::string text;
    if (std::isfinite(m.esr) && m.esr > 0 && m.esr < 1) {
        text += "The error is " + distance_db(m.esr) + " below the sound itself";
        if (m.static_gain_esr > 0 && m.static_gain_esr < 1)
            text += "; turning the dry guitar up or down alone would leave it at " + distance_db(m.static_gain_esr);
        text += ". ";
    }
    if (m.static_gain_esr > 0 && m.esr >= m.static_gain_esr)
        text += "That is no better than a volume knob: the training did not find the device. ";
    if (part.self_esr && m.esr <= 2.0 * *part.self_esr)
        text += "The device differs from itself by ESR " + figure(*part.self_esr, 2) +
                " when it plays the same part twice, so there is little left to learn. ";
    if (m.envelope_rms_db >= audible_level_error_db)
        text += "Its level strays by " + figure(m.envelope_rms_db, 2) + " dB rms: listen to held and decaying notes. ";
    return text;
}

struct Row {
    const char* name;
    const char* unit;
    const char* meaning;
    double model;
    std::optional<double> static_gain;
};

std::string cell(std::optional<double> value, const char* unit) {
    if (!value) return "<td class=\"number\">\u2013</td>";
    return "<td class=\"number\">" + figure(*value) + (std::isfinite(*value) ? unit : "") + "</td>";
}

} // namespace

std::string part_title(const ReportPart& part) { return part.name.empty() ? "Scored part" : escaped(part.name); }

std::string verdict(const ReportData& data) {
    if (data.parts.empty()) return "<p class=\"verdict\">Nothing was scored.</p>";
    const ReportPart& part = data.parts.back();
    if (part.target.empty()) return "<p class=\"verdict\">" + part_title(part) + " is empty: nothing was scored.</p>";
    const bool finite = std::all_of(part.prediction.begin(), part.prediction.end(),
                                    [](float x) { return std::isfinite(x); });
    const double esr = finite ? part.metrics.esr : std::numeric_limits<double>::quiet_NaN();
    std::string html = "<p class=\"verdict ";
    html += grade(esr);
    html += "\"><strong>ESR " + figure(esr, 2) + ": " + escaped(esr_in_words(esr)) + ".</strong> <span>Scored on " +
            part_title(part) + ", every sample. " + escaped(remarks(part)) + "</span></p>";
    return html;
}

std::string fact_list(const ReportData& data) {
    std::string html;
    for (const ReportFact& fact : data.facts) {
        html += "<div><dt>" + escaped(fact.name) + "</dt>";
        html += "<dd>" + escaped(fact.value) + "</dd></div>\n";
    }
    return html.empty() ? html : "<dl class=\"facts\">\n" + html + "</dl>";
}

std::string note_list(const ReportData& data) {
    std::string html;
    for (const ReportNote& note : data.notes) {
        const auto [style, label] = note.severity == ReportNote::Severity::error     ? std::pair("error", "Error")
                                    : note.severity == ReportNote::Severity::warning ? std::pair("warning", "Warning")
                                                                                     : std::pair("info", "Note");
        html += "<li class=\"" + std::string(style) + "\"><strong>" + label + "</strong> ";
        html += escaped(note.text) + "</li>\n";
    }
    return html.empty() ? html : "<ul class=\"notes\">\n" + html + "</ul>";
}

std::string command_line(const ReportData& data) {
    if (data.command.empty()) return {};
    return "<h3>Made with</h3>\n<pre tabindex=\"0\"><code>" + escaped(data.command) + "</code></pre>";
}

std::string contents(const ReportData& data) {
    if (data.parts.empty()) return {};
    std::string html = "<nav aria-label=\"Sections\">";
    if (!data.curve.empty()) html += "<a href=\"#training\">Training</a>";
    for (std::size_t i = 0; i < data.parts.size(); ++i)
        html += "<a href=\"#part-" + std::to_string(i) + "\">" + part_title(data.parts[i]) + "</a>";
    return html + "</nav>";
}

std::string metrics_table(const ReportPart& part, const CleanPart& signals, int sample_rate) {
    const Metrics& m = part.metrics;
    std::optional<Metrics> knob; // a dry signal times the best constant gain
    if (!signals.target.empty()) {
        std::vector<float> scaled = signals.dry;
        const double gain = least_squares_gain(signals.dry, signals.target);
        for (float& x : scaled) x = static_cast<float>(gain * x);
        knob = evaluate(signals.dry, signals.target, scaled, sample_rate);
    }
    const auto of_knob = [&](double Metrics::*field) { return knob ? std::optional((*knob).*field) : std::nullopt; };
    const Row rows[] = {
        {"ESR", "",
         "Energy of the error over energy of the device's sound, every sample counted. Smaller is better.",
         m.esr, m.static_gain_esr},
        {"ESR, pre-emphasised", "",
         "The same with treble given more weight, nearer to how pick attack and fizz are heard.",
         m.esr_pre, of_knob(&Metrics::esr_pre)},
        {"MR-STFT", "",
         "Distance of the spectra at three time scales: tone, whatever the phase. Quiet hiss counts too.",
         m.mrstft, of_knob(&Metrics::mrstft)},
        {"Level error, rms", " dB",
         "How far the loudness strays over 100 ms windows: how well compression and sag are followed.",
         m.envelope_rms_db, of_knob(&Metrics::envelope_rms_db)},
        {"Level error, largest", " dB",
         "The worst of those windows, often the attack or the tail of a note.",
         m.envelope_max_db, of_knob(&Metrics::envelope_max_db)},
    };
    std::string html = "<div class=\"scroll\"><table class=\"metrics\"><thead><tr><th scope=\"col\">Figure</th>"
                       "<th scope=\"col\" class=\"number\">This model</th>"
                       "<th scope=\"col\" class=\"number\">Volume knob</th>"
                       "<th scope=\"col\">What it says</th></tr></thead>\n<tbody>\n";
    const auto add = [&](const Row& row) {
        html += "<tr><th scope=\"row\">" + std::string(row.name) + "</th>" + cell(row.model, row.unit) +
                cell(row.static_gain, row.unit) + "<td>" + row.meaning + "</td></tr>\n";
    };
    for (const Row& row : rows) add(row);
    if (part.self_esr)
        add({"Self-ESR", "",
             "How far the device agrees with itself when it plays one part twice: no model can do better.",
             *part.self_esr, std::nullopt});
    return html + "</tbody></table></div>\n"
                  "<p class=\"hint\">Volume knob: the dry signal times the best constant gain (" +
           figure(m.static_gain) + "), which is what doing nothing clever reaches.</p>";
}

std::string damage(const CleanPart& signals) {
    std::string html;
    const auto tell = [&](const char* name, std::size_t bad) {
        if (bad > 0)
            html += "<li class=\"error\"><strong>Error</strong> " + std::to_string(bad) + " samples of the " + name +
                    " signal are not finite numbers or are far out of range; they are drawn and played as "
                    "silence.</li>\n";
    };
    tell("dry", signals.bad_dry);
    tell("target", signals.bad_target);
    tell("model's", signals.bad_prediction);
    return html.empty() ? html : "<ul class=\"notes\">\n" + html + "</ul>";
}

std::string length_in_words(std::size_t samples, int sample_rate) {
    if (samples == 0) return "This part is empty.";
    return figure(static_cast<double>(samples) / sample_rate) + " s at " + std::to_string(sample_rate) + " Hz";
}

} // namespace report
} // namespace serpent
