// SPDX-License-Identifier: GPL-3.0-or-later
// Options that take one of a few words.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

/// A check for one of `words`, which adds nothing to the help: the option's own text names them.
CLI::Validator one_of(const std::vector<std::string>& words);
/// The words of an option that has such a check, for completion; else none.
std::vector<std::string> words_of(CLI::Option& option);
