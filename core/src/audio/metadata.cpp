// SPDX-License-Identifier: MIT
#include "audio/metadata.h"

#include "audio/container.h"
#include "audio/mended_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

namespace serpent::audio {

namespace {

enum class Family { riff, aiff, other };

struct Foreign {
    std::string id, content;
};

constexpr std::size_t most_header_bytes = 40000;  // libsndfile's buffer for a header ends at 50 kB, without a word
constexpr std::size_t least_broadcast_bytes = 602;
constexpr std::uint64_t most_chunk_bytes = 1 << 20;  // more is not even read

/// What the samples need, what the writer makes itself, and pictures of the sound that was.
constexpr std::array riff_own{"fmt ", "data", "fact", "PEAK", "ds64", "JUNK", "junk", "PAD ", "FLLR", "levl"};
constexpr std::array aiff_own{"COMM", "SSND", "FVER", "PEAK", "FLLR"};
constexpr std::array caf_own{"desc", "data", "free", "pakt", "kuki", "chan", "info", "ovvw", "peak"};

/// RIFX counts as other: the edits of its chunks would have to be big-endian.
Family family_of(const Dialect& d) {
    const bool riff = *d.family == 'R' || *d.family == 'W';
    return riff && !d.big_endian ? Family::riff : *d.family == 'F' ? Family::aiff : Family::other;
}

bool is_own(const Dialect& d, const std::string& id) {
    const auto in = [&](const auto& ids) { return std::find(ids.begin(), ids.end(), id) != ids.end(); };
    return *d.family == 'F' ? in(aiff_own) : *d.family == 'C' ? in(caf_own) : in(riff_own);
}

Family family_of(int container) {
    const bool riff = container == SF_FORMAT_WAV || container == SF_FORMAT_WAVEX || container == SF_FORMAT_RF64;
    return riff ? Family::riff : container == SF_FORMAT_AIFF ? Family::aiff : Family::other;
}

std::string shown(const Foreign& chunk) {
    if (chunk.id == "bext") return "broadcast data (bext)";
    if (chunk.id == "cue " || chunk.id == "MARK" || chunk.id == "mark") return "markers";
    if (chunk.id == "smpl" || chunk.id == "inst" || chunk.id == "INST") return "sampler data (" + chunk.id + ")";
    if (chunk.id == "LIST") return "list " + chunk.content.substr(0, 4);
    return chunk.id;
}

bool is_labels(const Foreign& chunk) { return chunk.id == "LIST" && chunk.content.starts_with("adtl"); }
bool is_info(const Foreign& chunk) { return chunk.id == "LIST" && chunk.content.starts_with("INFO"); }

class Copy {
public:
    Copy(const std::filesystem::path& from, SNDFILE* to, int to_container, const Cut& cut, std::uint64_t room)
        : from_(from), to_(to), target_(family_of(to_container)), cut_(cut), room_(room) {}

    Metadata run() {
        read_chunks();
        if (source_ == target_ && target_ != Family::other) copy_chunks();
        else convert();
        return std::move(made_);
    }

private:
    void drop(const std::string& what) {
        std::vector<std::string>& list = made_.not_kept;
        if (std::find(list.begin(), list.end(), what) == list.end()) list.push_back(what);
    }

    void read_chunks() {
        std::ifstream file(from_, std::ios::binary);
        const auto container = read_container(file, std::filesystem::file_size(from_));
        if (!container) return;
        source_ = family_of(*container->dialect);
        for (const Chunk& chunk : container->chunks) {
            Foreign foreign{chunk.id.substr(0, 4), {}};  // a W64's GUIDs begin with the ids of WAV
            if (is_own(*container->dialect, foreign.id)) continue;
            if (chunk.size > most_chunk_bytes) {
                drop(shown(foreign));
                continue;
            }
            foreign.content.resize(static_cast<std::size_t>(chunk.size));
            file.clear();
            file.seekg(static_cast<std::streamoff>(chunk.begin));
            file.read(foreign.content.data(), static_cast<std::streamsize>(foreign.content.size()));
            if (!file) continue;
            if (source_ != Family::other) chunks_.push_back(std::move(foreign));
            else if (!is_info(foreign)) drop(shown(foreign));  // texts go as libsndfile reads them
        }
    }

    /// To a file of the same kind.
    void copy_chunks() {
        std::vector<Marker> kept;
        if (const Foreign* cue = find("cue ")) kept = markers_of_cue(cut_cue(cue->content, cut_));
        for (Foreign& chunk : chunks_) {
            std::string& content = chunk.content;
            if (chunk.id == "bext") content = cut_broadcast(content, cut_);
            if (!cut_.whole()) {
                if (chunk.id == "cue ") content = cut_cue(content, cut_);
                else if (chunk.id == "smpl") content = cut_sampler(content, cut_);
                else if (chunk.id == "iXML") content = cut_ixml(content, cut_);
                else if (chunk.id == "MARK") content = cut_aiff_markers(content, cut_);
                else if (is_labels(chunk)) content = cut_labels(content, kept);
                else if (chunk.id == "plst") content.clear(), drop("playlist (plst)");
            }
            write(chunk);
        }
    }

    /// To a file of another kind: texts, and markers where both know them.
    void convert() {
        const bool texts_held = copy_texts();
        for (const Foreign& chunk : chunks_) {
            if (is_labels(chunk)) continue;  // they go with the markers
            if (is_info(chunk)) {
                for (const std::string& id : info_ids(chunk.content))
                    if (!texts_held || !known_info(id)) drop("INFO " + id);
            } else if ((chunk.id == "cue " || chunk.id == "MARK") && target_ != Family::other) {
                write_markers(chunk);
            } else if (!(known_aiff_text(chunk.id) && texts_held)) {
                drop(shown(chunk));
            }
        }
    }

    static bool known_info(const std::string& id) {
        constexpr std::array ids{"INAM", "ICOP", "ISFT", "IART", "ICMT", "ICRD", "IPRD", "ITRK", "IGNR"};
        return std::find(ids.begin(), ids.end(), id) != ids.end();
    }
    static bool known_aiff_text(const std::string& id) {
        constexpr std::array ids{"NAME", "AUTH", "ANNO", "(c) ", "COMT"};
        return std::find(ids.begin(), ids.end(), id) != ids.end();
    }

    /// Titles and the like, as libsndfile knows them. False when the target has no place for any.
    bool copy_texts() {
        const std::unique_ptr<MendedFile> mended = MendedFile::mend(from_);
        SF_INFO info{};
        const SndfileHandle source(mended ? mended->open(info) : sf_open(from_.string().c_str(), SFM_READ, &info));
        bool held = true;
        for (int kind = SF_STR_FIRST; source && kind <= SF_STR_LAST; ++kind) {
            const char* text = sf_get_string(source.get(), kind);
            if (!text || !*text) continue;
            if (sf_set_string(to_, kind, text) == 0) continue;
            held = false;
            if (chunks_.empty()) drop("titles and comments");
        }
        return held;
    }

    void write_markers(const Foreign& chunk) {
        std::vector<Marker> markers;
        if (target_ == Family::aiff) {
            markers = markers_of_cue(cut_cue(chunk.content, cut_));
            for (const Foreign& other : chunks_)
                if (is_labels(other)) name_markers(markers, other.content);
            write({"MARK", aiff_of(markers)});
        } else {
            markers = markers_of_aiff(cut_aiff_markers(chunk.content, cut_));
            write({"cue ", cue_of(markers)});
            write({"LIST", labels_of(markers)});
        }
    }

    const Foreign* find(std::string_view id) const {
        const auto found = std::find_if(chunks_.begin(), chunks_.end(), [&](const Foreign& c) { return c.id == id; });
        return found == chunks_.end() ? nullptr : &*found;
    }

    void write(const Foreign& chunk) {
        if (chunk.content.empty()) return;
        const std::uint64_t bytes = chunk.content.size() + 8;
        // These two many programs want in front, and no reader loses its way in them.
        const bool in_front = chunk.id == "iXML" || (chunk.id == "bext" && chunk.content.size() >= least_broadcast_bytes);
        if (in_front && header_bytes_ + bytes <= most_header_bytes && write_in_front(chunk)) {
            header_bytes_ += bytes + 4;
        } else if (made_.behind.size() + bytes + 1 <= room_) {
            made_.behind += chunk.id + encoded(chunk.content.size(), 4, target_ == Family::aiff) + chunk.content;
            made_.behind.resize(made_.behind.size() + made_.behind.size() % 2, '\0');
        } else {
            drop(shown(chunk));
        }
    }

    bool write_in_front(const Foreign& chunk) {
        std::string content = chunk.content;  // libsndfile makes its length a multiple of four, with zeros, which are no XML
        if (chunk.id == "iXML") content.resize((content.size() + 3) / 4 * 4, ' ');
        SF_CHUNK_INFO info{};
        std::memcpy(info.id, chunk.id.data(), chunk.id.size());
        info.id_size = static_cast<unsigned>(chunk.id.size());
        info.datalen = static_cast<unsigned>(content.size());
        info.data = content.data();
        return sf_set_chunk(to_, &info) == SF_ERR_NO_ERROR;
    }

    const std::filesystem::path& from_;
    SNDFILE* to_;
    Family source_ = Family::other, target_;
    Cut cut_;
    std::uint64_t room_, header_bytes_ = 0;
    std::vector<Foreign> chunks_;
    Metadata made_;
};

} // namespace

Metadata copy_metadata(const std::filesystem::path& from, SNDFILE* to, int to_container, const Cut& cut, std::uint64_t room) {
    return Copy(from, to, to_container, cut, room).run();
}

bool append_chunks(const std::filesystem::path& path, const std::string& chunks) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    std::string start(4, '\0');
    file.read(start.data(), 4);
    file.seekp(0, std::ios::end);
    if (file.tellp() % 2 != 0) file.put('\0');
    file << chunks;
    const std::uint64_t size = static_cast<std::uint64_t>(file.tellp()) - 8;
    file.seekp(start == "RF64" ? 20 : 4);  // in the ds64 that comes first, or in front of it all
    file << (start == "RF64" ? encoded(size, 8, false) : encoded(size, 4, start == "FORM"));
    return static_cast<bool>(file.flush());
}

} // namespace serpent::audio
