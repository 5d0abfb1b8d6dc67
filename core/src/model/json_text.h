// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace serpent {

/// JSON from a stranger: throws Error, beginning with `what`, on bad syntax or UTF-8, on a key given twice in one
/// object and on nesting deeper than 16. Needs memory in proportion to the text only.
nlohmann::json parse_json(std::string_view text, const std::string& what);

} // namespace serpent
