// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"

#include "serpent/errors.h"
#include "serpent/text.h"

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

namespace {

constexpr const char* description =
    "serpent plays and trains models of amplifiers, pedals and compressors:\n"
    "selective state space models (Mamba) on audio.";

constexpr const char* examples =
    "Examples:\n"
    "  serpent render amp.safetensors guitar.wav -o amped.wav     play a recording through a model\n"
    "  serpent train dry.wav wet.wav -o amp.safetensors           make one from two recordings of a device\n"
    "  serpent evaluate amp.safetensors dry.wav wet.wav           measure how close it comes\n"
    "\n"
    "'serpent COMMAND --help' explains each command. The exit status is 0 when all went well and 1 when not.";

std::string typed = "serpent";

/// Quoted where a shell would need it.
std::string quoted(const std::string& word) {
    if (!word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:+@%") ==
                             std::string::npos)
        return word;
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

void add_commands(CLI::App& app) {
    add_render_command(app);
    add_info_command(app);
    add_bench_command(app);
    add_import_command(app);
    add_convert_command(app);
    add_signal_command(app);
    add_train_command(app);
    add_evaluate_command(app);
    add_train_generator_command(app);
    add_generate_command(app);
#ifdef SERPENT_LIVE
    add_live_command(app);
    add_devices_command(app);
#endif
    add_models_command(app);
    add_completion_command(app);
    add_manual_command(app);
}

int report(const std::string& message, const std::string& hint = {}) {
    std::cerr << "serpent: " << message << '\n';
    if (!hint.empty()) std::cerr << hint << '\n';
    return EXIT_FAILURE;
}

/// "serpent" or "serpent render": whose --help explains the mistake.
std::string command_line_so_far(const CLI::App& app) {
    std::string text = "serpent";
    for (const CLI::App* command : app.get_subcommands()) text += " " + command->get_name();
    return text;
}

int run(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) typed += " " + serpent::valid_utf8(quoted(argv[i]));
    CLI::App app{description, "serpent"};
    app.footer(examples);
    app.set_version_flag("--version", "serpent " SERPENT_VERSION);
    app.require_subcommand(1);
    add_commands(app);
    try {
        app.parse(argc, argv);
        return EXIT_SUCCESS;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error); // --help and --version arrive this way
        const bool unknown = app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-';
        return report(unknown ? "there is no command '" + std::string(argv[1]) + "'" : error.what(),
                      "Try '" + command_line_so_far(app) + " --help'.");
    }
}

} // namespace

const std::string& command_line() { return typed; }

int main(int argc, char** argv) {
#ifdef SIGXFSZ
    std::signal(SIGXFSZ, SIG_IGN); // a file over the size limit is then an error of write(), told like a full disk
#endif
    try {
        return run(argc, argv);
    } catch (const std::bad_alloc&) {
        return report("out of memory");
    } catch (const std::exception& error) {
        return report(error.what());
    }
}
