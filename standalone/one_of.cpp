// SPDX-License-Identifier: GPL-3.0-or-later
#include "one_of.h"

#include <sstream>

namespace {

const std::string mark = "one of";  // begins the validator's name, which CLI11 keeps but never shows

} // namespace

CLI::Validator one_of(const std::vector<std::string>& words) {
    std::string name = mark;
    for (const std::string& word : words) name += " " + word;
    return CLI::IsMember(words).description("").name(name);
}

std::vector<std::string> words_of(CLI::Option& option) {
    std::vector<std::string> words;
    try {
        for (int i = 0; words.empty(); ++i) {  // there is no way to ask how many
            const std::string name = option.get_validator(i)->get_name();
            if (!name.starts_with(mark)) continue;
            std::istringstream text(name.substr(mark.size()));
            for (std::string word; text >> word;) words.push_back(word);
        }
    } catch (const CLI::OptionNotFound&) {  // that was the last
    }
    return words;
}
