// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the real `serpent` binary, as a user would, and under limits that a user may have.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

struct CommandResult {
    int status = -1;  ///< exit status; 128 + signal when a signal ended it
    std::string out, err;
    std::int64_t peak_memory_bytes = 0;
};

struct CommandLimits {
    std::optional<std::uint64_t> file_size_bytes;  ///< as a full disk would: writing more fails
    bool unprivileged = false;                     ///< as the user "nobody"; only for a test that runs as root
    std::optional<std::uint64_t> processes;        ///< of the user, threads counted; root, whom this does not bind, becomes nobody
    std::optional<double> interrupt_after_s;       ///< sends SIGINT then
};

CommandResult run_command(const std::vector<std::string>& arguments, const CommandLimits& limits = {});
