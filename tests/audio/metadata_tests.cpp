// SPDX-License-Identifier: GPL-3.0-or-later
// What a file carries besides its samples comes along, moved with the part that is kept, or is named.
#include "audio/chunk_edit.h"
#include "audio/container.h"
#include "audio/file_bytes.h"
#include "audio/temporary_folder.h"
#include "random.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>
#include <sndfile.h>

#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

using namespace serpent;
using serpent::audio::Marker;

namespace {

constexpr std::int64_t frames = 1000;

std::string le(std::uint64_t value, std::size_t bytes = 4) { return audio::encoded(value, bytes, false); }
std::string chunk(const std::string& id, const std::string& content) {
    return id + le(content.size()) + content + std::string(content.size() % 2, '\0');
}
std::string field(std::string text, std::size_t bytes) { return text.resize(bytes, '\0'), text; }

const std::string ixml = "<BWFXML><SPEED><TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>0</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>"
                         "<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>4294967290</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO></SPEED>"
                         "</BWFXML>";
const std::string loudness = le(2300, 2) + std::string(8, '\5');
const std::string bext = field("a description", 256) + field("originator", 32) + field("reference", 32) + "2024-01-3112:00:00" +
                         le(4294967290, 8) + le(2, 2) + std::string(64, '\0') + loudness + std::string(180, '\0') +
                         "A=PCM,F=48000,W=16,M=mono\r\n";
const std::vector<Marker> places{{1, 100, "verse"}, {2, 500, "chorus"}, {7, 1000, "end"}};
const std::string one_loop = le(0, 8) + le(50) + le(300) + le(0, 8), other_loop = le(0, 8) + le(500) + le(800) + le(0, 8);
const std::string smpl = std::string(28, '\0') + le(2) + le(0) + one_loop + other_loop;
const std::string info = "INFO" + chunk("INAM", std::string("A title\0", 8)) + chunk("IENG", std::string("Somebody\0", 9));

std::string rich_wav() {
    std::string samples;
    for (std::int64_t i = 0; i < frames; ++i) samples += le(static_cast<std::uint64_t>(i % 256), 2);
    const std::string format = le(1, 2) + le(1, 2) + le(48000) + le(96000) + le(2, 2) + le(16, 2);
    const std::string chunks = chunk("bext", bext) + chunk("iXML", ixml) + chunk("fmt ", format) + chunk("JUNK", "old") +
                               chunk("data", samples) + chunk("cue ", audio::cue_of(places)) +
                               chunk("LIST", audio::labels_of(places)) + chunk("LIST", info) + chunk("smpl", smpl) +
                               chunk("acid", "odd");
    return "RIFF" + le(chunks.size() + 4) + "WAVE" + chunks;
}

/// Copies frames [first, first + n) with all that goes with them.
std::vector<std::string> copied(const std::filesystem::path& from, const std::filesystem::path& to, std::int64_t first = 0,
                                std::int64_t n = frames) {
    AudioReader reader(from);
    n = std::min(n, reader.frames() - first);
    AudioWriter writer(to, closest_format(to, reader.format()), n);
    const std::vector<std::string> dropped = writer.keep_metadata(reader, first, n);
    std::vector<float> audio(static_cast<std::size_t>(n * reader.format().channels));
    reader.seek(first);
    writer.write(audio.data(), reader.read(audio.data(), static_cast<std::size_t>(n)));
    writer.commit();
    return dropped;
}

/// Chunks by id; LISTs by id and type.
std::map<std::string, std::string> chunks_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const auto container = audio::read_container(file, std::filesystem::file_size(path));
    std::map<std::string, std::string> found;
    for (const audio::Chunk& c : container.value().chunks) {
        std::string content(static_cast<std::size_t>(c.size), '\0');
        file.clear();
        file.seekg(static_cast<std::streamoff>(c.begin));
        file.read(content.data(), static_cast<std::streamsize>(content.size()));
        found[c.id == "LIST" ? c.id + content.substr(0, 4) : c.id] = content;
    }
    return found;
}

std::vector<Marker> markers_of(const std::filesystem::path& path) {
    auto chunks = chunks_of(path);
    if (path.extension() == ".aiff") return audio::markers_of_aiff(chunks["MARK"]);
    std::vector<Marker> markers = audio::markers_of_cue(chunks["cue "]);
    audio::name_markers(markers, chunks["LISTadtl"]);
    return markers;
}

bool equal(const std::vector<Marker>& a, const std::vector<Marker>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Marker& x, const Marker& y) { return x.id == y.id && x.frame == y.frame && x.name == y.name; });
}

std::string title_of(const std::filesystem::path& path) {
    SF_INFO format{};
    SNDFILE* file = sf_open(path.c_str(), SFM_READ, &format);
    const char* title = file ? sf_get_string(file, SF_STR_TITLE) : nullptr;
    const std::string text = title ? title : "";
    sf_close(file);
    return text;
}

} // namespace

TEST_CASE("WAV and RF64 keep every chunk, and the samples", "[audio][metadata]") {
    const TemporaryFolder folder;
    write_bytes(folder / "in.wav", rich_wav());
    for (const char* name : {"out.wav", "out.rf64"}) {
        CAPTURE(name);
        CHECK(copied(folder / "in.wav", folder / name).empty());
        CHECK(read_audio(folder / name).channels == read_audio(folder / "in.wav").channels);
        CHECK(read_audio(folder / name).note.empty());
        auto chunks = chunks_of(folder / name);
        CHECK(chunks["iXML"].find(ixml) == 0);
        std::string without_loudness = bext;  // that of other audio
        for (std::size_t i = 0; i < 5; ++i) without_loudness.replace(412 + 2 * i, 2, le(0x7fff, 2));
        CHECK(chunks["bext"].find(without_loudness) == 0);
        CHECK(chunks["smpl"] == smpl);
        CHECK(chunks["acid"] == "odd");
        CHECK(chunks["LISTINFO"].find("Somebody") != std::string::npos);
        CHECK(equal(markers_of(folder / name), places));
        CHECK(title_of(folder / name) == "A title");
    }
    // And once more, from its own output.
    CHECK(copied(folder / "out.rf64", folder / "again.wav").empty());
    CHECK(chunks_of(folder / "again.wav") == chunks_of(folder / "out.wav"));
}

TEST_CASE("positions move with the part that is kept", "[audio][metadata]") {
    const TemporaryFolder folder;
    write_bytes(folder / "in.wav", rich_wav());
    copied(folder / "in.wav", folder / "part.wav", 300, 600);
    auto chunks = chunks_of(folder / "part.wav");
    CHECK(equal(markers_of(folder / "part.wav"), {{2, 200, "chorus"}}));
    CHECK(chunks["LISTadtl"].find("verse") == std::string::npos);
    CHECK(chunks["smpl"].size() == 36 + 24);
    CHECK(audio::decoded(chunks["smpl"].substr(36 + 8, 4), false) == 200);
    CHECK(audio::decoded(chunks["smpl"].substr(36 + 12, 4), false) == 500);
    CHECK(audio::decoded(chunks["bext"].substr(338, 8), false) == 4294967290 + 300);
    CHECK(chunks["iXML"].find("_HI>1</") != std::string::npos);
    CHECK(chunks["iXML"].find("_LO>294</") != std::string::npos);
}

TEST_CASE("other kinds of file keep what they can and name the rest", "[audio][metadata]") {
    const TemporaryFolder folder;
    write_bytes(folder / "in.wav", rich_wav());
    const auto text = [](const std::vector<std::string>& words) {
        std::string all;
        for (const std::string& word : words) all += word + "; ";
        return all;
    };
    const std::string aiff = text(copied(folder / "in.wav", folder / "out.aiff"));
    CHECK(equal(markers_of(folder / "out.aiff"), places));
    CHECK(title_of(folder / "out.aiff") == "A title");
    CHECK(aiff == "broadcast data (bext); iXML; INFO IENG; sampler data (smpl); acid; ");
    CHECK(copied(folder / "out.aiff", folder / "back.wav").empty());
    CHECK(equal(markers_of(folder / "back.wav"), places));
    CHECK(title_of(folder / "back.wav") == "A title");
    copied(folder / "out.aiff", folder / "part.aiff", 300, 600);
    CHECK(equal(markers_of(folder / "part.aiff"), {{2, 200, "chorus"}}));
    for (const char* name : {"out.flac", "out.ogg", "out.caf"}) {
        CAPTURE(name);
        CHECK(text(copied(folder / "in.wav", folder / name)) ==
              "broadcast data (bext); iXML; markers; INFO IENG; sampler data (smpl); acid; ");
        CHECK(title_of(folder / name) == "A title");
    }
    CHECK_THAT(text(copied(folder / "in.wav", folder / "out.w64")), Catch::Contains("INFO INAM"));
    CHECK_THAT(text(copied(folder / "out.flac", folder / "out.au")), Catch::Contains("titles and comments"));
    CHECK(copied(folder / "out.flac", folder / "plain.wav").empty());
    CHECK(title_of(folder / "plain.wav") == "A title");
    // From a CAF only the texts go; what else it carries is named.
    std::string caf = read_bytes(folder / "out.caf");
    caf.insert(caf.find("data"), "mark" + audio::encoded(8, 8, true) + std::string(8, '\0'));
    write_bytes(folder / "marked.caf", caf);
    CHECK(text(copied(folder / "marked.caf", folder / "marked.wav")) == "markers; ");
    CHECK(title_of(folder / "marked.wav") == "A title");
}

TEST_CASE("a large chunk is kept, a huge one is named, and no damaged chunk damages a copy", "[audio][metadata]") {
    const TemporaryFolder folder;
    std::string large = rich_wav() + chunk("axml", std::string(100000, 'x')) + chunk("big ", std::string(2000000, 'x'));
    write_bytes(folder / "in.wav", large);
    CHECK(copied(folder / "in.wav", folder / "out.wav") == std::vector<std::string>{"big "});
    CHECK(chunks_of(folder / "out.wav")["axml"].size() == 100000);
    CHECK(read_audio(folder / "out.wav").frames() == frames);
    test::Random random(8);
    const std::string good = rich_wav();
    for (int i = 0; i < 400; ++i) {
        std::string broken = good;
        const std::size_t data = good.find("data"), after = data + 8 + 2 * frames;
        for (int k = 0; k < 4; ++k) {
            const bool before = random.uniform(0, 2) < 1;
            const double from = before ? 12 : double(after), to = before ? double(data) : double(good.size());
            broken[std::size_t(random.uniform(from, to))] = char(random.uniform(0, 256));
        }
        const std::size_t format = good.find("fmt ");
        if (broken.find("fmt ") != format || broken.compare(format, 24, good, format, 24) != 0) continue;
        CAPTURE(i);
        write_bytes(folder / "in.wav", broken);
        for (const char* name : {"out.wav", "out.rf64", "out.aiff"}) {
            CAPTURE(name);
            std::optional<AudioBuffer> in;
            try {
                in = read_audio(folder / "in.wav");
            } catch (const Error&) {
                continue;  // its own reader's affair
            }
            CHECK_NOTHROW(copied(folder / "in.wav", folder / name, 0, 1 << 20));
            CHECK(read_audio(folder / name).channels == in->channels);
        }
    }
}
