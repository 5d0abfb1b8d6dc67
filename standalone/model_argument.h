// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "serpent/model.h"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The model that `command` is given before its `recordings`. Throws Error; where the model stands among the recordings, with the
/// right order.
std::shared_ptr<const serpent::Model> load_model(const std::filesystem::path& model, const std::string& command,
                                                 const std::vector<std::filesystem::path>& recordings);

/// --size: which of the sizes that a .nam capture offers plays.
void add_size_option(CLI::App& command, std::optional<double>& size);
/// `model`, or the size of it that was asked for.
std::shared_ptr<const serpent::Model> at_size(std::shared_ptr<const serpent::Model> model, std::optional<double> size);
