// SPDX-License-Identifier: MIT
#include "serpent/file_kind.h"

#include "model/json_text.h"
#include "model/safetensors.h"
#include "serpent/errors.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <set>
#include <string_view>

namespace serpent {
namespace {

using namespace std::string_view_literals;
using Group = FileKind::Group;

constexpr std::size_t most_bytes = max_header_bytes + 8;
constexpr const char* record_it = "Serpent cannot convert it: record what it plays, or the device itself, and use `serpent train`";

constexpr const char* nam_name = "a Neural Amp Modeler capture (.nam)";

struct Signature {
    std::size_t at;
    std::string_view bytes;
    Group group;
    const char* name;
    const char* remedy = "";
};

/// The first that fits counts.
const Signature signatures[] = {
    {8, "WAVE"sv, Group::audio, "a WAV file"},
    {8, "WEBP"sv, Group::other, "a picture (WebP)"},
    {0, "riff\x2e\x91\xcf\x11"sv, Group::audio, "a W64 file"},
    {8, "AIFF"sv, Group::audio, "an AIFF file"},
    {8, "AIFC"sv, Group::audio, "an AIFF file"},
    {0, "fLaC"sv, Group::audio, "a FLAC file"},
    {0, "OggS"sv, Group::audio, "an OGG file"},
    {0, "caff"sv, Group::audio, "a CAF file"},
    {0, ".snd"sv, Group::audio, "an AU file"},
    {0, "ID3"sv, Group::audio, "an MP3 file"},
    {0, "\xff\xfb"sv, Group::audio, "an MP3 file"},
    {0, "\xff\xf3"sv, Group::audio, "an MP3 file"},
    {4, "ftyp"sv, Group::audio, "an MPEG-4 file (m4a, mp4)"},
    {0, "MThd"sv, Group::other, "a MIDI file"},
    {0, "\x89PNG"sv, Group::other, "a picture (PNG)"},
    {0, "\xff\xd8\xff"sv, Group::other, "a picture (JPEG)"},
    {0, "GIF8"sv, Group::other, "a picture (GIF)"},
    {0, "II*\0"sv, Group::other, "a picture (TIFF)"},
    {0, "MM\0*"sv, Group::other, "a picture (TIFF)"},
    {0, "%PDF"sv, Group::other, "a PDF document"},
    {0, "\x89HDF\r\n"sv, Group::other, "an HDF5 file, as Keras writes them", record_it},
    {4, "TFL3"sv, Group::other, "a TensorFlow Lite model", record_it},
    {0, "\x1f\x8b"sv, Group::other, "a gzip archive", "unpack it first"},
    {0, "7z\xbc\xaf"sv, Group::other, "a 7z archive", "unpack it first"},
    {0, "Rar!"sv, Group::other, "a RAR archive", "unpack it first"},
    {0, "\xfd" "7zXZ"sv, Group::other, "an xz archive", "unpack it first"},
    {0, "\x7f" "ELF"sv, Group::other, "a program or library"},
    {0, "version https://git-lfs"sv, Group::other, "a Git LFS pointer", "fetch the file itself with `git lfs pull`"},
};

bool contains(std::string_view text, std::string_view word) { return text.find(word) != text.npos; }

/// Keys of the outermost object, as far as the text goes.
std::set<std::string> outer_keys(std::string_view text) {
    std::set<std::string> keys;
    const auto look = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
        if (event != nlohmann::json::parse_event_t::key) return true;
        if (depth == 1) keys.insert(parsed.get<std::string>());
        return false;  // its value is not kept
    };
    [[maybe_unused]] const auto rest = nlohmann::json::parse(text, look, false);
    return keys;
}

FileKind kind_of_json(std::string_view text) {
    const std::set<std::string> keys = outer_keys(text);
    const auto has = [&](const char* key) { return keys.contains(key); };
    if (has("architecture") && (has("weights") || has("config") || has("version")))
        return {Group::model, nam_name, ""};
    if (has("layers") && has("in_shape")) return {Group::other, "an AIDA-X or RTNeural model (.aidax, .json)", record_it};
    if (has("model_data") && has("state_dict")) return {Group::other, "a GuitarML or Proteus model (.json)", record_it};
    if (has("takes") || has("test")) return {Group::other, "a list of takes", "it goes with --takes"};
    return {Group::other, "a JSON text", ""};
}

FileKind kind_of_safetensors(std::string_view header) {
    const auto parsed = nlohmann::json::parse(header, nullptr, false);
    const auto text = [&](const char* key) {
        const auto metadata = parsed.find("__metadata__");
        if (metadata == parsed.end() || !metadata->is_object()) return std::string();
        const auto found = metadata->find(key);
        return found != metadata->end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    if (!parsed.is_object()) return {};
    const std::string format = text("format");
    if (format == "serpent") return {Group::model, "a Serpent model", ""};
    if (format == "serpent-checkpoint")
        return {Group::other, "a training that was stopped", "`serpent train` goes on with it with --resume, and writes the model"};
    if (format == "serpent-generator-checkpoint")
        return {Group::other, "a generator's training that was stopped",
                "`serpent train-generator` goes on with it with --resume, and writes the model"};
    return {Group::unknown, "a safetensors file of another program", ""};
}

FileKind kind_of_text(std::string_view text) {
    const std::string_view start = text.substr(0, 4096);
    std::string lower(start);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool plain = std::ranges::none_of(start, [](unsigned char c) {
        return (c < 0x20 && !std::isspace(c)) || c == 0x7f || c >= 0xf8;
    });
    if (!plain || text.size() < 8) return {};
    if (start.starts_with('{')) return kind_of_json(text);
    if (lower.starts_with("<!doctype html") || lower.starts_with("<html"))
        return {Group::other, "a web page (a report, or a download that went wrong)", "download the model itself"};
    if (contains(lower, "<svg")) return {Group::other, "a picture (SVG)", ""};
    if (start.starts_with("<?xml")) return {Group::other, "an XML text", ""};
    return {Group::other, "a text", ""};
}

} // namespace

FileKind kind_of(std::span<const std::byte> bytes) {
    const std::string_view all(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), most_bytes));
    for (const Signature& s : signatures)
        if (all.size() >= s.at && all.substr(s.at).starts_with(s.bytes)) return {s.group, s.name, s.remedy};
    if (all.starts_with("PK\x03\x04"))
        return contains(all.substr(0, 4096), "data.pkl")
                   ? FileKind{Group::other, "a PyTorch checkpoint", "save its tensors as safetensors, which `serpent import` may read"}
                   : FileKind{Group::other, "a ZIP archive", "unpack it first"};
    std::uint64_t header = 0;
    if (all.size() > 8) std::memcpy(&header, all.data(), 8);
    if (all.size() > 8 && all[8] == '{' && header <= all.size() - 8) return kind_of_safetensors(all.substr(8, header));
    const std::size_t begin = all.find_first_not_of("\xef\xbb\xbf \t\r\n");
    return begin == all.npos ? FileKind{} : kind_of_text(all.substr(begin));
}

FileKind kind_of_file(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return {};
    std::ifstream file(path, std::ios::binary);
    std::string head(static_cast<std::size_t>(std::min<std::uintmax_t>(std::filesystem::file_size(path, error), most_bytes)), '\0');
    file.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
    return kind_of(std::as_bytes(std::span(head)));
}

std::string FileKind::instead_of_model() const {
    if (group != Group::audio && group != Group::other) return {};
    const std::string what = "it is " + name + ", not a model; ";
    if (!remedy.empty()) return what + remedy;
    return what + (group == Group::audio ? "give a model, a .safetensors or .nam file, here, and the audio where a recording is wanted"
                                         : "give a model, a .safetensors or .nam file");
}

bool FileKind::is_nam() const { return group == Group::model && name == nam_name; }

std::string FileKind::instead_of_audio() const {
    if (group == Group::model) return "it is a model, not an audio file; the model is given first, and the recording after it";
    return group == Group::other ? "it is " + name + ", not an audio file; give a recording (WAV, FLAC, AIFF, OGG...)" : "";
}

} // namespace serpent
