// SPDX-License-Identifier: MIT
// Fields of a .nam file's objects. Every one is asked for by name, within limits, and what nobody asked for is refused: it might
// change the sound. Errors name the field and the version.
#pragma once

#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <vector>

namespace serpent::nam {

class Fields {
public:
    /// `where`: "config.layers[0]", for messages. Throws Error unless `value` is an object. It must outlive this.
    Fields(const nlohmann::json& value, std::string where, std::string version);

    bool has(const char* key);  ///< and it is not null
    const nlohmann::json& at(const char* key);
    int whole(const char* key, int least, int most);
    int whole_or(const char* key, int least, int most, int otherwise);
    bool flag(const char* key);
    bool flag_or(const char* key, bool otherwise);
    float number(const char* key);
    float number_or(const char* key, float otherwise);
    std::string text(const char* key);
    std::vector<int> wholes(const char* key, int least, int most);
    Fields object(const char* key);

    /// Throws Error at the first field that was not asked for and is in use: not null, false or { "active": false }.
    void require_all_known() const;

    std::string path(const char* key) const;  ///< config.layers[0].channels
    std::string name(const char* key) const;  ///< the same, quoted
    const nlohmann::json& whole_object() const { return object_; }
    const std::string& where() const { return where_; }
    const std::string& version() const { return version_; }
    [[noreturn]] void refuse(const char* key, const std::string& why) const;

private:
    const nlohmann::json& object_;
    std::string where_, version_;
    std::set<std::string> asked_;
};

} // namespace serpent::nam
