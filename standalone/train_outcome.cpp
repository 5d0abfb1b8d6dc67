// SPDX-License-Identifier: GPL-3.0-or-later
#include "train_outcome.h"
#include "json_text.h"

#include "serpent/errors.h"
#include "serpent/kernels/peak.h"
#include "serpent/render_file.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>

namespace {

using serpent::TrainingTake;

std::vector<std::vector<float>> play(const std::shared_ptr<const serpent::Model>& model, const TrainingTake& take,
                                     float gain = 1.0f) {
    serpent::AudioBuffer dry{model->config.sample_rate, take.dry};
    for (auto& channel : dry.channels)
        for (float& v : channel) v *= gain;
    serpent::RendererOptions options;
    options.controls = take.controls;
    return serpent::render_audio(model, dry, options).channels;
}

double rms(const std::vector<float>& v) {
    double sum = 0;
    for (const float x : v) sum += double(x) * double(x);
    return std::sqrt(sum / double(std::max<std::size_t>(1, v.size())));
}

/// Level of the output for a recording brought to -18 dBFS rms.
std::optional<double> loudness_db(const std::shared_ptr<const serpent::Model>& model, const TrainingTake& take) {
    const double level = rms(take.dry.front());
    if (!(level > 0)) return std::nullopt;
    const auto out = play(model, take, static_cast<float>(std::pow(10.0, -18.0 / 20) / level));
    const double loudness = 20 * std::log10(rms(out.front()));
    return std::isfinite(loudness) ? std::optional(loudness) : std::nullopt;
}

std::string number(const char* format, double value) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

/// Plays the validation part.
TrainOutcome score(const std::shared_ptr<const serpent::Model>& model, const serpent::TrainingData& data) {
    TrainOutcome outcome{*model, {}, {}};
    std::vector<serpent::Metrics> all;
    for (const TrainingTake& take : data.set->valid) {
        const auto prediction = play(model, take);
        std::vector<serpent::Metrics> channels;
        for (std::size_t c = 0; c < prediction.size(); ++c)
            channels.push_back(serpent::evaluate(take.dry[c], take.wet[c], prediction[c], data.set->sample_rate));
        std::string name = "validation";
        if (!take.controls.empty()) name = serpent::describe_controls(data.set->controls, take.controls);
        outcome.parts.push_back({name, take.dry[0], take.wet[0], prediction[0], serpent::mean(channels), data.self_esr});
        all.push_back(outcome.parts.back().metrics);
    }
    outcome.mean = serpent::mean(all);
    return outcome;
}

} // namespace

TrainOutcome assess(const serpent::Trainer& trainer, const serpent::TrainingData& data, double wall_s,
                    serpent::Metadata metadata, const std::filesystem::path& output, const std::string& command_line) {
    TrainOutcome outcome = score(std::make_shared<serpent::Model>(trainer.best_model()), data);
    const auto model = std::make_shared<serpent::Model>(outcome.model);
    if (metadata.name.empty()) metadata.name = output.stem().string();
    if (!data.set->valid.empty()) metadata.loudness_db = loudness_db(model, data.set->valid.front());
    std::size_t samples = 0;
    for (const TrainingTake& take : data.set->train) samples += take.dry.front().size();
    const serpent::TrainOptions& options = trainer.options();
    const nlohmann::json record{{"command", command_line},
                                {"samples", samples},
                                {"sample_rate", data.set->sample_rate},
                                {"takes", data.set->train.size()},
                                {"latency_samples", data.latency_samples},
                                {"seed", options.seed},
                                {"steps", trainer.steps_done()},
                                {"steps_planned", options.schedule.steps},
                                {"seconds", std::round(wall_s)},
                                {"valid",
                                 {{"esr", outcome.mean.esr},
                                  {"esr_pre", outcome.mean.esr_pre},
                                  {"mrstft", outcome.mean.mrstft},
                                  {"envelope_rms_db", outcome.mean.envelope_rms_db},
                                  {"envelope_max_db", outcome.mean.envelope_max_db},
                                  {"static_gain_esr", outcome.mean.static_gain_esr}}}};
    metadata.training = json_text(record);
    outcome.model.metadata = std::move(metadata);
    return outcome;
}

bool is_as_good(const TrainOutcome& outcome, const std::filesystem::path& other, const serpent::TrainingData& data) {
    try {
        const auto model = std::make_shared<serpent::Model>(serpent::Model::load(other));
        const serpent::ModelConfig &a = outcome.model.config, &b = model->config;
        if (a.sample_rate != b.sample_rate || a.channels != b.channels || a.controls != b.controls) return false;
        return outcome.mean.esr <= score(model, data).mean.esr;
    } catch (const serpent::Error&) {
        return false;  // no model of this device: nothing to compare with
    }
}

void print_outcome(const TrainOutcome& outcome, const serpent::Trainer& trainer, std::int64_t steps, double wall_s) {
    const serpent::Metrics& m = outcome.mean;
    const double share = double(steps) / std::max(wall_s, 1e-3);  // of a step in a second
    std::printf("%-32s %s\n", "steps", std::to_string(trainer.steps_done()).c_str());
    std::printf("%-32s %.0f s, some %.2f M samples/s", "time", wall_s, share * trainer.samples_per_step() / 1e6);
    if (trainer.device() == "cpu") {
        const auto isa = serpent::kernels::default_isa();
        const double peak_per_s = 1e9 * trainer.threads() * serpent::kernels::measure_peak_macs_per_ns(isa);
        std::printf(", %.0f %% of the multiply-adds that %d %s can do\n",
                    100 * share * trainer.multiply_accumulates_per_step() / peak_per_s, trainer.threads(),
                    trainer.threads() == 1 ? "core" : "cores");
    } else {
        std::printf(" on %s\n", trainer.device().c_str());
    }
    std::printf("%-32s %.3g   (a static gain: %.3g)\n", "ESR on the validation part", m.esr, m.static_gain_esr);
    std::printf("%-32s %.3g\n", "ESR, pre-emphasised", m.esr_pre);
    std::printf("%-32s %.3g\n", "MR-STFT", m.mrstft);
    std::printf("%-32s %.2f dB rms, %.2f dB at most\n", "envelope error", m.envelope_rms_db, m.envelope_max_db);
    std::fflush(stdout);
}

void write_train_report(const std::filesystem::path& path, const TrainOutcome& outcome, const serpent::Trainer& trainer,
                        const serpent::TrainingData& data, const std::string& command_line) {
    const serpent::ModelConfig& c = outcome.model.config;
    serpent::ReportData report;
    report.title = outcome.model.metadata.name;
    report.subtitle = outcome.model.metadata.gear;
    report.command = command_line;
    report.sample_rate = c.sample_rate;
    report.facts = {
        {"Author", outcome.model.metadata.author},
        {"Licence", outcome.model.metadata.license},
        {"Parameters", std::to_string(outcome.model.parameter_count())},
        {"Multiply-accumulates per sample", std::to_string(outcome.model.macs_per_sample())},
        {"Shape", "d_model " + std::to_string(c.d_model) + ", d_inner " + std::to_string(c.d_inner()) + ", d_state " +
                      std::to_string(c.d_state) + ", " + std::to_string(c.n_layers) + " layers"},
        {"Sample rate", std::to_string(c.sample_rate) + " Hz"},
        {"Updates", std::to_string(trainer.steps_done())},
        {"Latency removed from the recording", std::to_string(data.latency_samples) + " samples"},
    };
    std::erase_if(report.facts, [](const serpent::ReportFact& fact) { return fact.value.empty(); });
    if (data.self_esr)
        report.facts.push_back({"How far the gear agrees with itself (ESR)", number("%.3g", *data.self_esr)});
    for (const std::string& note : data.notes) report.notes.push_back({serpent::ReportNote::Severity::info, note});
    if (const std::string diverged = trainer.divergence(); !diverged.empty())
        report.notes.push_back({serpent::ReportNote::Severity::warning, diverged});
    report.curve = trainer.curve();
    report.parts = outcome.parts;
    if (report.parts.size() > 3) report.parts.resize(3);  // the page carries their audio
    serpent::write_report(path, report);
}
