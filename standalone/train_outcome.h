// SPDX-License-Identifier: GPL-3.0-or-later
// What a training came to: the model with its card filled in, its figures, and the report about it.
#pragma once

#include "serpent/report.h"
#include "serpent/training_data.h"

#include <filesystem>
#include <string>
#include <vector>

struct TrainOutcome {
    serpent::Model model;
    std::vector<serpent::ReportPart> parts;  ///< the validation part, one for each take; first channel
    serpent::Metrics mean;
};

/// Plays the validation part through the best weights, and fills in the model's metadata.
TrainOutcome assess(const serpent::Trainer& trainer, const serpent::TrainingData& data, double wall_s,
                    serpent::Metadata metadata, const std::filesystem::path& output, const std::string& command_line);

/// Whether it does no worse on the validation part than the model in the file `other`, which may be anything.
bool is_as_good(const TrainOutcome& outcome, const std::filesystem::path& other, const serpent::TrainingData& data);

/// steps, wall_s: of this run, which may have gone on from a checkpoint.
void print_outcome(const TrainOutcome& outcome, const serpent::Trainer& trainer, std::int64_t steps, double wall_s);

void write_train_report(const std::filesystem::path& path, const TrainOutcome& outcome, const serpent::Trainer& trainer,
                        const serpent::TrainingData& data, const std::string& command_line);
