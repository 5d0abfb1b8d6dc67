// SPDX-License-Identifier: MIT
#include "audio/mended_file.h"

#include "audio/container.h"
#include "serpent/errors.h"

#include <algorithm>
#include <fstream>

namespace serpent::audio {

namespace {

constexpr std::uint64_t largest_riff = 0xffffffff - 65536;

std::string describe(const Container& container, const std::filesystem::path& path) {
    const Chunk& samples = container.chunks[container.samples];
    const std::string promise = std::to_string(samples.stated) + " bytes of audio";
    const std::uint64_t inner = container.dialect->inner_header;
    switch (container.fault) {
    case Fault::none: return {};
    case Fault::unpadded:
        return "its chunk '" + container.unpadded_id.substr(0, 4) +
               "' lacks the byte that makes its length even; read all the same";
    case Fault::unfinished: return "its header was never finished, as when a recorder died; all that follows it was read";
    case Fault::too_long:
        if (samples.size > inner)
            return "its header promises " + promise + ", as when a recorder died or a copy broke off; the " +
                   std::to_string(samples.size) + " bytes that are there were read";
        throw Error("cannot read " + path.string() + ": it is truncated, its header promises " + promise +
                    " and none are there; copy it again");
    case Fault::wrapped:
        throw Error("cannot read " + path.string() + ": its header counts only " + promise +
                    " and 4 GiB more follow, for plain WAV and AIFF end at 4 GiB; export it again as RF64 or FLAC");
    }
    return {};
}

sf_count_t length(void* user) { return static_cast<sf_count_t>(static_cast<MendedFile*>(user)->size()); }

} // namespace

std::unique_ptr<MendedFile> MendedFile::mend(const std::filesystem::path& path) {
    return mend(std::make_unique<std::ifstream>(path, std::ios::binary), std::filesystem::file_size(path), path);
}

std::unique_ptr<MendedFile> MendedFile::mend(std::unique_ptr<std::istream> file, std::uint64_t bytes,
                                             const std::filesystem::path& path) {
    const std::optional<Container> container = read_container(*file, bytes);
    if (!container) return nullptr;
    const bool open_caf = container->open_ended && container->dialect->family[0] == 'C';  // legal, but not to libsndfile
    if (container->fault == Fault::none && !open_caf) return nullptr;
    std::unique_ptr<MendedFile> mended(new MendedFile(std::move(file)));
    mended->fault_ = describe(*container, path);
    mended->lay_out(*container);
    return mended;
}

void MendedFile::append(std::string bytes) {
    if (bytes.empty()) return;
    pieces_.push_back({size_, bytes.size(), std::move(bytes), 0});
    size_ += pieces_.back().size;
}

void MendedFile::append(std::uint64_t from, std::uint64_t size) {
    if (size == 0) return;
    pieces_.push_back({size_, size, {}, from});
    size_ += size;
}

void MendedFile::lay_out(const Container& container) {
    const Dialect& d = *container.dialect;
    const bool riff = d.family[0] == 'R' && !d.big_endian;
    const Chunk& samples = container.chunks[container.samples];
    const bool large = riff && samples.size > largest_riff;
    std::string prologue = container.prologue;
    if (riff) prologue.replace(0, 4, large ? "RF64" : "RIFF");
    append(prologue);
    if (large)
        append(d.header("ds64", 28) + encoded(samples.size + 65536, 8, false) + encoded(samples.size, 8, false) +
               std::string(12, '\0'));
    for (const Chunk& chunk : container.chunks) {
        if (chunk.id == "ds64") continue;
        append(d.header(chunk.id, large && &chunk == &samples ? 0xffffffff : chunk.size));
        append(chunk.begin, chunk.size);
        if (&chunk == &container.chunks.back()) break;  // libsndfile would take a W64's padding for samples
        append(std::string(static_cast<std::size_t>((d.alignment - chunk.size % d.alignment) % d.alignment), '\0'));
    }
    std::string& start = pieces_.front().bytes;
    if (d.family[0] == 'W') start.replace(16, 8, encoded(size_, 8, false));
    else if (d.size_bytes == 4) start.replace(4, 4, encoded(large ? 0xffffffff : size_ - 8, 4, d.big_endian));
}

std::uint64_t MendedFile::read(std::uint64_t at, char* to, std::uint64_t n) noexcept {
    const std::uint64_t begin = at;
    n = at < size_ ? std::min(n, size_ - at) : 0;
    auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), at, [](std::uint64_t a, const Piece& p) { return a < p.at; });
    if (piece != pieces_.begin()) --piece;
    for (; n > 0; ++piece) {
        const std::uint64_t offset = at - piece->at, part = std::min(n, piece->size - offset);
        if (!piece->bytes.empty()) {
            std::copy_n(piece->bytes.data() + offset, part, to);
        } else {
            file_->clear();
            file_->seekg(static_cast<std::streamoff>(piece->from + offset));
            if (!file_->read(to, static_cast<std::streamsize>(part))) break;
        }
        at += part, to += part, n -= part;
    }
    return at - begin;
}

SNDFILE* MendedFile::open(SF_INFO& info) {
    SF_VIRTUAL_IO io{};
    io.get_filelen = length;
    io.seek = [](sf_count_t offset, int whence, void* user) {
        MendedFile& self = *static_cast<MendedFile*>(user);
        const auto here = static_cast<sf_count_t>(self.position_);
        const sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? here : length(user);
        if (from + offset < 0) return sf_count_t{-1};
        self.position_ = static_cast<std::uint64_t>(from + offset);
        return from + offset;
    };
    io.read = [](void* to, sf_count_t n, void* user) {
        MendedFile& self = *static_cast<MendedFile*>(user);
        const std::uint64_t got = n > 0 ? self.read(self.position_, static_cast<char*>(to), static_cast<std::uint64_t>(n)) : 0;
        self.position_ += got;
        return static_cast<sf_count_t>(got);
    };
    io.write = [](const void*, sf_count_t, void*) { return sf_count_t{0}; };
    io.tell = [](void* user) { return static_cast<sf_count_t>(static_cast<MendedFile*>(user)->position_); };
    position_ = 0;
    return sf_open_virtual(&io, SFM_READ, &info, this);
}

} // namespace serpent::audio
