// SPDX-License-Identifier: MIT
#include "model/json_text.h"

#include "model/safetensors.h"
#include "serpent/errors.h"

#include <set>
#include <vector>

namespace serpent {

using nlohmann::json;

json parse_json(std::string_view text, const std::string& what) {
    constexpr int max_depth = 16;
    std::vector<std::set<std::string>> keys;  // of the objects that are open, outermost first
    const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
        if (depth > max_depth) throw Error(what + " is nested deeper than " + std::to_string(max_depth) + " levels");
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end) keys.pop_back();
        if (event == json::parse_event_t::key) {
            const auto& key = parsed.get_ref<const std::string&>();
            if (!keys.back().insert(key).second) throw Error(what + " has the key " + printable(key) + " twice");
        }
        return true;
    };
    try {
        return json::parse(text, check);
    } catch (const json::parse_error& error) {
        throw Error(what + " is not valid JSON (at byte " + std::to_string(error.byte) + ")");
    } catch (const json::exception&) {
        throw Error(what + " is not valid JSON");
    }
}

} // namespace serpent
