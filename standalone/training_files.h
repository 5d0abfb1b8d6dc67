// SPDX-License-Identifier: GPL-3.0-or-later
// The files that a training writes, and the rules of what it may replace: nothing unasked, and a model never by the worse one
// of a training that was stopped.
#pragma once

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

struct TrainingFiles {
    std::filesystem::path model, report;  ///< report: empty for beside the model
    bool resume = false, force = false, no_report = false;
    bool resumes_unasked = false;  ///< there is no --resume: a checkpoint that is there is gone on from, unless `force`

    std::filesystem::path checkpoint() const;
    /// Where the model of a training that was stopped goes when it may not replace the one that is there.
    std::filesystem::path unfinished() const;
    std::filesystem::path report_of(const std::filesystem::path& written_model) const;

    /// "the same command with --resume": what goes on with a training that was stopped.
    std::string resuming_command() const;

    /// Before anything else: throws Error when something would be replaced that nobody asked for, `inputs` among them, when there
    /// is nothing to resume, or when one of the files could not be written at the end.
    void check(const std::vector<std::filesystem::path>& inputs) const;
    /// check() for inputs that are known later.
    void require_not_among(const std::vector<std::filesystem::path>& inputs) const;

    /// Where the model goes. `is_as_good`: whether it does no worse than that at `model`; asked only when that decides.
    std::filesystem::path destination(bool finished, const std::function<bool()>& is_as_good) const;
};

void add_training_file_options(CLI::App& command, TrainingFiles& files);
/// For the end of a command's help.
extern const char* const training_files_help;
