// SPDX-License-Identifier: GPL-3.0-or-later
// Completions and manual pages: complete against --help, and what the shells themselves make of them.
#include "audio/temporary_folder.h"
#include "command/run_command.h"

#include <catch2/catch.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const std::string command = SERPENT_COMMAND;

bool installed(const std::string& program) { return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0; }

/// Status and all output of a line for sh.
CommandResult run_shell(const std::string& line) {
    CommandResult result;
    FILE* pipe = popen((line + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> block;
    while (const std::size_t size = std::fread(block.data(), 1, block.size(), pipe)) result.out.append(block.data(), size);
    result.status = pclose(pipe);
    return result;
}

/// What bash offers for the words `typed`, the last of which is being typed.
std::string offered_by_bash(const std::string& typed, const fs::path& folder = ".") {
    const CommandResult result = run_shell("cd '" + folder.string() + "' && bash --norc -c 'source <(" + command +
                                           " completion bash); COMP_WORDS=(serpent " + typed +
                                           "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _serpent; printf \"%s\\n\" \"${COMPREPLY[@]}\"'");
    CHECK(result.status == 0);
    return result.out;
}

std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

/// The first words of the lines of --help that are indented by two: "render", "--mix".
std::vector<std::string> names_in_help(const std::string& help, const std::string& heading) {
    std::vector<std::string> names;
    std::istringstream lines(help.substr(help.find(heading)));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line) && line.starts_with("  ")) {
        if (line[2] == ' ') continue;
        std::string name = line.substr(2, line.find(' ', 2) - 2);
        name = name.substr(name.find("--") == std::string::npos ? 0 : name.find("--"));
        names.push_back(name.substr(0, name.find_first_of("{:")));
    }
    return names;
}

} // namespace

TEST_CASE("bash completes commands, options, words and files") {
    if (!installed("bash")) return;
    CHECK_THAT(offered_by_bash("ren"), Contains("render"));
    CHECK(offered_by_bash("render --dev") == "--device\n");
    CHECK(offered_by_bash("render --device \"\"") == "auto\ncpu\ncuda\n");
    CHECK(offered_by_bash("render --device = cu") == "cuda\n");
    CHECK(offered_by_bash("completion z") == "zsh\n");
    CHECK(offered_by_bash("render --mix \"\"") == "\n");  // a number: nothing to offer
    const TemporaryFolder folder;
    for (const char* name : {"my amp.safetensors", "amp.nam", "amp.txt"}) std::ofstream(folder.path() / name) << "x";
    CHECK(offered_by_bash("info \"\"", folder.path()) == "my amp.safetensors\namp.nam\n");
    CHECK_THAT(offered_by_bash("render -o \"\"", folder.path()), Contains("amp.txt"));
}

TEST_CASE("every command and option of the help is completed by all shells and is in the manual") {
    const TemporaryFolder folder;
    REQUIRE(run_command({"manual", "--folder", folder.path().string()}).status == 0);
    const std::string bash = run_command({"completion", "bash"}).out, zsh = run_command({"completion", "zsh"}).out,
                      fish = run_command({"completion", "fish"}).out;
    const auto commands = names_in_help(run_command({"--help"}).out, "Subcommands:");
    REQUIRE(commands.size() >= 13);
    for (const std::string& name : commands) {
        INFO(name);
        CHECK_THAT(bash, Contains(" " + name + ") options="));
        CHECK_THAT(zsh, Contains("        " + name + ")\n"));
        CHECK_THAT(fish, Contains(" -a " + name + " -d "));
        const std::string page = text_of(folder.path() / ("serpent-" + name + ".1"));
        const auto options = names_in_help(run_command({name, "--help"}).out, "Options:");
        REQUIRE(!options.empty());
        for (const std::string& option : options) {
            INFO(option);
            CHECK_THAT(zsh, Contains(option + "[") || Contains(option + "=["));
            CHECK_THAT(fish, Contains("__fish_seen_subcommand_from " + name + "'") && Contains(" -l " + option.substr(2)));
            std::string in_troff;
            for (const char c : option) in_troff += c == '-' ? "\\-" : std::string(1, c);
            CHECK_THAT(page, Contains(in_troff + "\\fR"));
        }
    }
    CHECK_THAT(text_of(folder.path() / "serpent.1"), Contains(".BR serpent\\-train\\-generator (1)"));
}

TEST_CASE("zsh, fish and troff find nothing wrong") {
    const TemporaryFolder folder;
    const std::string path = folder.path().string();
    REQUIRE(run_command({"manual", "--folder", path}).status == 0);
    REQUIRE(run_shell(command + " completion zsh > " + path + "/_serpent; " + command + " completion fish > " + path + "/f").status == 0);
    if (installed("zsh")) CHECK(run_shell("zsh -fn " + path + "/_serpent").status == 0);
    if (installed("fish")) {
        const CommandResult offered = run_shell("HOME=" + path + " fish --no-config -c 'source " + path +
                                                "/f; complete -C \"serpent train --preset \"'");
        CHECK_THAT(offered.out, Contains("nano") && Contains("standard") && Contains("max"));
    }
    if (installed("groff"))
        for (const auto& page : fs::directory_iterator(folder.path()))
            if (page.path().extension() == ".1") CHECK(run_shell("groff -man -ww -z -Tutf8 " + page.path().string()).out.empty());
}

TEST_CASE("a manual that cannot be written and a shell that is not known are told") {
    CHECK_THAT(run_command({"manual", "--folder", "/nowhere"}).err, Contains("/nowhere/serpent.1"));
    CHECK(run_command({"completion", "tcsh"}).status == 1);
}

TEST_CASE("models that lie beside the command go by their name") {
    const TemporaryFolder folder;
    fs::create_directories(folder.path() / "bin");
    fs::create_directories(folder.path() / "share/serpent/models");
    fs::copy_file(command, folder.path() / "bin/serpent");
    fs::copy_file(SERPENT_ASSETS "/models/zamtube.safetensors", folder.path() / "share/serpent/models/zamtube.safetensors");
    const std::string moved = (folder.path() / "bin/serpent").string();
    CHECK_THAT(run_shell(moved + " models").out, Contains("zamtube") && Contains("valve"));
    CHECK_THAT(run_shell("cd / && " + moved + " info zamtube").out, Contains("ZamTube"));
    CHECK(run_shell("cd / && " + moved + " info nosuch").status != 0);
    CHECK_THAT(run_shell(command + " models").out, Contains("no models are installed"));
}
