// SPDX-License-Identifier: GPL-3.0-or-later
#include "generator_outcome.h"

#include <nlohmann/json.hpp>

#include <cstdio>

GeneratorOutcome assess_generator(const serpent::GeneratorTrainer& trainer, const serpent::GeneratorData& data, double wall_s,
                                  serpent::Metadata metadata, const std::filesystem::path& output,
                                  const std::string& command_line) {
    GeneratorOutcome outcome{trainer.best_model(), {}};
    if (!data.test.empty())
        outcome.test_bits = serpent::bits_per_sample(outcome.model, data.test, trainer.options().threads);
    outcome.model.metadata = std::move(metadata);
    if (outcome.model.metadata.name.empty()) outcome.model.metadata.name = output.stem().string();
    nlohmann::ordered_json record = {{"command", command_line}, {"seed", trainer.options().seed},
                                     {"steps", trainer.steps_done()}, {"wall_seconds", wall_s},
                                     {"valid_bits_per_sample", trainer.best_valid_bits()}};
    if (!trainer.curve().empty()) record["epochs"] = trainer.curve().back().epoch;
    if (outcome.test_bits) record["test_bits_per_sample"] = *outcome.test_bits;
    nlohmann::ordered_json curve = nlohmann::ordered_json::array();
    for (const serpent::GeneratorPoint& p : trainer.curve()) curve.push_back({p.step, p.train_bits, p.valid_bits});
    record["curve"] = curve;
    outcome.model.metadata.training = record.dump();
    return outcome;
}

void print_generator_outcome(const GeneratorOutcome& outcome) {
    std::printf("parameters           %zu\n", outcome.model.parameter_count());
    std::printf("MACs per sample      %zu\n", outcome.model.macs_per_sample());
    const auto record = nlohmann::json::parse(outcome.model.metadata.training);
    std::printf("validation           %.4f bits per sample\n", record.at("valid_bits_per_sample").get<double>());
    if (outcome.test_bits) std::printf("test                 %.4f bits per sample\n", *outcome.test_bits);
}

void write_generator_report(const std::filesystem::path&, const GeneratorOutcome&, const serpent::GeneratorTrainer&,
                            const serpent::GeneratorData&, const std::string&) {}
