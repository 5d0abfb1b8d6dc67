// SPDX-License-Identifier: GPL-3.0-or-later
// --control NAME=VALUE, the knobs of the captured device.
#pragma once

#include "serpent/model.h"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

/// Adds the option, which may be given once for every knob.
CLI::Option* add_control_option(CLI::App& command, std::vector<std::string>& settings);

/// The values of all controls in the model's order: defaults, except where `settings` name one, in any case. Throws
/// serpent::Error for a setting that is not NAME=VALUE or a name that is not there, with the names that are. Values out
/// of range are brought into it, with a note on stderr.
std::vector<float> control_values(const serpent::Model& model, const std::vector<std::string>& settings);
