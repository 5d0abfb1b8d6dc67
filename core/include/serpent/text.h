// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace serpent {

/// UTF-8, whatever the bytes: file names and command lines may hold others, JSON and HTML may not. Bytes that are not UTF-8
/// are read as Latin-1, which is what they nearly always are; texts that differ stay different. UTF-8 comes back as it is.
std::string valid_utf8(std::string_view bytes);

} // namespace serpent
