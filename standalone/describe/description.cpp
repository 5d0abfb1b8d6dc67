// SPDX-License-Identifier: GPL-3.0-or-later
#include "description.h"
#include "one_of.h"

#include <algorithm>

namespace {

using Values = OptionDescription::Values;

/// The last word of each name says what it is: type names are chosen so.
Values values_of(const std::string& type, bool positional) {
    const auto has = [&](const char* word) { return type.find(word) != std::string::npos; };
    if (positional && type == "MODEL") return Values::model;
    if (positional && type == "DIR") return Values::folder;
    if (positional || has("FILE") || has("DIR") || has("MODEL") || has("WET")) return Values::file;
    return Values::text;
}

OptionDescription describe(CLI::Option& option) {
    OptionDescription out;
    const bool positional = option.get_positional();
    for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
    out.help = option.get_description();
    out.required = option.get_required();
    const bool flag = option.get_items_expected_max() == 0;
    if (flag) return out;
    out.value = positional ? option.get_name(true) : option.get_type_name();
    out.words = words_of(option);
    out.values = out.words.empty() ? values_of(out.value, positional) : Values::words;
    out.repeated = option.get_items_expected_max() > 1000;  // "any number" is a large one in CLI11
    return out;
}

} // namespace

CommandDescription describe(CLI::App& app) {
    CommandDescription out{app.get_name(), app.get_description(), app.get_footer(), {}, {}, {}};
    for (CLI::Option* option : app.get_options())
        (option->get_positional() ? out.positionals : out.options).push_back(describe(*option));
    for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
        out.commands.push_back(describe(*command));
        if (out.commands.back().footer == out.footer) out.commands.back().footer.clear();  // inherited
    }
    return out;
}

std::string in_quotes(const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}
