// SPDX-License-Identifier: MIT
// Pieces of text for the page.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serpent::report {

/// Text for HTML, inside an element or a quoted attribute.
std::string escaped(std::string_view text);
/// JSON for inside a <script> element: no '<' is left in it, bad UTF-8 is replaced, NaN and infinities become null.
std::string script_json(const nlohmann::json& value);
std::string base64(std::span<const std::uint8_t> bytes);

/// "0.00012", "3.4", "1,200"...: as many digits as are worth reading; "not a number" and "infinite" where it is not.
std::string figure(double value, int significant_digits = 3);

/// Puts each value in the place of its {{name}} in one pass, so that braces inside a value mean nothing.
/// Throws std::logic_error for a field that has no value.
std::string filled(std::string_view page, const std::vector<std::pair<std::string_view, std::string>>& values);

} // namespace serpent::report
