// SPDX-License-Identifier: MIT
#include "serpent/takes.h"

#include "serpent/errors.h"
#include "serpent/file_kind.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <span>
#include <sstream>

namespace serpent {

namespace {

using nlohmann::json;

/// Reads fields of one JSON object; every complaint says where in the file it is about.
class Reader {
public:
    Reader(const json& object, std::string place) : object_(object), place_(std::move(place)) {
        if (!object.is_object()) fail("must be a JSON object { ... }");
    }

    [[noreturn]] void fail(const std::string& complaint) const { throw Error(place_ + " " + complaint); }
    bool has(const char* field) const { return object_.contains(field); }

    std::string text(const char* field) const {
        if (!has(field) || !object_[field].is_string() || object_[field].get_ref<const std::string&>().empty())
            fail("needs \"" + std::string(field) + "\", a text");
        return object_[field].get<std::string>();
    }

    float number(const char* field) const {
        if (!has(field)) fail("needs \"" + std::string(field) + "\", a number");
        return to_number(object_[field], std::string{'"'}.append(field).append("\""));
    }

    float to_number(const json& value, const std::string& what) const {
        const double number = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
        if (!(std::abs(number) <= std::numeric_limits<float>::max())) fail("has a " + what + " that is not a number");
        return static_cast<float>(number);
    }

    /// The elements of an array field; none when it is absent.
    std::vector<json> list(const char* field) const {
        if (!has(field)) return {};
        if (!object_[field].is_array()) fail("has a \"" + std::string(field) + "\" that is not a list [ ... ]");
        return object_[field].get<std::vector<json>>();
    }

    const json& operator[](const char* field) const { return object_[field]; }

private:
    const json& object_;
    std::string place_;
};

std::string nth(std::string_view source, const char* list, std::size_t index) {
    return std::string(source) + ": entry " + std::to_string(index + 1) + " of \"" + list + "\"";
}

std::string show(float value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

Control parse_control(const Reader& reader) {
    Control control;
    control.name = reader.text("name");
    if (reader.has("unit")) control.unit = reader.text("unit");
    control.min = reader.number("min");
    control.max = reader.number("max");
    if (!(control.min < control.max)) reader.fail("needs a \"min\" below its \"max\"");
    control.default_value = reader.has("default") ? reader.number("default") : 0.5f * (control.min + control.max);
    if (control.default_value < control.min || control.default_value > control.max)
        reader.fail("has a \"default\" outside its range " + show(control.min) + " to " + show(control.max));
    return control;
}

std::vector<float> parse_settings(const Reader& take, const std::vector<Control>& controls) {
    const json none = json::object();
    const json& settings = take.has("controls") ? take["controls"] : none;
    if (!settings.is_object()) take.fail("needs \"controls\" of the form {\"Name\": value}");
    for (const auto& [name, value] : settings.items()) {
        const auto same_name = [&name = name](const Control& c) { return c.name == name; };
        if (std::none_of(controls.begin(), controls.end(), same_name))
            take.fail("sets \"" + name + "\", which the file's list of controls does not have");
    }
    std::vector<float> values;
    for (const Control& control : controls) {
        if (!settings.contains(control.name)) take.fail("has no value for the control \"" + control.name + "\"");
        const float value = take.to_number(settings[control.name], "value of \"" + control.name + "\"");
        if (value < control.min || value > control.max)
            take.fail("sets \"" + control.name + "\" to " + show(value) + ", outside its range " + show(control.min) +
                      " to " + show(control.max));
        values.push_back(value);
    }
    return values;
}

std::vector<Take> parse_takes(const Reader& file, std::string_view source, const char* list,
                              const std::vector<Control>& controls, const std::filesystem::path& folder) {
    std::vector<Take> takes;
    for (const json& entry : file.list(list)) {
        const Reader take(entry, nth(source, list, takes.size()));
        takes.push_back({folder / take.text("dry"), folder / take.text("wet"), parse_settings(take, controls)});
    }
    return takes;
}

} // namespace

TakesFile TakesFile::parse(std::string_view text, std::string_view source, const std::filesystem::path& folder) {
    json root;
    try {
        root = json::parse(text);
    } catch (const json::exception& e) {
        const FileKind kind = kind_of(std::as_bytes(std::span(text)));
        if (kind.group == FileKind::Group::model || kind.group == FileKind::Group::audio)
            throw Error(std::string(source) + " is " + kind.name + ", not a list of takes; --takes wants a JSON file");
        throw Error(std::string(source) + " is not valid JSON: " + e.what());
    }
    const Reader file(root, std::string(source));
    TakesFile result;
    if (file.has("sample_rate")) {
        const float rate = file.number("sample_rate");
        if (!(rate >= 1 && rate <= 1e6f && rate == std::floor(rate)))
            file.fail("needs a \"sample_rate\" in Hz, a whole number such as 48000");
        result.sample_rate = static_cast<int>(rate);
    }
    for (const json& entry : file.list("controls")) {
        const Reader reader(entry, nth(source, "controls", result.controls.size()));
        Control control = parse_control(reader);
        for (const Control& other : result.controls)
            if (other.name == control.name) reader.fail("repeats the name \"" + control.name + "\"");
        result.controls.push_back(std::move(control));
    }
    result.takes = parse_takes(file, source, "takes", result.controls, folder);
    result.valid = parse_takes(file, source, "valid", result.controls, folder);
    result.test = parse_takes(file, source, "test", result.controls, folder);
    if (result.takes.empty() && result.test.empty())
        file.fail("lists no takes; it needs \"takes\": [{\"dry\": \"dry.wav\", \"wet\": \"wet.wav\"}]");
    return result;
}

TakesFile TakesFile::load(const std::filesystem::path& path) {
    std::error_code ignored;
    std::ifstream stream(path, std::ios::binary);
    if (!stream || std::filesystem::is_directory(path, ignored))
        throw Error("cannot read " + path.string() + "; --takes wants a JSON file that exists and may be read");
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    return parse(text, path.string(), path.parent_path());
}

std::string describe_controls(const std::vector<Control>& controls, const std::vector<float>& values) {
    std::string text;
    for (std::size_t i = 0; i < controls.size() && i < values.size(); ++i) {
        text += (i ? ", " : "") + controls[i].name + " " + show(values[i]);
        if (!controls[i].unit.empty()) text += " " + controls[i].unit;
    }
    return text;
}

} // namespace serpent
