// SPDX-License-Identifier: MIT
#include "nam/fields.h"

#include "model/safetensors.h"
#include "serpent/errors.h"

#include <cmath>
#include <cstdint>
#include <utility>

namespace serpent::nam {

using nlohmann::json;

namespace {

bool is_whole(const json& value, int least, int most) {
    if (value.is_number_unsigned()) return value.get<std::uint64_t>() <= static_cast<std::uint64_t>(most) &&
                                           static_cast<std::int64_t>(value.get<std::uint64_t>()) >= least;
    return value.is_number_integer() && value.get<std::int64_t>() >= least && value.get<std::int64_t>() <= most;
}

std::string from_to(int least, int most) { return "from " + std::to_string(least) + " to " + std::to_string(most); }

bool is_unused(const json& value) {
    if (value.is_null() || value == false) return true;
    return value.is_object() && value.contains("active") && value["active"] == false;
}

} // namespace

Fields::Fields(const json& value, std::string where, std::string version)
    : object_(value), where_(std::move(where)), version_(std::move(version)) {
    if (!value.is_object()) throw Error("\"" + where_ + "\" must be an object (version " + version_ + ")");
}

std::string Fields::path(const char* key) const { return where_.empty() ? std::string(key) : where_ + "." + key; }
std::string Fields::name(const char* key) const { return '"' + path(key) + '"'; }

void Fields::refuse(const char* key, const std::string& why) const { throw Error(name(key) + " " + why + " (version " + version_ + ")"); }

bool Fields::has(const char* key) {
    asked_.insert(key);
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
}

const json& Fields::at(const char* key) {
    if (!has(key)) refuse(key, "is missing");
    return *object_.find(key);
}

int Fields::whole(const char* key, int least, int most) {
    const json& value = at(key);
    if (!is_whole(value, least, most)) refuse(key, "must be a whole number " + from_to(least, most));
    return value.get<int>();
}

int Fields::whole_or(const char* key, int least, int most, int otherwise) { return has(key) ? whole(key, least, most) : otherwise; }

bool Fields::flag(const char* key) {
    const json& value = at(key);
    if (!value.is_boolean()) refuse(key, "must be true or false");
    return value.get<bool>();
}

bool Fields::flag_or(const char* key, bool otherwise) { return has(key) ? flag(key) : otherwise; }

float Fields::number(const char* key) {
    const json& value = at(key);
    const float number = value.is_number() ? value.get<float>() : NAN;
    if (!std::isfinite(number)) refuse(key, "must be a number that a float can hold");
    return number;
}

float Fields::number_or(const char* key, float otherwise) { return has(key) ? number(key) : otherwise; }

std::string Fields::text(const char* key) {
    const json& value = at(key);
    if (!value.is_string()) refuse(key, "must be a text");
    return value.get<std::string>();
}

std::vector<int> Fields::wholes(const char* key, int least, int most) {
    const json& list = at(key);
    if (!list.is_array() || list.empty()) refuse(key, "must be a list of whole numbers " + from_to(least, most));
    std::vector<int> values;
    for (const json& value : list) {
        if (!is_whole(value, least, most))
            refuse(key, "holds at " + std::to_string(values.size()) + " what is no whole number " + from_to(least, most));
        values.push_back(value.get<int>());
    }
    return values;
}

Fields Fields::object(const char* key) {
    const json& value = at(key);
    if (!value.is_object()) refuse(key, "must be an object");
    return Fields(value, path(key), version_);
}

void Fields::require_all_known() const {
    for (const auto& [key, value] : object_.items())
        if (!asked_.contains(key) && !is_unused(value))
            throw Error("\"" + where_ + "\" has the field " + printable(key) + ", which Serpent does not know (version " + version_ +
                        "): it may change the sound");
}

} // namespace serpent::nam
