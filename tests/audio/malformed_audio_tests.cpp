// SPDX-License-Identifier: GPL-3.0-or-later
// Every broken input gets one error that names the file and what is wrong with it.
#include "audio/file_bytes.h"
#include "audio/temporary_folder.h"

#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace serpent;

namespace {

std::string little_endian(std::uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
    return text;
}

struct WavHeader {
    int channels = 1, sample_rate = 48000;
    std::uint32_t data_bytes = 200;
};

std::string wav(const WavHeader& header, std::size_t payload_bytes) {
    const int frame_bytes = 2 * header.channels;
    return "RIFF" + little_endian(36 + header.data_bytes, 4) + "WAVEfmt " + little_endian(16, 4) + little_endian(1, 2) +
           little_endian(static_cast<std::uint64_t>(header.channels), 2) +
           little_endian(static_cast<std::uint64_t>(header.sample_rate), 4) +
           little_endian(static_cast<std::uint64_t>(header.sample_rate * frame_bytes), 4) +
           little_endian(static_cast<std::uint64_t>(frame_bytes), 2) + little_endian(16, 2) + "data" +
           little_endian(header.data_bytes, 4) + std::string(payload_bytes, '\1');
}

/// The message of the error that reading the whole file gives; empty if it gives none.
std::string reading_error(const std::filesystem::path& path) {
    try {
        read_audio(path);
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

AudioBuffer tone(std::size_t frames) {
    AudioBuffer buffer;
    buffer.channels.assign(1, std::vector<float>(frames));
    for (std::size_t i = 0; i < frames; ++i) buffer.channels[0][i] = static_cast<float>(i % 100) / 200.0f;
    return buffer;
}

} // namespace

TEST_CASE("broken WAV files", "[audio][malformed]") {
    const TemporaryFolder folder;
    const struct {
        const char* what;
        std::string bytes;
        const char* message;
    } cases[] = {
        {"no bytes", "", "is empty"},
        {"not audio", std::string(500, 'x'), "not an audio file"},
        {"only RIFF", "RIFF", "not an audio file"},
        {"header cut", wav({}, 200).substr(0, 30), "not an audio file"},
        {"no sample there", wav({}, 0), "truncated"},
        {"header of no audio", wav({.data_bytes = 0}, 0), "holds no audio"},
        {"no channels", wav({.channels = 0}, 200), "hannel count is zero"},
        {"no rate", wav({.sample_rate = 0}, 200), "not an audio file"},
        {"negative rate", wav({.sample_rate = -5}, 200), ""},
    };
    for (const auto& c : cases) {
        CAPTURE(c.what);
        const std::filesystem::path path = folder / "broken.wav";
        write_bytes(path, c.bytes);
        const std::string message = reading_error(path);
        CHECK_THAT(message, Catch::Contains("broken.wav") && Catch::Contains(c.message));
        CHECK(message.find('\n') == std::string::npos);
    }
}

TEST_CASE("files whose size was unknown when they were written are read to their end", "[audio]") {
    const TemporaryFolder folder;
    for (const std::uint32_t unknown : {0xffffffffu, 0x7fffffffu, 0x7ffff000u}) {
        CAPTURE(unknown);
        write_bytes(folder / "pipe.wav", wav({.data_bytes = unknown}, 2000));
        CHECK(read_audio(folder / "pipe.wav").frames() == 1000);
    }
}

TEST_CASE("a plain WAV that grew beyond 4 GiB is not taken for a short one", "[audio][malformed]") {
    const TemporaryFolder folder;
    write_bytes(folder / "wrapped.wav", wav({.data_bytes = 2000}, 2000));
    std::filesystem::resize_file(folder / "wrapped.wav", 44 + 2000 + (std::uint64_t{1} << 32)); // a hole, no real bytes
    CHECK_THAT(reading_error(folder / "wrapped.wav"), Catch::Contains("wrapped.wav") && Catch::Contains("4 GiB"));
}

TEST_CASE("a truncated FLAC file is refused", "[audio][malformed]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "x.flac";
    write_audio(path, tone(20000), Subtype::pcm16);
    const std::string whole = read_bytes(path);
    CHECK(reading_error(path).empty());
    for (const double part : {0.01, 0.3, 0.9, 0.999}) {
        CAPTURE(part);
        write_bytes(path, whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size()))));
        CHECK_THAT(reading_error(path), Catch::Contains("x.flac"));
    }
}

TEST_CASE("names that are no readable file", "[audio][malformed]") {
    const TemporaryFolder folder;
    CHECK_THAT(reading_error(folder / "gone.wav"), Catch::Contains("gone.wav") && Catch::Contains("no such file"));
    CHECK_THAT(reading_error(folder / "missing/x.wav"), Catch::Contains("no such file"));
    CHECK_THAT(reading_error(folder.path()), Catch::Contains("folder"));
    CHECK_THAT(reading_error("/dev/null"), Catch::Contains("not a regular file"));
    CHECK_THAT(reading_error(folder / std::string(300, 'a')), Catch::Contains("cannot read"));
    CHECK_THROWS_WITH(write_audio(folder / "missing/x.wav", tone(5), Subtype::pcm16), Catch::Contains("x.wav"));
    std::filesystem::create_directory(folder / "folder.wav");
    CHECK_THROWS_WITH(write_audio(folder / "folder.wav", tone(5), Subtype::pcm16), Catch::Contains("folder.wav"));
}

TEST_CASE("samples that are no number name their place", "[audio][malformed]") {
    const TemporaryFolder folder;
    const struct {
        float value;
        const char* message;
    } cases[] = {{std::numeric_limits<float>::quiet_NaN(), "not a number"},
                 {std::numeric_limits<float>::infinity(), "infinite"},
                 {-std::numeric_limits<float>::infinity(), "infinite"}};
    for (const auto& c : cases) {
        AudioBuffer buffer;
        buffer.channels.assign(2, std::vector<float>(48001, 0.5f));
        buffer.channels[1][24000] = c.value;
        write_audio(folder / "x.wav", buffer, Subtype::float32);
        CHECK_THAT(reading_error(folder / "x.wav"), Catch::Contains("x.wav") && Catch::Contains("sample 24000") &&
                                                        Catch::Contains("0.500000 s") && Catch::Contains("channel 2") &&
                                                        Catch::Contains(c.message));
    }
    AudioBuffer huge;
    huge.channels = {{0.0f, 1e38f, -3e38f}};
    write_audio(folder / "x.wav", huge, Subtype::float32);
    CHECK(reading_error(folder / "x.wav").empty());
}

TEST_CASE("any byte of a header may be wrong", "[audio][malformed]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "x.wav";
    write_audio(path, tone(300), Subtype::pcm24);
    const std::string whole = read_bytes(path);
    int refused = 0;
    for (std::size_t place = 0; place < 60; ++place) {
        for (const char value : {'\0', '\x7f', '\xff'}) {
            std::string bytes = whole;
            bytes[place] = value;
            write_bytes(path, bytes);
            try {
                const AudioBuffer read = read_audio(path);
                CHECK(read.frames() <= whole.size());
            } catch (const Error& error) {
                ++refused;
                CHECK_THAT(error.what(), Catch::Contains("x.wav"));
            }
        }
    }
    CHECK(refused > 20); // most of these bytes mean something
}
