// SPDX-License-Identifier: GPL-3.0-or-later
// The command where the system starts fewer threads than it wants.
#include "command/run_command.h"

#include "audio/temporary_folder.h"
#include "serpent/audio_file.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>

using namespace serpent;

#if !defined(__SANITIZE_ADDRESS__)  // whose search for leaks wants a process of its own

namespace {

std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

const std::string model = std::string(SERPENT_ASSETS) + "/models/fuzzface.safetensors";

struct Bench {
    TemporaryFolder folder;

    Bench() {
        std::filesystem::permissions(folder.path(), std::filesystem::perms::all);  // for nobody
        std::vector<float> audio(96000);
        for (std::size_t t = 0; t < audio.size(); ++t) audio[t] = 0.3f * std::sin(0.03f * float(t));
        write_audio(folder / "in.wav", {48000, {audio}, Subtype::float32}, Subtype::float32);
    }
};

} // namespace

TEST_CASE("fewer threads than asked for are told in one line, and change nothing", "[command]") {
    const Bench bench;
    const auto render = [&](const std::string& out, const CommandLimits& limits) {
        const CommandResult r = run_command({"render", model, (bench.folder / "in.wav").string(), "-o", (bench.folder / out).string(), "--threads", "8",
                                             "--device", "cpu"}, limits);
        CHECK(r.status == 0);
        return r.err;
    };
    CHECK(render("all.wav", {}).find("threads") == std::string::npos);
    const std::string err = render("few.wav", {.processes = 3});
    CAPTURE(err);
    const std::size_t at = err.find("note: only ");
    REQUIRE(at != std::string::npos);
    CHECK(err.compare(at + 12, 34, " of 8 threads could be started; it") == 0);
    CHECK(err[at + 11] >= '1');  // other processes of nobody count, too
    CHECK(err[at + 11] <= '3');
    CHECK(err.find("note: only", at + 1) == std::string::npos);
    CHECK(bytes_of(bench.folder / "all.wav") == bytes_of(bench.folder / "few.wav"));
}

TEST_CASE("generate goes on with the threads that there are, and says so", "[command]") {
    const Bench bench;
    const std::string generator = std::string(SERPENT_ASSETS) + "/generators/voice.safetensors";
    const CommandResult r = run_command({"generate", generator, "-o", (bench.folder / "g.wav").string(), "--seconds", "0.05", "--count", "6",
                                         "--threads", "6"}, {.processes = 2});
    CAPTURE(r.err);
    CHECK(r.status == 0);
    CHECK(r.err.find("note: only 1 of 6 threads could be started") != std::string::npos);
}

#endif
