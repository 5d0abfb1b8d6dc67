// SPDX-License-Identifier: MIT
// The text of a .nam file: JSON, with long lists of weights in it.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace serpent::nam {

/// Largest file that is read. The largest captures that are known have some 10 MB.
inline constexpr std::size_t max_bytes = std::size_t{64} << 20;

/// `json` without the lists called "weights": in the place of each stands a binary value, whose subtype is its number in `weights`.
struct Document {
    nlohmann::json json;
    std::vector<std::vector<float>> weights;
};

/// Throws Error on bad syntax, on a key given twice, on nesting, values and names beyond reason, and on weights that are no finite
/// float. Needs memory in proportion to the text.
Document parse_document(std::string_view text);

} // namespace serpent::nam
