// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "serpent/model.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

/// The model that `command` is given before its `recordings`. Throws Error; where the model stands among the recordings, with the
/// right order.
std::shared_ptr<const serpent::Model> load_model(const std::filesystem::path& model, const std::string& command,
                                                 const std::vector<std::filesystem::path>& recordings);
