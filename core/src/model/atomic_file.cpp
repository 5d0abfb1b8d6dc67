// SPDX-License-Identifier: MIT
#include "model/atomic_file.h"

#include "serpent/errors.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <random>
#include <system_error>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace serpent {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const fs::path& target, const std::string& reason) {
    throw Error("cannot write " + target.string() + ": " + reason);
}

std::string reason_of(int error_number) {
    return std::generic_category().message(error_number);
}

void require_writable(const fs::path& shown, const fs::path& existing) {
#if __has_include(<unistd.h>)
    // A rename only asks for a writable folder; a file that its owner made read-only is not ours to replace.
    if (::access(existing.c_str(), W_OK) != 0) fail(shown, reason_of(errno));
#else
    (void)shown;
    (void)existing;
#endif
}

fs::path name_beside(const fs::path& target, std::uint32_t number) {
    char suffix[16];
    std::snprintf(suffix, sizeof suffix, "%08x", static_cast<unsigned>(number));
    // The stem is cut so that the longest legal name still leaves room for the suffix.
    std::string stem = target.stem().string().substr(0, 100);
    return target.parent_path() / ("." + stem + "." + suffix + ".tmp");
}

/// Creates a file that did not exist before and returns its path.
fs::path create_beside(const fs::path& shown, const fs::path& target) {
    std::random_device random;
    for (int attempt = 0; attempt < 16; ++attempt) {
        const fs::path path = name_beside(target, random());
        if (std::FILE* file = std::fopen(path.string().c_str(), "wbx")) {
            std::fclose(file);
            return path;
        }
        if (errno != EEXIST) fail(shown, reason_of(errno));
    }
    fail(shown, "no free name for a temporary file in its folder");
}

} // namespace

AtomicFile::AtomicFile(const fs::path& target) : shown_(target) {
    if (target.empty()) throw Error("cannot write the output: its file name is empty");
    std::error_code error;
    target_ = fs::weakly_canonical(fs::absolute(target), error);
    if (error) fail(shown_, error.message());
    const fs::file_status status = fs::status(target_, error);
    if (fs::is_directory(status)) fail(shown_, "it is a folder; give a file name");
    if (!target.has_filename()) fail(shown_, "it ends like a folder; give a file name");
    if (fs::exists(status)) {
        require_writable(shown_, target_);
        if (!fs::is_regular_file(status)) {
            path_ = target_;
            return;
        }
    } else if (!fs::is_directory(target_.parent_path(), error)) {
        fail(shown_, "its folder does not exist");
    }
    path_ = create_beside(shown_, target_);
    pending_ = true;
}

AtomicFile::~AtomicFile() {
    std::error_code ignored;
    if (pending_) fs::remove(path_, ignored);
}

void AtomicFile::commit() {
    if (!pending_) return;
    std::error_code error;
    if (const fs::file_status old = fs::status(target_, error); fs::exists(old)) {
        fs::permissions(path_, old.permissions(), error);
    }
    fs::rename(path_, target_, error);
    if (error) fail(shown_, error.message());
    pending_ = false;
}

void write_file_atomically(const fs::path& target, std::span<const std::byte> bytes) {
    AtomicFile output(target);
    std::FILE* file = std::fopen(output.path().string().c_str(), "wb");
    if (!file) fail(target, reason_of(errno));
    const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() && std::fflush(file) == 0;
    const int write_error = errno;
    const bool closed = std::fclose(file) == 0;
    if (!written) fail(target, reason_of(write_error));
    if (!closed) fail(target, reason_of(errno));
    output.commit();
}

void write_file_atomically(const fs::path& target, const std::string& text) {
    write_file_atomically(target, std::as_bytes(std::span(text)));
}

} // namespace serpent
