// SPDX-License-Identifier: GPL-3.0-or-later
#include "generator_outcome.h"
#include "json_text.h"

#include "serpent/errors.h"
#include "serpent/generator.h"
#include "serpent/generator_report.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace {

constexpr double sample_s = 5.0;  // of each sample in the report

/// rms in dBFS of the loudest second, or of the loudest recording where all are shorter.
double loudest_second_db(const serpent::GeneratorData& data) {
    double loudest = 0;
    for (const serpent::GeneratorRecording& r : data.train) {
        const std::size_t window = std::min(r.classes.size(), static_cast<std::size_t>(data.sample_rate));
        double sum = 0;
        std::vector<double> power(r.classes.size());
        for (std::size_t t = 0; t < r.classes.size(); ++t) {
            power[t] = std::pow(double(serpent::mu_law_sample(r.classes[t])), 2);
            sum += power[t] - (t >= window ? power[t - window] : 0.0);
            if (t + 1 >= window) loudest = std::max(loudest, sum / double(window));
        }
    }
    return 10 * std::log10(std::max(loudest, 1e-12));
}

std::vector<float> recordings_in_a_row(const serpent::GeneratorData& data) {
    std::vector<float> audio;
    const std::size_t wanted = static_cast<std::size_t>(sample_s * data.sample_rate);
    for (const serpent::GeneratorRecording& r : data.valid)
        for (const std::uint8_t c : r.classes)
            if (audio.size() < wanted) audio.push_back(serpent::mu_law_sample(c));
    return audio;
}

std::string number(const char* format, double value) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::vector<serpent::ReportFact> facts(const GeneratorOutcome& outcome, const serpent::GeneratorTrainer& trainer) {
    const serpent::GeneratorModel& model = outcome.model;
    std::vector<serpent::ReportFact> list{
        {"Sample rate", std::to_string(model.config.sample_rate) + " Hz"},
        {"Parameters", std::to_string(model.parameter_count())},
        {"Cost", std::to_string(model.macs_per_sample()) + " multiply-accumulates per sample"},
        {"Updates", std::to_string(trainer.steps_done())},
        {"Validation", number("%.4f bits per sample", trainer.best_valid_bits())}};
    if (outcome.test_bits) list.push_back({"Test", number("%.4f bits per sample", *outcome.test_bits)});
    for (std::size_t k = 0; k < model.config.tiers.size(); ++k) {
        const serpent::GeneratorTier& tier = model.config.tiers[k];
        list.push_back({"Tier " + std::to_string(k + 1),
                        std::string(tier.stack.all_blocks(serpent::BlockKind::selective) ? "selective" : "time-invariant") + ", every " +
                            std::to_string(model.config.samples_per_step(static_cast<int>(k))) + " samples, " +
                            std::to_string(tier.stack.n_layers) + " layers of width " + std::to_string(tier.stack.d_model)});
    }
    return list;
}

} // namespace

GeneratorOutcome assess_generator(const serpent::GeneratorTrainer& trainer, const serpent::GeneratorData& data, double wall_s,
                                  serpent::Metadata metadata, const std::filesystem::path& output,
                                  const std::string& command_line) {
    GeneratorOutcome outcome{trainer.best_model(), {}};
    if (!data.test.empty())
        outcome.test_bits = serpent::bits_per_sample(outcome.model, data.test, trainer.options().threads);
    outcome.model.metadata = std::move(metadata);
    if (outcome.model.metadata.name.empty()) outcome.model.metadata.name = output.stem().string();
    outcome.model.metadata.other[serpent::loudest_second_key] = number("%.2f", loudest_second_db(data));
    nlohmann::ordered_json record = {{"command", command_line}, {"seed", trainer.options().seed},
                                     {"steps", trainer.steps_done()}, {"wall_seconds", wall_s}};
    if (std::isfinite(trainer.best_valid_bits())) record["valid_bits_per_sample"] = trainer.best_valid_bits();
    if (!trainer.curve().empty()) record["epochs"] = trainer.curve().back().epoch;
    if (outcome.test_bits) record["test_bits_per_sample"] = *outcome.test_bits;
    nlohmann::ordered_json curve = nlohmann::ordered_json::array();
    for (const serpent::GeneratorPoint& p : trainer.curve()) curve.push_back({p.step, p.train_bits, p.valid_bits});
    record["curve"] = curve;
    outcome.model.metadata.training = json_text(record);
    return outcome;
}

bool is_as_good(const GeneratorOutcome& outcome, const std::filesystem::path& other, const serpent::GeneratorData& data, int threads) {
    try {
        const auto model = serpent::GeneratorModel::load(other);
        const serpent::GeneratorConfig &a = outcome.model.config, &b = model.config;
        if (a.sample_rate != b.sample_rate || a.conditions != b.conditions) return false;
        return serpent::bits_per_sample(outcome.model, data.valid, threads) <= serpent::bits_per_sample(model, data.valid, threads);
    } catch (const serpent::Error&) {
        return false;  // no generator for these recordings: nothing to compare with
    }
}

void print_generator_outcome(const GeneratorOutcome& outcome, const serpent::GeneratorTrainer& trainer) {
    std::printf("parameters           %zu\n", outcome.model.parameter_count());
    std::printf("MACs per sample      %zu\n", outcome.model.macs_per_sample());
    std::printf("validation           %.4f bits per sample\n", trainer.best_valid_bits());
    if (outcome.test_bits) std::printf("test                 %.4f bits per sample\n", *outcome.test_bits);
}

void write_generator_report(const std::filesystem::path& path, const GeneratorOutcome& outcome,
                            const serpent::GeneratorTrainer& trainer, const serpent::GeneratorData& data,
                            const std::string& command_line) {
    serpent::GeneratorReportData report;
    report.title = outcome.model.metadata.name;
    report.subtitle = outcome.model.metadata.description;
    report.command = command_line;
    report.sample_rate = outcome.model.config.sample_rate;
    report.facts = facts(outcome, trainer);
    for (const std::string& note : data.notes) report.notes.push_back({serpent::ReportNote::Severity::info, note});
    if (const std::string diverged = trainer.divergence(); !diverged.empty())
        report.notes.push_back({serpent::ReportNote::Severity::warning, diverged});
    report.curve = trainer.curve();
    report.samples.push_back({"Recordings of the validation part, in a row", recordings_in_a_row(data)});
    const auto model = std::make_shared<const serpent::GeneratorModel>(outcome.model);
    for (const double temperature : {0.8, 0.9, 1.0}) {
        serpent::Generator generator(model, {.seed = 1, .sampling = {.temperature = temperature}});
        std::vector<float> audio(static_cast<std::size_t>(sample_s * report.sample_rate));
        generator.generate(audio.data(), static_cast<int>(audio.size()));
        report.samples.push_back({number("Generated, temperature %.1f", temperature), std::move(audio)});
    }
    serpent::write_report(path, report);
}
