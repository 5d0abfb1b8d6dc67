// SPDX-License-Identifier: GPL-3.0-or-later
// Outputs that appear whole or not at all, power cuts included: the order of what the system is asked to do.
#include "model/atomic_file.h"

#include "audio/temporary_folder.h"
#include "serpent/errors.h"
#include "serpent/output_file.h"

#include <catch2/catch.hpp>

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

using namespace serpent;
namespace fs = std::filesystem;

namespace {

bool recording = false;
std::vector<std::string> calls;  // "sync INODE" and "rename NAME NAME"
int sync_error = 0;              // what fsync() answers, 0: nothing wrong

std::string inode_of(const fs::path& path) {
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return std::to_string(info.st_ino);
}

std::string text_of(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

// These stand in for the C library's in this program, libstdc++ included.
extern "C" int fsync(int descriptor) {
    static const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, "fsync"));
    if (!recording) return real(descriptor);
    struct stat info{};
    ::fstat(descriptor, &info);
    calls.push_back("sync " + std::to_string(info.st_ino));
    if (sync_error == 0) return real(descriptor);
    errno = sync_error;
    return -1;
}

extern "C" int rename(const char* from, const char* to) noexcept {
    static const auto real = reinterpret_cast<int (*)(const char*, const char*)>(::dlsym(RTLD_NEXT, "rename"));
    if (recording) calls.push_back("rename to " + fs::path(to).filename().string());
    return real(from, to);
}

TEST_CASE("an output is on the disk before it has its name, and its name before commit() returns", "[files]") {
    const TemporaryFolder folder;
    const fs::path target = folder / "m.safetensors";
    for (const char* text : {"first", "second"}) {
        calls.clear();
        recording = true;
        write_file_atomically(target, std::string(text));
        recording = false;
        CHECK(calls == std::vector<std::string>{"sync " + inode_of(target), "rename to m.safetensors", "sync " + inode_of(folder.path())});
        CHECK(text_of(target) == text);
    }
}

TEST_CASE("an output that the disk did not take keeps the old one and leaves nothing beside it", "[files]") {
    const TemporaryFolder folder;
    const fs::path target = folder / "m.safetensors";
    write_file_atomically(target, std::string("old"));
    recording = true;
    sync_error = EIO;
    CHECK_THROWS_WITH(write_file_atomically(target, std::string("new")), Catch::Contains("m.safetensors"));
    recording = false;
    sync_error = 0;
    CHECK(text_of(target) == "old");
    CHECK(folder.count() == 1);
}

TEST_CASE("require_output finds at once what would fail at the end", "[files]") {
    const TemporaryFolder folder;
    const auto refused = [&](const fs::path& target, const std::string& reason) {
        CAPTURE(target);
        CHECK_THROWS_WITH(require_output(target), Catch::Contains("cannot write") && Catch::Contains(reason));
    };
    fs::create_directory(folder / "sub");
    write_file_atomically(folder / "file", std::string("text"));
    refused("", "empty");
    refused(folder / "sub", "folder");
    refused(folder / "new" / "", "folder");
    refused(folder / "no/m.html", "does not exist");
    refused(folder / "file/m.html", "");
    refused(folder / std::string(256, 'x'), "");
    if (::geteuid() != 0) {
        fs::permissions(folder / "sub", fs::perms::owner_read | fs::perms::owner_exec);
        refused(folder / "sub/m.html", "");
        fs::permissions(folder / "sub", fs::perms::owner_all);
        fs::permissions(folder / "file", fs::perms::owner_read);
        refused(folder / "file", "");
    }
    CHECK_THROWS_AS(require_output(folder / "large", std::uintmax_t{1} << 60), Error);  // an exabyte
    CHECK_NOTHROW(require_output(folder / "m.html", 100000));
    CHECK_NOTHROW(require_output(folder / "file", 100000));
    CHECK_NOTHROW(require_output("/dev/null", 100000));
    CHECK_NOTHROW(require_output(folder / std::string(255, 'x')));
    CHECK(text_of(folder / "file") == "text");
    CHECK(folder.count() == 2);
}
