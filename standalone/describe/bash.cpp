// SPDX-License-Identifier: GPL-3.0-or-later
#include "description.h"

#include <algorithm>
#include <sstream>

namespace {

using Values = OptionDescription::Values;

std::string joined(const std::vector<std::string>& words, const char* separator) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
    return text;
}

std::string action(const OptionDescription& option) {
    switch (option.values) {
    case Values::words: return "words=" + in_quotes(joined(option.words, " "));
    case Values::model: return "kind=model";
    case Values::folder: return "kind=folder";
    case Values::file: return "kind=file";
    default: return "kind=text";
    }
}

/// `render' --subtype') words=...`: what stands before the cursor, and what may follow.
void write_values(std::ostream& out, const CommandDescription& command) {
    for (const OptionDescription& option : command.options) {
        if (option.values == Values::none) continue;
        std::vector<std::string> patterns;
        for (const std::string& name : option.names) patterns.push_back(in_quotes(command.name + " " + name));
        out << "        " << joined(patterns, " | ") << ") " << action(option) << " ;;\n";
    }
}

/// All options of a command, and what its positionals are: the kind of the last one, for all but the first take files.
void write_command(std::ostream& out, const CommandDescription& command) {
    std::vector<std::string> names;
    for (const OptionDescription& option : command.options) names.insert(names.end(), option.names.begin(), option.names.end());
    out << "            " << command.name << ") options=" << in_quotes(joined(names, " "));
    if (!command.positionals.empty()) out << "; " << action(command.positionals.back());
    out << " ;;\n";
}

constexpr const char* head = R"(# Completion of serpent for bash; written by 'serpent completion bash'.
_serpent() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' options='' words='' kind='' given=''
    # --option=value comes as three words
    if [[ $cur == = ]]; then
        cur='' given=1
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]} given=1
    fi
    COMPREPLY=()
    [[ $COMP_CWORD -gt 1 ]] && command=${COMP_WORDS[1]}
    case "$command $prev" in
)";

constexpr const char* tail = R"(        *) return ;;
        esac
    fi
    local IFS=$'\n'
    if [[ -z $given && $cur == -* ]]; then
        COMPREPLY=($(compgen -W "${options// /$'\n'}" -- "$cur"))
    elif [[ -n $words ]]; then
        COMPREPLY=($(compgen -W "${words// /$'\n'}" -- "$cur"))
    elif [[ $kind == model ]]; then
        COMPREPLY=($(compgen -f -X '!*.safetensors' -- "$cur"; compgen -f -X '!*.nam' -- "$cur"; compgen -d -- "$cur"))
        compopt -o filenames 2>/dev/null
    elif [[ $kind == folder ]]; then
        COMPREPLY=($(compgen -d -- "$cur"))
        compopt -o filenames 2>/dev/null
    elif [[ $kind == file ]]; then
        COMPREPLY=($(compgen -f -- "$cur"))
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _serpent serpent
)";

} // namespace

std::string bash_completion(const CommandDescription& app) {
    std::ostringstream out;
    out << head;
    for (const CommandDescription& command : app.commands) write_values(out, command);
    out << "    esac\n    if [[ -z $kind$words ]]; then\n        case \"$command\" in\n";
    std::string names;
    for (const CommandDescription& command : app.commands) names += (names.empty() ? "" : " ") + command.name;
    out << "            '') options='--help --version' words=" << in_quotes(names) << " ;;\n";
    for (const CommandDescription& command : app.commands) write_command(out, command);
    out << "    " << tail;
    return out.str();
}
