// SPDX-License-Identifier: GPL-3.0-or-later
// Manual pages in troff's man macros.
#include "description.h"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace {

using Values = OptionDescription::Values;

/// Text of ours for troff: backslashes and hyphens as they are, and no line that begins like a request.
std::string troff(const std::string& text) {
    std::string out;
    bool at_start = true;
    for (const char c : text) {
        if (at_start && (c == '.' || c == '\'')) out += "\\&";
        at_start = c == '\n';
        if (c == '\\') out += "\\e";
        else if (c == '-') out += "\\-";
        else if (c == '\'') out += "\\(aq";
        else out += c;
    }
    return out;
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

std::string one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return text;
}

void write_option(std::ostream& out, const OptionDescription& option) {
    out << ".TP\n";
    std::string heading;
    for (const std::string& name : option.names) heading += (heading.empty() ? "\\fB" : "\\fR, \\fB") + troff(name);
    if (!option.value.empty()) heading += std::string(heading.empty() ? "" : "\\fR ") + "\\fI" + troff(option.value);
    out << heading << "\\fR" << (option.repeated ? " ..." : "") << '\n' << troff(option.help);
    if (option.required && !option.names.empty()) out << " (required)";
    out << '\n';
}

void write_synopsis(std::ostream& out, const CommandDescription& command) {
    out << ".B serpent " << troff(command.name) << "\n[\\fIOPTIONS\\fR]";
    for (const OptionDescription& option : command.options)
        if (option.required) out << " \\fB" << troff(option.names.front()) << "\\fR \\fI" << troff(option.value) << "\\fR";
    for (const OptionDescription& positional : command.positionals)
        out << ' ' << (positional.required ? "" : "[") << "\\fI" << troff(positional.value) << "\\fR" << (positional.required ? "" : "]")
            << (positional.repeated ? " ..." : "");
    out << '\n';
}

/// Footers are laid out by hand, examples in columns: they stay as they are.
void write_footer(std::ostream& out, const std::string& footer) {
    if (!footer.empty()) out << ".SH NOTES\n.nf\n" << troff(footer) << "\n.fi\n";
}

void write_head(std::ostream& out, const std::string& name, const std::string& help, const std::string& version) {
    out << ".\\\" Written by 'serpent manual'.\n.TH " << upper(troff(name)) << " 1 \"\" \"serpent " << version << "\" \"Serpent\"\n.SH NAME\n"
        << troff(name) << " \\- " << troff(one_line(help)) << "\n.SH SYNOPSIS\n";
}

} // namespace

std::string manual_page(const CommandDescription& app, const CommandDescription& command, const std::string& version) {
    std::ostringstream out;
    write_head(out, app.name + "-" + command.name, command.help, version);
    write_synopsis(out, command);
    if (!command.positionals.empty()) out << ".SH ARGUMENTS\n";
    for (const OptionDescription& positional : command.positionals) write_option(out, positional);
    out << ".SH OPTIONS\n";
    for (const OptionDescription& option : command.options) write_option(out, option);
    write_footer(out, command.footer);
    out << ".SH SEE ALSO\n.BR serpent (1)\n";
    return out.str();
}

std::string manual_page(const CommandDescription& app, const std::string& version) {
    std::ostringstream out;
    const std::string title = "plays and trains models of amplifiers, pedals and compressors";
    write_head(out, app.name, title, version);
    out << ".B serpent\n[\\fB\\-\\-help\\fR] [\\fB\\-\\-version\\fR] \\fICOMMAND\\fR ...\n.SH DESCRIPTION\n" << troff(app.help)
        << "\n.SH COMMANDS\n";
    for (const CommandDescription& command : app.commands)
        out << ".TP\n\\fB" << troff(command.name) << "\\fR\n" << troff(command.help) << '\n';
    write_footer(out, app.footer);
    out << ".SH SEE ALSO\n";
    for (const CommandDescription& command : app.commands)
        out << ".BR serpent\\-" << troff(command.name) << " (1)" << (&command == &app.commands.back() ? "\n" : ",\n");
    return out.str();
}
