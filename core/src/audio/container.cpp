// SPDX-License-Identifier: MIT
#include "audio/container.h"

#include <algorithm>
#include <limits>

namespace serpent::audio {

namespace {

constexpr std::size_t most_chunks = 4096;
constexpr std::uint64_t unknown_32 = 0xffffffff;

constexpr Dialect dialects[] = {
    {"RIFF", 12, 4, 4, false, false, 2, "data", 0}, {"RF64", 12, 4, 4, false, false, 2, "data", 0},
    {"FORM", 12, 4, 4, true, false, 2, "SSND", 8},  {"W64", 40, 16, 8, false, true, 8, "data", 0},
    {"CAF", 8, 4, 8, true, false, 1, "data", 4},    {"RIFX", 12, 4, 4, true, false, 2, "data", 0},
};

const Dialect* dialect_of(const std::string& start) {
    const auto is = [&](std::size_t at, const char* text) { return start.compare(at, 4, text) == 0; };
    if (is(0, "RIFF") && is(8, "WAVE")) return &dialects[0];
    if (is(0, "RF64") && is(8, "WAVE")) return &dialects[1];
    if (is(0, "FORM") && (is(8, "AIFF") || is(8, "AIFC"))) return &dialects[2];
    if (is(0, "riff") && is(24, "wave")) return &dialects[3];
    if (is(0, "caff")) return &dialects[4];
    if (is(0, "RIFX") && is(8, "WAVE")) return &dialects[5];
    return nullptr;
}

class Walk {
public:
    Walk(std::istream& file, std::uint64_t file_bytes) : file_(file), end_(file_bytes) {}

    std::optional<Container> run() {
        std::string start = bytes(0, std::min<std::uint64_t>(40, end_));
        start.resize(40);
        d_ = dialect_of(start);
        if (!d_ || end_ < d_->prologue) return std::nullopt;
        found_.dialect = d_;
        found_.prologue = start.substr(0, d_->prologue);
        bool has_samples = false;
        for (std::uint64_t at = d_->prologue; found_.chunks.size() < most_chunks;) {
            std::optional<Chunk> chunk = chunk_at(at);
            if (!chunk) break;
            const bool samples = !has_samples && chunk->id.starts_with(d_->samples);
            if (samples) {
                has_samples = true;
                found_.samples = found_.chunks.size();
                measure_samples(*chunk);
            } else if (chunk->stated > end_ - chunk->begin) {
                break;  // cut off, or no chunk at all
            }
            if (chunk->id == "ds64") remember_ds64(*chunk);
            found_.chunks.push_back(*chunk);
            at = after(*chunk);
        }
        return has_samples ? std::optional(std::move(found_)) : std::nullopt;
    }

private:
    std::string bytes(std::uint64_t at, std::uint64_t n) {
        std::string text(static_cast<std::size_t>(n), '\0');
        file_.clear();
        file_.seekg(static_cast<std::streamoff>(at));
        file_.read(text.data(), static_cast<std::streamsize>(n));
        text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file_.gcount())));
        return text;
    }

    /// What looks like a chunk: its id is text.
    std::optional<Chunk> chunk_at(std::uint64_t at) {
        if (at > end_ || end_ - at < d_->header_bytes()) return std::nullopt;
        const std::string header = bytes(at, d_->header_bytes());
        if (header.size() < d_->header_bytes()) return std::nullopt;
        const bool text = std::all_of(header.begin(), header.begin() + 4, [](char c) { return c >= 0x20 && c <= 0x7e; });
        if (!text) return std::nullopt;
        Chunk chunk{header.substr(0, d_->id_bytes), at + d_->header_bytes(), 0, 0};
        chunk.stated = decoded(header.substr(d_->id_bytes), d_->big_endian);
        if (d_->size_has_header) chunk.stated -= std::min<std::uint64_t>(chunk.stated, d_->header_bytes());
        chunk.size = std::min(chunk.stated, end_ - chunk.begin);
        return chunk;
    }

    /// A chunk that the file has room for, or the end of the file.
    bool plausible(std::uint64_t at) {
        if (at == end_) return true;
        const std::optional<Chunk> chunk = chunk_at(at);
        return chunk && (chunk->stated <= end_ - chunk->begin || chunk->id.starts_with(d_->samples));
    }

    /// Where the next chunk begins.
    std::uint64_t after(const Chunk& chunk) {
        const std::uint64_t end = chunk.begin + chunk.size, padded = (end + d_->alignment - 1) / d_->alignment * d_->alignment;
        if (padded == end || padded >= end_ || plausible(padded) || !plausible(end)) return std::min(padded, end_);
        if (found_.fault == Fault::none) found_.fault = Fault::unpadded, found_.unpadded_id = chunk.id;
        return end;
    }

    void remember_ds64(const Chunk& chunk) {
        const std::string sizes = bytes(chunk.begin, std::min<std::uint64_t>(16, chunk.size));  // of all, then of the samples
        if (sizes.size() == 16) samples_in_ds64_ = decoded(sizes.substr(8), false);
    }

    void measure_samples(Chunk& chunk) {
        const std::uint64_t there = end_ - chunk.begin;
        const bool riff = d_->family[0] == 'R', caf = d_->family[0] == 'C';
        const bool in_ds64 = d_ == &dialects[1] && chunk.stated == unknown_32;
        if (in_ds64) chunk.stated = samples_in_ds64_;
        // Programs that write into a pipe cannot know the size and put one of these, meaning "to the end of the file".
        const bool piped = chunk.stated == unknown_32 || (chunk.stated >= 0x7ffff000 && chunk.stated <= 0x7fffffff);
        found_.open_ended = caf ? chunk.stated == std::numeric_limits<std::uint64_t>::max() : riff && !in_ds64 && piped;
        const bool narrow = d_->size_bytes == 4 && !in_ds64;
        if (found_.open_ended) found_.fault = Fault::none;
        else if (chunk.stated > there) found_.fault = Fault::too_long;
        else if (chunk.stated <= d_->inner_header && there > d_->inner_header && !plausible(chunk.begin + chunk.stated))
            found_.fault = Fault::unfinished;
        else if (narrow && there - chunk.stated > unknown_32) found_.fault = Fault::wrapped;
        const bool to_the_end = found_.open_ended || found_.fault == Fault::too_long || found_.fault == Fault::unfinished;
        chunk.size = to_the_end ? there : chunk.stated;
    }

    std::istream& file_;
    std::uint64_t end_;
    const Dialect* d_ = nullptr;
    std::uint64_t samples_in_ds64_ = 0;
    Container found_;
};

} // namespace

std::string encoded(std::uint64_t value, std::size_t bytes, bool big_endian) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) text[big_endian ? bytes - 1 - i : i] = static_cast<char>(value >> 8 * i & 0xff);
    return text;
}

std::uint64_t decoded(std::string_view bytes, bool big_endian) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[big_endian ? i : bytes.size() - 1 - i]);
    return value;
}

std::string Dialect::header(const std::string& id, std::uint64_t size) const {
    return id + encoded(size + (size_has_header ? header_bytes() : 0), size_bytes, big_endian);
}

std::optional<Container> read_container(std::istream& file, std::uint64_t file_bytes) { return Walk(file, file_bytes).run(); }

} // namespace serpent::audio
