// SPDX-License-Identifier: GPL-3.0-or-later
// A file's content as a string.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

inline std::string read_bytes(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
