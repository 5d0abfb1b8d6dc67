// SPDX-License-Identifier: MIT
#include "model/atomic_file.h"

#include "serpent/errors.h"
#include "serpent/output_file.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <random>
#include <system_error>

#if __has_include(<unistd.h>)
#include <fcntl.h>
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

#if __has_include(<unistd.h>)

struct Descriptor {
    Descriptor(const fs::path& path, int flags) : number(::open(path.c_str(), flags | O_CLOEXEC)) {}
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    const int number;
};

/// Waits until what `path` holds is on the disk.
void sync_file(const fs::path& shown, const fs::path& path) {
    const Descriptor file(path, O_RDONLY);
    if (file.number < 0 || ::fsync(file.number) != 0) fail(shown, reason_of(errno));
}

/// Waits until the names in `folder` are on the disk. A folder that may not be read, or a file system that knows no such
/// thing, is no reason to refuse an output.
void sync_folder(const fs::path& shown, const fs::path& folder) {
    const Descriptor names(folder, O_RDONLY | O_DIRECTORY);
    if (names.number < 0) return;
    if (::fsync(names.number) != 0 && errno != EINVAL && errno != EROFS) fail(shown, reason_of(errno));
}

#else

void sync_file(const fs::path&, const fs::path&) {}
void sync_folder(const fs::path&, const fs::path&) {}

#endif

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
    if (status.type() == fs::file_type::none) fail(shown_, error.message());  // a name that is too long, say
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
    sync_file(shown_, path_);  // before the name: after a power cut it must not stand for a file without its data
    fs::rename(path_, target_, error);
    if (error) fail(shown_, error.message());
    pending_ = false;
    sync_folder(shown_, target_.parent_path());
}

void require_output(const fs::path& target, std::uintmax_t bytes) {
    const AtomicFile trial(target);
    std::error_code unknown;
    const fs::space_info disk = fs::space(trial.path(), unknown);
    if (!unknown && fs::is_regular_file(trial.path(), unknown) && disk.available < bytes)
        fail(target, "the disk has no room for it; " + std::to_string(bytes >> 20) + " MB are needed");
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
