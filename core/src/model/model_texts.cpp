// SPDX-License-Identifier: MIT
#include "model/model_texts.h"

#include "model/safetensors.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"
#include "serpent/text.h"

#include <charconv>
#include <cmath>

namespace serpent {

namespace {

constexpr float max_a_log = 40.0f;  // exp(A_log), dt exp(A_log) and B x / exp(A_log) stay well inside float32
constexpr const char* format_name = "serpent";

std::string take(Texts& texts, const char* key) {
    auto node = texts.extract(key);
    return node.empty() ? std::string() : std::move(node.mapped());
}

std::optional<double> take_number(Texts& texts, const char* key) {
    const std::string text = take(texts, key);
    if (text.empty()) return std::nullopt;
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
        throw Error(std::string("__metadata__ entry \"") + key + "\" is " + printable(text) + "; it must be a number");
    }
    return value;
}

std::string number_text(double value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

} // namespace

Metadata metadata_from(Texts texts) {
    Metadata m;
    for (const char* consumed : {"format", "format_version", "config"}) texts.erase(consumed);
    m.name = take(texts, "name");
    m.author = take(texts, "author");
    m.license = take(texts, "license");
    m.description = take(texts, "description");
    m.gear = take(texts, "gear");
    m.loudness_db = take_number(texts, "loudness_db");
    m.input_level_dbu = take_number(texts, "input_level_dbu");
    m.training = take(texts, "training");
    m.other = std::move(texts);
    return m;
}

Texts texts_from(const Metadata& m, const std::string& config, int version) {
    Texts texts = m.other;
    const auto put = [&](const char* key, const std::string& text) {
        texts.erase(key);  // the named fields win over an entry of the same name in `other`
        if (!text.empty()) texts[key] = text;
    };
    put("format", format_name);
    put("format_version", std::to_string(version));
    put("config", config);
    put("name", m.name);
    put("author", m.author);
    put("license", m.license);
    put("description", m.description);
    put("gear", m.gear);
    put("loudness_db", m.loudness_db ? number_text(*m.loudness_db) : "");
    put("input_level_dbu", m.input_level_dbu ? number_text(*m.input_level_dbu) : "");
    put("training", m.training);
    Texts valid;
    for (const auto& [key, text] : texts) valid.emplace(valid_utf8(key), valid_utf8(text));
    return valid;
}

int check_format(const Texts& texts) {
    const auto value = [&](const char* key) {
        const auto found = texts.find(key);
        return found == texts.end() ? std::string() : found->second;
    };
    if (value("format") != format_name) {
        throw Error("not a Serpent model: the __metadata__ entry \"format\" must be \"serpent\" "
                    "(`serpent import` reads public Mamba checkpoints)");
    }
    const std::string version = value("format_version");
    if (version != "1" && version != "2") {
        throw Error("__metadata__ entry \"format_version\" is " + printable(version) +
                    "; this version of serpent reads \"1\" and \"2\"");
    }
    if (!texts.contains("config")) throw Error("the __metadata__ entry \"config\" is missing");
    return version == "1" ? 1 : 2;
}

void check_values(const TensorRef& tensor) {
    const Tensor values = tensor.data;
    if (tensor.optional && values.empty()) return;
    if (values.size() != tensor.elements()) {
        throw Error("tensor " + printable(tensor.name) + " has " + std::to_string(values.size()) + " values; its shape " +
                    shape_text(tensor.shape) + " needs " + std::to_string(tensor.elements()));
    }
    const bool is_a_log = tensor.name.ends_with(".A_log");
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) {
            throw Error("tensor " + printable(tensor.name) + " holds a value that is not finite, at index " + std::to_string(i));
        }
        if (is_a_log && std::fabs(values[i]) > max_a_log) {
            throw Error("tensor " + printable(tensor.name) + " holds " + std::to_string(values[i]) + " at index " +
                        std::to_string(i) + "; A_log must lie within +-40");
        }
    }
}

std::string why_no_model(std::span<const std::byte> bytes, const std::string& reason) {
    const std::string other = kind_of(bytes).instead_of_model();
    return other.empty() ? reason : other;
}

} // namespace serpent
