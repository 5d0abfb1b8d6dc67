// SPDX-License-Identifier: MIT
// A file whose container is damaged, as libsndfile would like to have it.
#pragma once

#include "audio/sndfile_handle.h"

#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <string>
#include <vector>

namespace serpent::audio {

struct Container;

/// Pieces of the file with the right headers and padding between them, in the order of the file.
class MendedFile {
public:
    /// Null when there is nothing to mend. Throws Error naming the file when it cannot be mended.
    static std::unique_ptr<MendedFile> mend(const std::filesystem::path& path);
    /// The same for a stream of so many bytes.
    static std::unique_ptr<MendedFile> mend(std::unique_ptr<std::istream> file, std::uint64_t bytes,
                                            const std::filesystem::path& path);

    /// What was wrong, for a person; empty when the file is as it should be but libsndfile does not understand it.
    const std::string& fault() const noexcept { return fault_; }
    std::uint64_t size() const noexcept { return size_; }
    /// From `at` on, min(n, size() - at) bytes unless the disk fails; how many.
    std::uint64_t read(std::uint64_t at, char* to, std::uint64_t n) noexcept;

    /// Null on failure, as sf_open. The handle must not outlive this object.
    SNDFILE* open(SF_INFO& info);

private:
    struct Piece {
        std::uint64_t at = 0, size = 0;  // here
        std::string bytes;               // or, if empty, of the file:
        std::uint64_t from = 0;
    };

    explicit MendedFile(std::unique_ptr<std::istream> file) : file_(std::move(file)) {}
    void append(std::string bytes);
    void append(std::uint64_t from, std::uint64_t size);
    void lay_out(const Container& container);

    std::unique_ptr<std::istream> file_;
    std::string fault_;
    std::vector<Piece> pieces_;
    std::uint64_t size_ = 0, position_ = 0;
};

} // namespace serpent::audio
