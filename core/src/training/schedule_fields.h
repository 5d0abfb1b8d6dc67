// SPDX-License-Identifier: MIT
// Reading and checking the schedule of a training, whoever wrote it: the user, as JSON, or a checkpoint.
#pragma once

#include "serpent/errors.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <sstream>
#include <string>

namespace serpent {

inline constexpr std::int64_t most_steps = 1'000'000'000'000;
inline constexpr int most_lanes = 4096, longest_segment_samples = 65536;

/// `object` with the fields of `patch`. Throws Error naming one that it does not have.
inline nlohmann::json patched(nlohmann::json object, const nlohmann::json& patch, const std::string& what) {
    if (!patch.is_object()) throw Error(what + " changes are a JSON object { ... }");
    for (const auto& [key, value] : patch.items()) {
        if (!object.contains(key)) throw Error("there is no " + what + " setting named \"" + key + "\"");
        object[key] = value;
    }
    return object;
}

/// `schedule` with the fields of `patch`. Throws Error naming one that it does not have, of another type or too large for it.
template <class Schedule>
Schedule patched_schedule(const Schedule& schedule, const nlohmann::json& patch) {
    const nlohmann::json before = schedule, after = patched(before, patch, "schedule");
    const auto fail = [](const std::string& key, const char* what) { throw Error("the schedule's \"" + key + "\" must be " + what); };
    for (const auto& [key, value] : patch.items()) {
        if (before[key].is_string() && !value.is_string()) fail(key, "a text");
        if (before[key].is_number_float() && !value.is_number()) fail(key, "a number");
        if (before[key].is_number_integer() && !value.is_number_integer()) fail(key, "a whole number");
    }
    const Schedule result = after.get<Schedule>();
    const nlohmann::json again = result;
    for (const auto& [key, value] : patch.items())
        if (before[key].is_number_integer() && again[key] != value) fail(key, "a smaller number");
    return result;
}

/// Throws Error unless low <= value <= high, which NaN is not.
template <class Number>
void check_field(const char* field, Number value, double low, double high) {
    if (double(value) >= low && double(value) <= high) return;
    std::ostringstream text;
    text << "the schedule's \"" << field << "\" is " << value << "; it must be from " << low << " to " << high;
    throw Error(text.str());
}

inline void check_lanes_field(int lanes) {
    if (lanes < 16 || lanes % 16 != 0 || lanes > most_lanes)
        throw Error("the schedule has " + std::to_string(lanes) + " lanes; give a multiple of 16, at most " + std::to_string(most_lanes));
}

} // namespace serpent
