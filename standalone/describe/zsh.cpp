// SPDX-License-Identifier: GPL-3.0-or-later
#include "description.h"

#include <sstream>

namespace {

using Values = OptionDescription::Values;

/// Brackets and colons separate the parts of a specification.
std::string escaped(const std::string& text, const char* specials) {
    std::string out;
    for (const char c : text) {
        if (std::string(specials).find(c) != std::string::npos) out += '\\';
        out += c;
    }
    return out;
}

std::string action(const OptionDescription& option) {
    std::string words;
    switch (option.values) {
    case Values::words:
        for (const std::string& word : option.words) words += (words.empty() ? "" : " ") + word;
        return "(" + words + ")";
    case Values::model: return "_files -g \"*.(safetensors|nam)\"";
    case Values::folder: return "_files -/";
    case Values::file: return "_files";
    default: return " ";
    }
}

std::string value(const OptionDescription& option) {
    const std::string name = option.value.empty() ? "value" : option.value;
    return ":" + escaped(name, ":\\") + ":" + action(option);
}

void write_command(std::ostream& out, const CommandDescription& command) {
    out << "        " << command.name << ")\n            _arguments -S";
    for (const OptionDescription& option : command.options)
        for (const std::string& name : option.names) {
            std::string others;
            if (!option.repeated)
                for (const std::string& other : option.names) others += (others.empty() ? "" : " ") + other;
            std::string text = option.repeated ? "*" : "(" + others + ")";
            text += name + (option.values != Values::none && name.starts_with("--") ? "=" : "");
            text += "[" + escaped(option.help, "[]\\") + "]";
            if (option.values != Values::none) text += value(option);
            out << " \\\n                " << in_quotes(text);
        }
    for (const OptionDescription& positional : command.positionals)
        out << " \\\n                " << in_quotes((positional.repeated ? "*" : "") + value(positional));
    out << "\n            ;;\n";
}

} // namespace

std::string zsh_completion(const CommandDescription& app) {
    std::ostringstream out;
    out << "#compdef serpent\n# Completion of serpent for zsh; written by 'serpent completion zsh'.\n"
           "_serpent() {\n    local curcontext=$curcontext state line\n    typeset -A opt_args\n"
           "    _arguments -C '(- *)'{-h,--help}'[Print this help message and exit]' '(- *)--version[Print the version]' \\\n"
           "        '1:command:->command' '*::argument:->argument'\n"
           "    if [[ $state == command ]]; then\n        local -a commands=(\n";
    for (const CommandDescription& command : app.commands)
        out << "            " << in_quotes(command.name + ":" + escaped(command.help, "\\")) << '\n';
    out << "        )\n        _describe command commands\n        return\n    fi\n"
           "    [[ $state == argument ]] || return\n    case $line[1] in\n";
    for (const CommandDescription& command : app.commands) write_command(out, command);
    out << "    esac\n}\n"
           "if [[ $funcstack[1] == _serpent ]]; then\n    _serpent \"$@\"\nelse\n    compdef _serpent serpent\nfi\n";
    return out.str();
}
