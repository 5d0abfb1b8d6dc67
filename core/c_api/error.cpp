// SPDX-License-Identifier: MIT
#include "c_api/handles.h"

#include "serpent/version.h"

#include <algorithm>
#include <cstring>

namespace {

constexpr std::size_t message_room = 2048;
thread_local char last_message[message_room];  // no std::string: saying that memory is short must not need any

/// Whether `byte` goes on with a character of UTF-8 that began before.
bool goes_on(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

} // namespace

namespace serpent::c_api {

serpent_status fail(serpent_status status, const char* message) noexcept {
    std::size_t length = std::min(std::strlen(message), message_room - 1);
    if (message[length] != 0)
        while (length > 0 && goes_on(message[length])) --length;
    std::memcpy(last_message, message, length);
    last_message[length] = 0;
    return status;
}

} // namespace serpent::c_api

int serpent_api_version(void) { return SERPENT_API_VERSION; }
const char* serpent_version(void) { return SERPENT_VERSION; }
const char* serpent_error(void) { return last_message; }
