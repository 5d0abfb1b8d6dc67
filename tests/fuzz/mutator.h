// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer's custom mutator for safetensors files. It knows one thing about the format: the header has a length in front of
// it, which random edits would nearly always break.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
    constexpr std::size_t prefix = 8;
    std::uint64_t header = 0;
    if (size >= prefix) std::memcpy(&header, data, prefix);
    if (size < prefix || header > size - prefix || seed % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
    const std::vector<std::uint8_t> tail(data + prefix + header, data + size);
    if (seed % 8 == 1) {  // the tensors' bytes
        return prefix + header + LLVMFuzzerMutate(data + prefix + header, tail.size(), max_size - prefix - header);
    }
    const std::size_t room = max_size - prefix;
    const std::uint64_t new_header = LLVMFuzzerMutate(data + prefix, header, room);
    std::memcpy(data, &new_header, prefix);
    const std::size_t kept = std::min(tail.size(), room - static_cast<std::size_t>(new_header));
    std::copy_n(tail.begin(), kept, data + prefix + new_header);
    return prefix + new_header + kept;
}
