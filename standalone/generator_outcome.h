// SPDX-License-Identifier: GPL-3.0-or-later
// What a generator's training came to: the model with its card filled in, its figures, and the report about it.
#pragma once

#include "serpent/generator_training.h"

#include <filesystem>
#include <optional>
#include <string>

struct GeneratorOutcome {
    serpent::GeneratorModel model;
    std::optional<double> test_bits;
};

/// Scores the best weights on the test part, if there is one, and fills in the model's metadata.
GeneratorOutcome assess_generator(const serpent::GeneratorTrainer& trainer, const serpent::GeneratorData& data, double wall_s,
                                  serpent::Metadata metadata, const std::filesystem::path& output,
                                  const std::string& command_line);

/// Whether it does no worse on the validation part than the generator in the file `other`, which may be anything.
bool is_as_good(const GeneratorOutcome& outcome, const std::filesystem::path& other, const serpent::GeneratorData& data, int threads);

void print_generator_outcome(const GeneratorOutcome& outcome, const serpent::GeneratorTrainer& trainer);

void write_generator_report(const std::filesystem::path& path, const GeneratorOutcome& outcome,
                            const serpent::GeneratorTrainer& trainer, const serpent::GeneratorData& data,
                            const std::string& command_line);
