// SPDX-License-Identifier: GPL-3.0-or-later
// serpent completion, serpent manual: what the shell and man know of the command.
#include "commands.h"
#include "describe/description.h"
#include "one_of.h"

#include "serpent/errors.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

namespace {

constexpr const char* completion_footer =
    "Examples:\n"
    "  source <(serpent completion bash)                                                 for this shell\n"
    "  serpent completion bash > ~/.local/share/bash-completion/completions/serpent      for every one to come\n"
    "  serpent completion zsh > ~/.zfunc/_serpent              where ~/.zshrc has fpath+=~/.zfunc before compinit\n"
    "  serpent completion fish > ~/.config/fish/completions/serpent.fish\n"
    "\n"
    "Packages bring these files; nothing has to be done there.";

constexpr const char* manual_footer =
    "Examples:\n"
    "  serpent manual | man -l -                         the page of the whole\n"
    "  serpent manual --folder ~/.local/share/man/man1   all pages, one for each command";

void write_page(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    if (!file) throw serpent::Error("cannot write " + path.string() + "; is there a folder of that name that can be written to?");
}

} // namespace

CLI::App* add_completion_command(CLI::App& app) {
    const auto shell = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand("completion", "Write what bash, zsh or fish need to complete commands and options");
    command->footer(completion_footer);
    command->add_option("SHELL", *shell, "bash, zsh or fish")->required()->type_name("")->check(one_of({"bash", "zsh", "fish"}));
    command->callback([&app, shell] {
        const CommandDescription description = describe(app);
        std::cout << (*shell == "bash" ? bash_completion(description)
                      : *shell == "zsh" ? zsh_completion(description) : fish_completion(description));
    });
    return command;
}

CLI::App* add_manual_command(CLI::App& app) {
    const auto folder = std::make_shared<std::filesystem::path>();
    CLI::App* command = app.add_subcommand("manual", "Write the manual page, for man");
    command->footer(manual_footer);
    command->add_option("--folder", *folder, "Write the pages of all commands there")->type_name("DIR");
    command->callback([&app, folder] {
        const CommandDescription description = describe(app);
        if (folder->empty()) {
            std::cout << manual_page(description, SERPENT_VERSION);
            return;
        }
        write_page(*folder / "serpent.1", manual_page(description, SERPENT_VERSION));
        for (const CommandDescription& one : description.commands)
            write_page(*folder / ("serpent-" + one.name + ".1"), manual_page(description, one, SERPENT_VERSION));
    });
    return command;
}
