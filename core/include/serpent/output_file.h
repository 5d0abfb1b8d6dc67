// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>

namespace serpent {

/// Tries what writing a file of `bytes` bytes to `target` needs, and leaves nothing behind: for work that takes long and writes
/// its result at the end. Throws Error, in the words that writing would, when `target` is a folder, read-only or badly named, its
/// folder is missing or takes no file, or the disk lacks room.
void require_output(const std::filesystem::path& target, std::uintmax_t bytes = 0);

} // namespace serpent
