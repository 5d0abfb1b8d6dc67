// SPDX-License-Identifier: MIT
// The chunks of a WAV (RIFF or RIFX), RF64, W64, AIFF or CAF file, found where they are, whatever its sizes say.
#pragma once

#include <array>
#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serpent::audio {

struct Chunk {
    std::string id;              ///< four characters, or the 16 bytes of a GUID
    std::uint64_t begin = 0;     ///< of its content, in the file
    std::uint64_t stated = 0;    ///< bytes of content, as the file says
    std::uint64_t size = 0;      ///< bytes of content that are there
};

enum class Fault {
    none,
    unpadded,    ///< a chunk of odd length without the byte that makes it even
    unfinished,  ///< the samples have size 0 and go on all the same
    too_long,    ///< the samples have a larger size than the file
    wrapped      ///< more than 4 GiB behind a size of 32 bits
};

/// How a family of containers writes its chunks.
struct Dialect {
    const char* family;           ///< "RIFF", "RF64", "FORM", "W64", "CAF", "RIFX"
    std::size_t prologue;         ///< bytes before the first chunk
    std::size_t id_bytes, size_bytes;
    bool big_endian, size_has_header;
    std::uint64_t alignment;      ///< of chunks
    const char* samples;          ///< how the id of the chunk with the samples begins
    std::uint64_t inner_header;   ///< bytes of that chunk in front of the samples

    std::size_t header_bytes() const noexcept { return id_bytes + size_bytes; }
    std::string header(const std::string& id, std::uint64_t size) const;
};

struct Container {
    const Dialect* dialect = nullptr;
    std::string prologue;
    std::vector<Chunk> chunks;      ///< as far as they make sense
    std::size_t samples = 0;        ///< index of the chunk with the samples
    bool open_ended = false;        ///< the samples go on to the end of the file, and the file says so
    Fault fault = Fault::none;      ///< the worst there is
    std::string unpadded_id;        ///< the chunk that Fault::unpadded is about
};

/// None when this is none of these containers, or has no chunk with samples. Reads headers only.
std::optional<Container> read_container(std::istream& file, std::uint64_t file_bytes);

/// In so many bytes, at most eight.
std::string encoded(std::uint64_t value, std::size_t bytes, bool big_endian);
std::uint64_t decoded(std::string_view bytes, bool big_endian) noexcept;

} // namespace serpent::audio
