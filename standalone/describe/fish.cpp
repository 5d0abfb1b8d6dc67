// SPDX-License-Identifier: GPL-3.0-or-later
#include "description.h"

#include <algorithm>
#include <sstream>

namespace {

using Values = OptionDescription::Values;

bool takes_files(const OptionDescription& option) {
    return option.values == Values::file || option.values == Values::model || option.values == Values::folder;
}

void write_option(std::ostream& out, const std::string& command, const OptionDescription& option) {
    out << "complete -c serpent -n '__fish_seen_subcommand_from " << command << "'";
    for (const std::string& name : option.names)
        out << (name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1));
    if (takes_files(option)) out << " -r -F";
    if (option.values == Values::text) out << " -x";
    if (option.values == Values::words) {
        out << " -x -a '";
        for (const std::string& word : option.words) out << (&word == option.words.data() ? "" : " ") << word;
        out << "'";
    }
    out << " -d " << in_quotes(option.help) << '\n';
}

} // namespace

std::string fish_completion(const CommandDescription& app) {
    std::ostringstream out;
    out << "# Completion of serpent for fish; written by 'serpent completion fish'.\ncomplete -c serpent -f\n"
           "complete -c serpent -n __fish_use_subcommand -s h -l help -d 'Print this help message and exit'\n"
           "complete -c serpent -n __fish_use_subcommand -l version -d 'Print the version'\n";
    for (const CommandDescription& command : app.commands) {
        out << "complete -c serpent -n __fish_use_subcommand -a " << command.name << " -d " << in_quotes(command.help) << '\n';
        for (const OptionDescription& option : command.options) write_option(out, command.name, option);
        if (std::ranges::any_of(command.positionals, takes_files))
            out << "complete -c serpent -n '__fish_seen_subcommand_from " << command.name << "' -F\n";
        else if (!command.positionals.empty()) write_option(out, command.name, command.positionals.front());
    }
    return out.str();
}
