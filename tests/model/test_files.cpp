// SPDX-License-Identifier: GPL-3.0-or-later
// What the file system can do to a model file, and the promise that outputs appear whole or not at all.
#include "model/atomic_file.h"
#include "model/example_model.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <csignal>

using namespace serpent;
using namespace serpent::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

std::size_t entries(const TemporaryFolder& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
}

/// As an ordinary user for the length of a scope, when the tests run as root, whom no permission stops.
class OrdinaryUser {
public:
    OrdinaryUser() : was_root_(::geteuid() == 0) {
        if (was_root_ && ::seteuid(65534) != 0) throw std::runtime_error("cannot change the user");
    }
    ~OrdinaryUser() {
        if (was_root_ && ::seteuid(0) != 0) std::abort();
    }
    OrdinaryUser(const OrdinaryUser&) = delete;
    OrdinaryUser& operator=(const OrdinaryUser&) = delete;

private:
    bool was_root_;
};

/// No file may grow beyond `bytes` for the length of a scope: a full disk as a program sees it.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &old_);
        const rlimit limited{bytes, old_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limited);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &old_);
        std::signal(SIGXFSZ, old_handler_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

private:
    void (*old_handler_)(int);
    rlimit old_{};
};

} // namespace

TEST_CASE("loading names the file and the reason") {
    const TemporaryFolder folder;
    CHECK_THROWS_WITH(Model::load(folder / "none.safetensors"), Contains("none.safetensors") && Contains("No such file"));
    CHECK_THROWS_WITH(Model::load(folder.path()), Contains(folder.path().string()) && Contains("folder"));
    CHECK_THROWS_WITH(Model::load("/dev/null"), Contains("/dev/null") && Contains("regular"));
    write_text(folder / "empty.safetensors", "");
    CHECK_THROWS_WITH(Model::load(folder / "empty.safetensors"), Contains("empty.safetensors: the file is empty"));
    write_text(folder / "secret.safetensors", "x");
    fs::permissions(folder / "secret.safetensors", fs::perms::none);
    fs::permissions(folder.path(), fs::perms::all);
    const OrdinaryUser user;
    CHECK_THROWS_WITH(Model::load(folder / "secret.safetensors"), Contains("secret.safetensors") && Contains("Permission denied"));
}

TEST_CASE("a huge file is refused before it is read") {
    const TemporaryFolder folder;
    write_text(folder / "huge.safetensors", "x");
    fs::resize_file(folder / "huge.safetensors", std::uintmax_t{1} << 40);  // sparse: takes no room
    CHECK_THROWS_WITH(Model::load(folder / "huge.safetensors"), Contains("huge.safetensors") && Contains("1073741824"));
}

TEST_CASE("saving into a place that cannot take it changes nothing") {
    const TemporaryFolder folder;
    const Model model = random_model(full_config());
    CHECK_THROWS_WITH(model.save(folder.path()), Contains("folder"));
    CHECK_THROWS_WITH(model.save(folder / "none/m.safetensors"), Contains("none/m.safetensors") && Contains("does not exist"));
    CHECK_THROWS_WITH(model.save(folder.path().string() + "/m/"), Contains("folder"));
    CHECK_THROWS_WITH(model.save(""), Contains("empty"));
    CHECK(entries(folder) == 0);
    fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
    {
        const OrdinaryUser user;
        CHECK_THROWS_WITH(model.save(folder / "m.safetensors"), Contains("m.safetensors") && Contains("Permission denied"));
    }
    CHECK(entries(folder) == 0);
}

TEST_CASE("a full disk is an error, leaves the old file as it was and nothing else") {
    const TemporaryFolder folder;
    write_text(folder / "m.safetensors", "old");
    const Model model = random_model(full_config());
    {
        const FileSizeLimit limit(1000);
        CHECK_THROWS_WITH(model.save(folder / "m.safetensors"), Contains("m.safetensors") && Contains("File too large"));
    }
    CHECK(file_text(folder / "m.safetensors") == "old");
    CHECK(entries(folder) == 1);
    CHECK_THROWS_WITH(model.save("/dev/full"), Contains("/dev/full") && Contains("No space left"));
    CHECK(fs::is_character_file("/dev/full"));
}

TEST_CASE("an atomic file appears at commit and not before") {
    const TemporaryFolder folder;
    const fs::path target = folder / "out.txt";
    {
        AtomicFile file(target);
        write_text(file.path(), "half");
        CHECK(file.path().parent_path() == target.parent_path());
        CHECK_FALSE(fs::exists(target));
    }
    CHECK(entries(folder) == 0);
    {
        AtomicFile file(target);
        write_text(file.path(), "whole");
        file.commit();
        CHECK(file_text(target) == "whole");
    }
    CHECK(file_text(target) == "whole");
    CHECK(entries(folder) == 1);
}

TEST_CASE("an atomic file keeps links and permissions and takes relative and long names") {
    const TemporaryFolder folder;
    write_text(folder / "real.txt", "old");
    fs::permissions(folder / "real.txt", fs::perms::owner_read | fs::perms::owner_write);
    fs::create_symlink("real.txt", folder / "link.txt");
    write_file_atomically(folder / "link.txt", std::string("new"));
    CHECK(fs::is_symlink(folder / "link.txt"));
    CHECK(file_text(folder / "real.txt") == "new");
    CHECK(fs::status(folder / "real.txt").permissions() == (fs::perms::owner_read | fs::perms::owner_write));

    const std::string longest(255, 'n');
    write_file_atomically(folder / longest, std::string("long"));
    CHECK(file_text(folder / longest) == "long");

    const fs::path before = fs::current_path();
    fs::current_path(folder.path());
    write_file_atomically("relative.txt", std::string("here"));
    fs::current_path(before);
    CHECK(file_text(folder / "relative.txt") == "here");
}
