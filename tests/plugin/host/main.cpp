// SPDX-License-Identifier: GPL-3.0-or-later
// A console host that puts a plugin binary through everything that hosts do to it, and compares what comes out with what the
// command `serpent render` writes. Needs no display but for --editor.
#include "host/checks.h"
#include "host/figures.h"
#include "host/window.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <regex>

using namespace serpent::test;

int main(int argc, char** argv) {
    CLI::App app("Checks a plugin binary from a host's side.");
    std::string plugin, format = "vst3", models, serpent, only = ".*";
    bool editor = false, figures = false, window = false;
    app.add_option("plugin", plugin, "A VST3 bundle, or the URI of an LV2 that LV2_PATH leads to")->required();
    app.add_option("--format", format)->check(CLI::IsMember({"vst3", "lv2"}));
    app.add_option("--models", models, "A folder with model files")->required();
    app.add_option("--serpent", serpent, "The command `serpent`")->required();
    app.add_option("--only", only, "A regular expression: the checks to run");
    app.add_flag("--editor", editor, "Check the editor too, which needs a display");
    app.add_flag("--figures", figures, "Print sizes and times instead of checking");
    app.add_flag("--window", window, "Show the editor and print what changes, until standard input closes");
    CLI11_PARSE(app, argc, argv);

    const juce::ScopedJuceInitialiser_GUI juce_runs;
    const Subject subject{format == "lv2" ? Format::lv2 : Format::vst3, plugin, models, serpent};
    if (window) return show_window(subject);
    if (figures) return print_figures(subject, editor);

    int failures = 0, ran = 0;
    auto groups = {audio_checks(), state_checks(), program_checks(subject.format), hostile_checks(), format == "vst3" ? vst3_checks() : std::vector<Check>{},
                   editor ? editor_checks() : std::vector<Check>{}};
    for (const auto& group : groups)
        for (const Check& check : group) {
            if (!std::regex_search(check.name, std::regex(only))) continue;
            ++ran;
            std::printf("%-44s ", check.name.c_str());
            std::fflush(stdout);
            const auto start = std::chrono::steady_clock::now();
            try {
                check.run(subject);
                std::printf("ok    %6.2f s\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
            } catch (const std::exception& error) {
                ++failures;
                std::printf("FAILED: %s\n", error.what());
            }
            std::fflush(stdout);
        }
    std::printf("%d checks, %d failed\n", ran, failures);
    return failures == 0 && ran > 0 ? 0 : 1;
}
