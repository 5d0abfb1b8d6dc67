// SPDX-License-Identifier: MIT
#include "report/text.h"

#include "model/json_text.h"
#include "serpent/errors.h"
#include "serpent/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace serpent::report {

std::string escaped(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (const char c : valid_utf8(text)) {
        switch (c) {
        case '&': result += "&amp;"; break;
        case '<': result += "&lt;"; break;
        case '>': result += "&gt;"; break;
        case '"': result += "&quot;"; break;
        case '\'': result += "&#39;"; break;
        default: result += c;
        }
    }
    return result;
}

std::string script_json(const nlohmann::json& value) {
    const std::string text = json_text(value);
    std::string result;
    result.reserve(text.size());
    for (const char c : text) {
        if (c == '<') result += "\\u003c"; // "</script>" and "<!--" would end or bend the element
        else result += c;
    }
    return result;
}

std::string base64(std::span<const std::uint8_t> bytes) {
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    result.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = std::uint32_t{bytes[i]} << 16;
        if (left > 1) group |= std::uint32_t{bytes[i + 1]} << 8;
        if (left > 2) group |= bytes[i + 2];
        result += digits[group >> 18];
        result += digits[group >> 12 & 63];
        result += left > 1 ? digits[group >> 6 & 63] : '=';
        result += left > 2 ? digits[group & 63] : '=';
    }
    return result;
}

std::string figure(double value, int significant_digits) {
    if (std::isnan(value)) return "not a number";
    if (std::isinf(value)) return value < 0 ? "minus infinite" : "infinite";
    if (value == 0) return "0";
    const double size = std::abs(value);
    std::array<char, 64> text{};
    if (size < 1e-7 || size >= 1e7) {
        std::snprintf(text.data(), text.size(), "%.*e", significant_digits - 1, value);
    } else {
        const int whole_digits = static_cast<int>(std::floor(std::log10(size))) + 1;
        std::snprintf(text.data(), text.size(), "%.*f", std::max(0, significant_digits - whole_digits), value);
    }
    return text.data();
}

std::string filled(std::string_view page, const std::vector<std::pair<std::string_view, std::string>>& values) {
    std::string result;
    while (true) {
        const std::size_t open = page.find("{{");
        result += page.substr(0, open);
        if (open == std::string_view::npos) return result;
        const std::size_t close = page.find("}}", open);
        if (close == std::string_view::npos) throw Error("a field of the report's page is not closed: install serpent again");
        const std::string_view name = page.substr(open + 2, close - open - 2);
        const auto value = std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.first == name; });
        if (value == values.end())
            throw Error("the report's page has an unknown field " + std::string(name) + ": install serpent again");
        result += value->second;
        page.remove_prefix(close + 2);
    }
}

} // namespace serpent::report
