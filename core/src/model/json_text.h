// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace serpent {

/// JSON from a stranger: throws Error, beginning with `what`, on bad syntax or UTF-8, on a key given twice in one
/// object and on nesting deeper than 16. Needs memory in proportion to the text only.
nlohmann::json parse_json(std::string_view text, const std::string& what);

/// The text of a json or ordered_json, whatever bytes its strings hold: those that are no UTF-8 are replaced. Use
/// valid_utf8() on texts from outside before, and nothing is lost.
template <class Json>
std::string json_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace serpent
