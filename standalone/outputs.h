// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

/// Room for the largest HTML report, to ask serpent::require_output() for.
inline constexpr std::uintmax_t report_bytes = 8 << 20;

/// Whether two names stand for one file, which need not be there.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

/// Throws Error when `output` is one of `inputs`, of which empty ones do not count.
void require_no_input(const std::filesystem::path& output, const std::vector<std::filesystem::path>& inputs);
