// SPDX-License-Identifier: GPL-3.0-or-later
// The commands and their options as data, read out of the CLI11 description that also parses them and prints --help:
// completions and manual pages are written from this, and nothing is said twice.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

struct OptionDescription {
    enum class Values { none, words, model, folder, file, text };

    std::vector<std::string> names;  ///< "-o", "--output"; empty for a positional
    std::string value;               ///< what the help calls its value: "FILE"; empty for a flag
    std::string help;
    Values values = Values::none;    ///< none: a flag
    std::vector<std::string> words;  ///< of Values::words
    bool required = false;
    bool repeated = false;
};

struct CommandDescription {
    std::string name, help, footer;
    std::vector<OptionDescription> options;
    std::vector<OptionDescription> positionals;  ///< in order
    std::vector<CommandDescription> commands;    ///< of the application itself
};

CommandDescription describe(CLI::App& app);

// Each returns the text of a whole file.
std::string bash_completion(const CommandDescription& app);
std::string zsh_completion(const CommandDescription& app);
std::string fish_completion(const CommandDescription& app);
/// A page for man: of the whole, or of one command of `app`.
std::string manual_page(const CommandDescription& app, const std::string& version);
std::string manual_page(const CommandDescription& app, const CommandDescription& command, const std::string& version);

/// `text` in single quotes, for any of the three shells.
std::string in_quotes(const std::string& text);
