// SPDX-License-Identifier: MIT
// Reading the fields of a "config" text: each is checked for its type, and a mistake is an Error that names the field.
#pragma once

#include "model/safetensors.h"
#include "serpent/errors.h"
#include "serpent/model.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <string>

namespace serpent::fields {

[[noreturn]] inline void fail(const std::string& field, const std::string& reason) {
    throw Error("config: \"" + field + "\" " + reason);
}

inline const nlohmann::json* find(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

inline void read(const nlohmann::json& value, const std::string& field, int& out) {
    const auto fits = [](auto number) {
        return number >= std::numeric_limits<int>::min() && number <= std::numeric_limits<int>::max();
    };
    const bool ok = value.is_number_unsigned() ? value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<int>::max()}
                                               : value.is_number_integer() && fits(value.get<std::int64_t>());
    if (!ok) fail(field, "must be a whole number within its limits");
    out = value.get<int>();
}

inline void read(const nlohmann::json& value, const std::string& field, bool& out) {
    if (!value.is_boolean()) fail(field, "must be true or false");
    out = value.get<bool>();
}

inline void read(const nlohmann::json& value, const std::string& field, float& out) {
    if (!value.is_number()) fail(field, "must be a number");
    out = value.get<float>();
}

inline void read(const nlohmann::json& value, const std::string& field, std::string& out) {
    if (!value.is_string()) fail(field, "must be a text");
    out = value.get<std::string>();
}

/// Leaves `out` alone when the key is absent; says whether it was there.
template <class T>
bool optional(const nlohmann::json& object, const std::string& prefix, const char* key, T& out) {
    const nlohmann::json* value = find(object, key);
    if (value) read(*value, prefix + key, out);
    return value != nullptr;
}

template <class T>
void required(const nlohmann::json& object, const std::string& prefix, const char* key, T& out) {
    if (!optional(object, prefix, key, out)) fail(prefix + key, "is missing");
}

template <class Enum>
void optional_choice(const nlohmann::json& object, const std::string& prefix, const char* key, const char* first_name, Enum first,
                     const char* second_name, Enum second, Enum& out) {
    std::string text;
    if (!optional(object, prefix, key, text)) return;
    if (text == first_name) out = first;
    else if (text == second_name) out = second;
    else fail(prefix + key, "is " + printable(text) + "; it must be \"" + first_name + "\" or \"" + second_name + "\"");
}

inline void check_range(const std::string& field, int value, int low, int high) {
    if (value < low || value > high) {
        fail(field, "is " + std::to_string(value) + "; it must be from " + std::to_string(low) + " to " + std::to_string(high));
    }
}

/// The widths and options of a stack of layers: d_model, n_layers, d_state, d_conv, expand, dt_rank, a, b_bar.
void read_stack(const nlohmann::json& object, const std::string& prefix, ModelConfig& config);
/// Appends them to `object`.
void write_stack(const ModelConfig& config, nlohmann::ordered_json& object);
void check_stack(const ModelConfig& config, const std::string& prefix);
/// What version 2 of the format adds to a stack: the kinds of its blocks, and their dilations.
void read_blocks(const nlohmann::json& object, const std::string& prefix, ModelConfig& config);
/// Only where they are not those of version 1.
void write_blocks(const ModelConfig& config, nlohmann::ordered_json& object);

} // namespace serpent::fields
