// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace serpent {

/// An output that appears whole or not at all: write to path(), a fresh file beside the target, then commit().
/// Without commit() the destructor removes what was written and the target stays as it was.
/// A target that exists and is no regular file (/dev/null, a pipe) is written to directly.
class AtomicFile {
public:
    /// Creates the empty file beside `target` (through symbolic links). Throws Error naming `target` when the target is
    /// a directory, may not be written or has too long a name, or its folder does not exist or cannot take a new file.
    explicit AtomicFile(const std::filesystem::path& target);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

    /// Renames path() to the target; close your handle on it first. Once it returns, the target survives a power cut; before,
    /// there is the old one or the new one, whole. Throws Error naming the target.
    void commit();

private:
    std::filesystem::path shown_;   // the target as the caller named it, for messages
    std::filesystem::path target_;  // the same with symbolic links resolved
    std::filesystem::path path_;
    bool pending_ = false;
};

/// Writes `bytes` to `target` through an AtomicFile. Throws Error naming `target`, with the system's reason (disk full...).
void write_file_atomically(const std::filesystem::path& target, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& target, const std::string& text);

} // namespace serpent
