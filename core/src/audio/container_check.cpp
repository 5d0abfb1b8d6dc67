// SPDX-License-Identifier: MIT
// A walk over the chunks of RIFF, RF64 and AIFF files, as far as the one that holds the samples.
#include "audio/sndfile_handle.h"

#include "serpent/errors.h"

#include <array>
#include <cstring>
#include <fstream>

namespace serpent::audio {

namespace {

struct Chunk {
    std::array<unsigned char, 4> id{};
    std::uint32_t size = 0;
};

std::uint32_t big_endian(const unsigned char* bytes) {
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

std::uint32_t little_endian(const unsigned char* bytes) {
    return std::uint32_t{bytes[3]} << 24 | std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[1]} << 8 | bytes[0];
}

bool is(const unsigned char* id, const char* name) { return std::memcmp(id, name, 4) == 0; }

class ChunkWalk {
public:
    explicit ChunkWalk(const std::filesystem::path& path)
        : path_(path), file_(path, std::ios::binary), size_(std::filesystem::file_size(path)) {}

    void check() {
        std::array<unsigned char, 12> header{};
        if (!read(header.data(), header.size())) return; // too short for a container: libsndfile says so better
        const bool riff = is(header.data(), "RIFF") || is(header.data(), "RF64");
        const bool aiff = is(header.data(), "FORM");
        if (!riff && !aiff) return;
        std::uint64_t rf64_data_size = 0;
        for (Chunk chunk; next(chunk, riff);) {
            const std::uint64_t start = static_cast<std::uint64_t>(file_.tellg());
            if (is(chunk.id.data(), "ds64")) rf64_data_size = ds64_data_size();
            if (is(chunk.id.data(), riff ? "data" : "SSND")) {
                const bool in_ds64 = is(header.data(), "RF64") && chunk.size == 0xffffffff;
                check_samples(start, in_ds64 ? rf64_data_size : chunk.size, in_ds64);
                return;
            }
            file_.seekg(static_cast<std::streamoff>(start + chunk.size + (chunk.size & 1)));
        }
    }

private:
    bool read(unsigned char* bytes, std::size_t n) {
        return static_cast<bool>(file_.read(reinterpret_cast<char*>(bytes), static_cast<std::streamsize>(n)));
    }

    bool next(Chunk& chunk, bool little) {
        std::array<unsigned char, 8> header{};
        if (!read(header.data(), header.size())) return false;
        std::memcpy(chunk.id.data(), header.data(), 4);
        chunk.size = little ? little_endian(header.data() + 4) : big_endian(header.data() + 4);
        return true;
    }

    std::uint64_t ds64_data_size() {
        std::array<unsigned char, 16> sizes{}; // of the whole file, then of the data chunk
        if (!read(sizes.data(), sizes.size())) return 0;
        return std::uint64_t{little_endian(sizes.data() + 12)} << 32 | little_endian(sizes.data() + 8);
    }

    void check_samples(std::uint64_t start, std::uint64_t promised, bool exact) const {
        const std::uint64_t present = size_ > start ? size_ - start : 0;
        // Programs that write to a pipe cannot know the size and put one of these, meaning "to the end of the file".
        const bool open_ended = promised == 0xffffffff || (promised >= 0x7ffff000 && promised <= 0x7fffffff);
        if (open_ended && !exact && present > 0) return;
        if (promised == 0 && present > 1) {
            throw Error("cannot read " + path_.string() + ": its header says that it holds no audio, though " +
                        std::to_string(present) + " bytes follow; the recording was not finished, repair it first");
        }
        if (!exact && present - promised > 0xffffffff && promised <= present) {
            throw Error("cannot read " + path_.string() + ": its header counts only " + std::to_string(promised) +
                        " bytes of audio of " + std::to_string(present) +
                        ", for plain WAV and AIFF end at 4 GiB; export it again as RF64 or FLAC");
        }
        if (promised > present) {
            throw Error("cannot read " + path_.string() + ": it is truncated, its header promises " +
                        std::to_string(promised) + " bytes of audio and " + std::to_string(present) +
                        " are there; copy or export it again");
        }
    }

    const std::filesystem::path& path_;
    std::ifstream file_;
    std::uint64_t size_;
};

} // namespace

void require_complete_container(const std::filesystem::path& path) { ChunkWalk(path).check(); }

} // namespace serpent::audio
