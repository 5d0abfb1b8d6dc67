// SPDX-License-Identifier: GPL-3.0-or-later
// The models that are installed with the command, wherever it was installed or unpacked: share/serpent beside its bin.
#pragma once

#include <CLI/CLI.hpp>

#include <filesystem>
#include <vector>

/// Captures, then generators, each sorted by name; empty where nothing is installed.
std::vector<std::filesystem::path> shipped_models();

/// For a MODEL option's transform: a bare name that is no file here, and is one of a shipped model, becomes its path. Anything
/// else stays as it is. Adds nothing to the help.
CLI::Validator shipped_model();
