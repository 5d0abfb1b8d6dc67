// SPDX-License-Identifier: MIT
#include "serpent/text.h"

#include <cstddef>
#include <cstdint>

namespace serpent {

namespace {

/// Length of the well-formed UTF-8 character that `bytes` begin with; 0: there is none (RFC 3629: no overlong forms,
/// surrogates or code points above 10FFFF).
std::size_t character_length(std::string_view bytes) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
    const unsigned char second = byte(1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second > 0x9f, too_high = first == 0xf4 && second > 0x8f;
    return overlong || surrogate || too_high ? 0 : length;
}

} // namespace

std::string valid_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = character_length(bytes);
        if (length > 0) {
            text += bytes.substr(0, length);
        } else {
            const auto latin_1 = static_cast<unsigned char>(bytes.front());
            text += static_cast<char>(0xc0 | latin_1 >> 6);
            text += static_cast<char>(0x80 | (latin_1 & 0x3f));
        }
        bytes.remove_prefix(length > 0 ? length : 1);
    }
    return text;
}

} // namespace serpent
