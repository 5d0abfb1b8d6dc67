// SPDX-License-Identifier: GPL-3.0-or-later
// The options of everything that runs a generator: seed, sampling, conditions.
#pragma once

#include "serpent/generator.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

struct SamplingArguments {
    serpent::GeneratorOptions generator;
    std::vector<std::string> conditions;
};

/// Adds --seed, --temperature, --top-k, --top-p and --condition.
void add_sampling_options(CLI::App& command, SamplingArguments& arguments);

/// For this model; throws serpent::Error when it has not the conditions asked for.
serpent::GeneratorOptions generator_options(const SamplingArguments& arguments, const serpent::GeneratorModel& model);

/// Loads a generator; for a model of another kind the message says what plays that.
std::shared_ptr<const serpent::GeneratorModel> load_generator(const std::string& path);
