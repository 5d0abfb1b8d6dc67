// SPDX-License-Identifier: GPL-3.0-or-later
// What recorders that died and programs that forget padding leave behind is read, and said.
#include "audio/container.h"
#include "audio/file_bytes.h"
#include "audio/mended_file.h"
#include "audio/temporary_folder.h"
#include "random.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>
#include <sndfile.h>

#include <sstream>
#include <string>
#include <vector>

using namespace serpent;
using serpent::audio::encoded;
using serpent::audio::MendedFile;

namespace {

constexpr std::size_t frames = 1001;

/// Mono, 24 bits: an odd number of bytes.
AudioBuffer sound() {
    AudioBuffer buffer;
    buffer.channels.assign(1, std::vector<float>(frames));
    for (std::size_t i = 0; i < frames; ++i) buffer.channels[0][i] = (static_cast<float>(i % 200) - 100.0f) / 256.0f;
    return buffer;
}

std::string whole(const TemporaryFolder& folder, const std::string& name) {
    write_audio(folder / name, sound(), Subtype::pcm24);
    return read_bytes(folder / name);
}

/// The same as a WAV of the other byte order.
std::string whole_rifx(const TemporaryFolder& folder) {
    SF_INFO info{0, 48000, 1, SF_FORMAT_WAV | SF_ENDIAN_BIG | SF_FORMAT_PCM_24, 0, 0};
    SNDFILE* file = sf_open((folder / "x.rifx.wav").c_str(), SFM_WRITE, &info);
    REQUIRE(file);
    sf_writef_float(file, sound().channels[0].data(), frames);
    sf_close(file);
    return read_bytes(folder / "x.rifx.wav");
}

std::string le(std::uint64_t value, std::size_t bytes) { return encoded(value, bytes, false); }
std::string be(std::uint64_t value, std::size_t bytes) { return encoded(value, bytes, true); }

std::string replaced(std::string text, std::size_t at, const std::string& by) { return text.replace(at, by.size(), by); }

/// What is read is the sound's beginning, of at least `least` frames, with a note that names the file.
void check_read(const std::filesystem::path& path, std::size_t least = frames) {
    const AudioBuffer read = read_audio(path);
    REQUIRE(read.frames() >= least);
    REQUIRE(read.frames() <= frames + 1);  // a byte of padding and two of others make a frame
    const std::vector<float> all = sound().channels[0];
    const std::size_t n = std::min(read.frames(), frames);
    CHECK(std::equal(all.begin(), all.begin() + std::ptrdiff_t(n), read.channels[0].begin()));
    CHECK_THAT(read.note, Catch::Contains(path.filename().string()));
    AudioReader reader(path);
    reader.seek(std::int64_t(n) - 1);
    float last = 9;
    CHECK(reader.read(&last, 1) == 1);
    CHECK(last == all[n - 1]);
}

/// A chunk as it should be, and as some programs write it.
std::string chunk(const std::string& id, const std::string& content, bool padded = true) {
    return id + le(content.size(), 4) + content + (padded && content.size() % 2 ? std::string(1, '\0') : std::string());
}

} // namespace

TEST_CASE("recordings that were never finished are read to their end, with a note", "[audio][mended]") {
    const TemporaryFolder folder;
    const std::string wav = whole(folder, "x.wav"), rf64 = whole(folder, "x.rf64"), w64 = whole(folder, "x.w64"),
                      aiff = whole(folder, "x.aiff"), caf = whole(folder, "x.caf"), rifx = whole_rifx(folder);
    for (const char* name : {"x.wav", "x.rf64", "x.w64", "x.aiff", "x.caf", "x.rifx.wav"})
        CHECK(read_audio(folder / name).note.empty());
    const std::size_t data = wav.find("data") + 4, in_w64 = w64.find("data") + 16, ssnd = aiff.find("SSND") + 4,
                      in_caf = caf.find("data") + 4, in_rifx = rifx.find("data") + 4, count = aiff.find("COMM") + 10;
    const struct {
        const char *what, *name;
        std::string bytes;
    } cases[] = {
        {"WAV, all sizes 0", "a.wav", replaced(replaced(wav, 4, le(0, 4)), data, le(0, 4))},
        {"WAV, only the samples' 0", "a.wav", replaced(wav, data, le(0, 4))},
        {"WAV, too long", "a.wav", replaced(wav, data, le(1000000, 4))},
        {"WAV, far too long", "a.wav", replaced(replaced(wav, 4, le(0xfffffff0, 4)), data, le(0xffffff00, 4))},
        {"RF64, sizes 0", "a.rf64", replaced(rf64, 20, std::string(16, '\0'))},
        {"RF64, too long", "a.rf64", replaced(rf64, 20, le(std::uint64_t{9} << 32, 8) + le(std::uint64_t{9} << 32, 8))},
        {"RF64, named WAV", "a.wav", replaced(rf64, 20, std::string(16, '\0'))},
        {"W64, sizes 0", "a.w64", replaced(replaced(w64, 16, le(0, 8)), in_w64, le(0, 8))},
        {"W64, no more than a header", "a.w64", replaced(w64, in_w64, le(24, 8))},
        {"W64, too long", "a.w64", replaced(w64, in_w64, le(std::uint64_t{1} << 50, 8))},
        {"AIFF, sizes 0", "a.aiff", replaced(replaced(replaced(aiff, 4, be(0, 4)), count, be(0, 4)), ssnd, be(0, 4))},
        {"AIFF, no more than a header", "a.aiff", replaced(replaced(aiff, count, be(0, 4)), ssnd, be(8, 4))},
        {"AIFF, too long", "a.aiff", replaced(aiff, ssnd, be(100000000, 4))},
        {"RIFX, sizes 0", "a.wav", replaced(replaced(rifx, 4, be(0, 4)), in_rifx, be(0, 4))},
        {"RIFX, too long", "a.wav", replaced(rifx, in_rifx, be(1000000, 4))},
        {"CAF, size 0", "a.caf", replaced(caf, in_caf, be(0, 8))},
        {"CAF, too long", "a.caf", replaced(caf, in_caf, be(1000000, 8))},
    };
    for (const auto& c : cases) {
        CAPTURE(c.what);
        write_bytes(folder / c.name, c.bytes);
        check_read(folder / c.name);
    }
    std::string note;
    CHECK(read_mono(folder / "a.wav", 24000, nullptr, &note).size() >= frames / 2);
    CHECK_THAT(note, Catch::Contains("a.wav"));
    CHECK(resampled(read_audio(folder / "a.wav"), 44100).note == note);
    // Legal, and no reason for a note.
    write_bytes(folder / "open.caf", replaced(caf, in_caf, be(~std::uint64_t{0}, 8)));
    CHECK(read_audio(folder / "open.caf").channels == sound().channels);
    CHECK(read_audio(folder / "open.caf").note.empty());
}

TEST_CASE("chunks without padding are found all the same", "[audio][mended]") {
    const TemporaryFolder folder;
    const std::string wav = whole(folder, "x.wav"), head = "RIFF" + le(0, 4) + "WAVE", format = wav.substr(12, 24);
    const std::string content = wav.substr(wav.find("data") + 8, 3 * frames);
    const std::string title = chunk("LIST", "INFO" + chunk("INAM", std::string("Title\0", 6)));
    const struct {
        const char* what;
        std::string bytes;
    } cases[] = {
        {"in front of the format", head + chunk("iXML", "<BWFXML/>", false) + format + chunk("data", content)},
        {"in front of the samples", head + format + chunk("iXML", "<BWFXML/>", false) + chunk("data", content)},
        {"behind the samples", head + format + chunk("data", content, false) + title},
        {"everywhere", head + chunk("iXML", "<BWFXML/>", false) + format + chunk("data", content, false) + title},
        {"and never finished", head + chunk("iXML", "<BWFXML/>", false) + format + "data" + le(0, 4) + content},
    };
    for (const auto& c : cases) {
        CAPTURE(c.what);
        write_bytes(folder / "a.wav", c.bytes);
        check_read(folder / "a.wav");
    }
    write_bytes(folder / "good.wav", head + chunk("iXML", "<BWFXML/>") + format + chunk("data", content) + title);
    CHECK(read_audio(folder / "good.wav").note.empty());
}

TEST_CASE("a file cut off anywhere is read as far as it goes, or refused by name", "[audio][mended]") {
    const TemporaryFolder folder;
    for (const std::string name : {"x.wav", "x.rf64", "x.w64", "x.aiff", "x.caf"}) {
        const std::string bytes = whole(folder, name);
        std::size_t read = 0;
        for (std::size_t n = 1; n + 4 < bytes.size(); n += n < 300 ? 1 : 97) {
            CAPTURE(name, n);
            write_bytes(folder / name, bytes.substr(0, n));
            try {
                check_read(folder / name, 1);
                ++read;
            } catch (const Error& error) {
                CHECK_THAT(error.what(), Catch::Contains(name));
            }
        }
        CHECK(read > 25);
    }
}

TEST_CASE("no damage to a container crashes its reader, and what was mended is sound", "[audio][mended]") {
    const TemporaryFolder folder;
    const auto mended_once = [](const std::string& bytes) -> std::string {
        const auto mended = MendedFile::mend(std::make_unique<std::istringstream>(bytes), bytes.size(), "x");
        if (!mended) return bytes;
        std::string out(mended->size(), '\0');
        REQUIRE(mended->read(0, out.data(), out.size()) == out.size());
        return out;
    };
    test::Random random(4);
    for (const std::string name : {"x.wav", "x.rf64", "x.w64", "x.aiff", "x.caf"}) {
        const std::string bytes = whole(folder, name);
        const std::size_t header = bytes.find(name == "x.aiff" ? "SSND" : "data") + 24;
        for (int i = 0; i < 600; ++i) {
            std::string broken = bytes;
            for (int k = int(random.uniform(1, 4)); k > 0; --k) {
                const bool extreme = random.uniform(0, 2) < 1;
                const auto at = std::size_t(random.uniform(0, double(header)));
                broken[at] = char(extreme ? 0xff * (k % 2) : random.uniform(0, 256));
            }
            if (i % 3 == 0) broken.resize(std::size_t(random.uniform(1, double(broken.size()))));
            CAPTURE(name, i);
            try {
                const std::string mended = mended_once(broken);
                std::istringstream stream(mended);
                const auto container = audio::read_container(stream, mended.size());
                if (container && mended != broken) REQUIRE(container->fault == audio::Fault::none);
                write_bytes(folder / name, broken);
                const std::size_t read = read_audio(folder / name).frames();
                REQUIRE(read <= broken.size());
            } catch (const Error&) {
                // refused, in words
            }
        }
    }
}
