// SPDX-License-Identifier: GPL-3.0-or-later
// What `serpent train` does, for commands that make their recordings themselves.
#pragma once

#include "training_files.h"

#include "serpent/model.h"
#include "serpent/training_data.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

struct TrainArguments {
    std::filesystem::path dry, wet, takes;
    TrainingFiles files;
    std::vector<std::filesystem::path> valid;
    std::string preset = "standard", device = "auto", config_json, schedule_json;
    serpent::TrainingDataOptions data;
    std::optional<double> minutes, epochs, memory_s;
    std::uint64_t seed = 1;
    int threads = 0;
    serpent::Metadata metadata;
};

/// Trains and writes model, report and figures. Throws Error.
void train(const TrainArguments& arguments);
