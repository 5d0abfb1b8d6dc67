// SPDX-License-Identifier: GPL-3.0-or-later
// Formats that come back as they were written, and outputs that appear whole or not at all.
#include "audio/file_bytes.h"
#include "audio/temporary_folder.h"

#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>
#include <sndfile.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <sys/resource.h>

using namespace serpent;

namespace {

/// Every value on the grid of `bits` bits, or anything when bits is 0.
AudioBuffer noise(int channels, std::size_t frames, int bits, int sample_rate = 44100) {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> uniform(-1.0, 1.0);
    AudioBuffer buffer;
    buffer.sample_rate = sample_rate;
    buffer.channels.assign(static_cast<std::size_t>(channels), std::vector<float>(frames));
    for (std::vector<float>& channel : buffer.channels) {
        for (float& x : channel) {
            x = static_cast<float>(uniform(random));
            if (bits > 0) x = static_cast<float>(std::ldexp(std::floor(std::ldexp(x, bits - 1)), 1 - bits));
        }
        if (frames > 0) channel[0] = -1.0f; // the one full-scale value that an integer holds
    }
    return buffer;
}

struct Case {
    const char* extension;
    Subtype subtype;
    int bits; // kept exactly; 0: any float is
};

// Float holds 25 bits with sign, so 24-bit integers pass through it exactly, and pcm32 keeps what float can.
const Case exact_cases[] = {
    {"wav", Subtype::pcm8, 8},     {"wav", Subtype::pcm16, 16},    {"wav", Subtype::pcm24, 24},
    {"wav", Subtype::pcm32, 24},   {"wav", Subtype::float32, 0},   {"wav", Subtype::float64, 0},
    {"WAV", Subtype::pcm16, 16},   {"flac", Subtype::pcm8, 8},     {"flac", Subtype::pcm16, 16},
    {"flac", Subtype::pcm24, 24},  {"caf", Subtype::pcm8, 8},      {"aiff", Subtype::pcm16, 16},
    {"aif", Subtype::pcm24, 24},   {"aiff", Subtype::pcm32, 24},   {"aiff", Subtype::float32, 0},
    {"aiff", Subtype::float64, 0}, {"rf64", Subtype::pcm24, 24},   {"rf64", Subtype::float32, 0},
    {"w64", Subtype::pcm16, 16},   {"caf", Subtype::pcm24, 24},    {"caf", Subtype::float32, 0},
    {"au", Subtype::pcm16, 16},
};

} // namespace

TEST_CASE("lossless formats give back every bit", "[audio]") {
    const TemporaryFolder folder;
    for (const Case& c : exact_cases) {
        for (const int channels : {1, 2, 5}) {
            for (const std::size_t frames : {1, 4099}) {
                CAPTURE(c.extension, subtype_name(c.subtype), channels, frames);
                const std::filesystem::path path = folder / (std::string("x.") + c.extension);
                const AudioBuffer written = noise(channels, frames, c.bits);
                CHECK(write_audio(path, written, c.subtype) == 0);
                const AudioBuffer read = read_audio(path);
                CHECK(read.sample_rate == 44100);
                CHECK(read.subtype == c.subtype);
                CHECK(read.frames() == frames);
                CHECK((read.channels == written.channels));
            }
        }
    }
    CHECK(folder.count() == 9); // one file for each distinct name, and nothing beside them
}

TEST_CASE("Vorbis keeps length, rate and roughly the sound", "[audio]") {
    const TemporaryFolder folder;
    AudioBuffer buffer;
    buffer.sample_rate = 48000;
    buffer.channels.assign(2, std::vector<float>(48017));
    for (std::size_t i = 0; i < 48017; ++i) {
        buffer.channels[0][i] = 0.5f * std::sin(0.05f * static_cast<float>(i));
        buffer.channels[1][i] = 0.25f * std::sin(0.11f * static_cast<float>(i));
    }
    const std::filesystem::path path = folder / "x.ogg";
    write_audio(path, buffer, Subtype::other);
    const AudioBuffer read = read_audio(path);
    CHECK(read.sample_rate == 48000);
    REQUIRE(read.channels.size() == 2);
    REQUIRE(read.frames() == 48017);
    double error = 0, power = 0;
    for (std::size_t i = 0; i < 48017; ++i) {
        error += std::pow(static_cast<double>(read.channels[0][i]) - buffer.channels[0][i], 2);
        power += std::pow(static_cast<double>(buffer.channels[0][i]), 2);
    }
    CHECK(error <= 0.01 * power); // a lossy codec at its medium quality; a shift by one sample alone gives 0.0025
}

TEST_CASE("float is never clipped; integers round to nearest and saturate with a count", "[audio]") {
    const TemporaryFolder folder;
    AudioBuffer loud;
    loud.channels = {{0.0f, 1.0f, -1.0f, 1.5f, -3.0f, 0.99999f, 1e30f, -1.0000153f, 0.4f / 32768, 0.6f / 32768}};
    for (const Subtype subtype : {Subtype::float32, Subtype::float64}) {
        CHECK(write_audio(folder / "f.wav", loud, subtype) == 0);
        CHECK((read_audio(folder / "f.wav").channels == loud.channels));
    }
    const float top = 32767.0f / 32768;
    // 1.0, 1.5, -3.0, 1e30, and 0.99999, which rounds to 1
    CHECK(write_audio(folder / "i.wav", loud, Subtype::pcm16) == 5);
    const std::vector<float> expected = {0, top, -1, top, -1, top, top, -1, 0, 1.0f / 32768};
    CHECK(read_audio(folder / "i.wav").channels[0] == expected);
}

TEST_CASE("two runs write the same bytes", "[audio]") {
    const TemporaryFolder folder;
    for (const char* name : {"x.wav", "x.rf64", "x.flac"}) {
        CAPTURE(name);
        const Subtype subtype = std::string(name) == "x.flac" ? Subtype::pcm24 : Subtype::float32;
        write_audio(folder / name, noise(2, 5000, 0), subtype);
        const std::string first = read_bytes(folder / name);
        write_audio(folder / name, noise(2, 5000, 0), subtype);
        CHECK(read_bytes(folder / name) == first);
    }
}

TEST_CASE("a WAV that needs more than 4 GiB is an RF64", "[audio]") {
    const TemporaryFolder folder;
    const std::vector<float> frames(200, 0.5f);
    const AudioFormat format{48000, 2, Subtype::pcm24};
    const std::int64_t limit = 0xffffffffLL / 6;
    for (const auto& [count, container] : {std::pair{limit + 1, "RF64"}, std::pair{limit - 20000, "RIFF"}}) {
        AudioWriter writer(folder / "long.wav", format, count);
        writer.write(frames.data(), 100);
        writer.commit();
        CHECK(read_bytes(folder / "long.wav").substr(0, 4) == container);
        const AudioBuffer read = read_audio(folder / "long.wav");
        CHECK(read.channels == std::vector(2, std::vector(100, 0.5f)));
    }
    CHECK_THROWS_WITH(AudioWriter(folder / "long.aiff", format, limit + 1), Catch::Contains("AIFF ends at 4 GiB"));
}

TEST_CASE("an RF64 beyond 4 GiB is read to its end", "[audio]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "huge.wav";
    const std::int64_t frames = 0x50000000; // of 4 bytes: 5 GiB, nearly all of it a hole in the file
    {
        SF_INFO info{0, 48000, 1, SF_FORMAT_RF64 | SF_FORMAT_FLOAT, 0, 0};
        SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
        REQUIRE(file);
        const float last = 0.25f;
        REQUIRE(sf_seek(file, frames - 1, SEEK_SET) == frames - 1);
        REQUIRE(sf_writef_float(file, &last, 1) == 1);
        sf_close(file);
    }
    AudioReader reader(path);
    CHECK(reader.frames() == frames);
    reader.seek(frames - 2);
    float tail[4] = {9, 9, 9, 9};
    CHECK(reader.read(tail, 4) == 2);
    CHECK(tail[0] == 0.0f);
    CHECK(tail[1] == 0.25f);
}

TEST_CASE("seeking gives the samples that reading through gives", "[audio]") {
    const TemporaryFolder folder;
    for (const char* name : {"x.wav", "x.flac", "x.aiff", "x.ogg"}) {
        CAPTURE(name);
        const std::filesystem::path path = folder / name;
        const AudioFormat format = closest_format(path, {44100, 2, Subtype::pcm16});
        write_audio(path, noise(2, 50021, 16), format.subtype);
        const AudioBuffer whole = read_audio(path);
        AudioReader reader(path);
        for (const std::int64_t frame : {30001, 17, 50020, 0, 50021}) {
            CAPTURE(frame);
            reader.seek(frame);
            CHECK(reader.position() == frame);
            std::vector<float> block(2 * 100);
            const std::size_t n = reader.read(block.data(), 100);
            CHECK(n == static_cast<std::size_t>(std::min<std::int64_t>(100, 50021 - frame)));
            bool same = true;
            for (std::size_t i = 0; i < 2 * n; ++i) {
                same = same && block[i] == whole.channels[i % 2][static_cast<std::size_t>(frame) + i / 2];
            }
            CHECK(same);
        }
        CHECK_THROWS_AS(reader.seek(50022), Error);
        CHECK_THROWS_AS(reader.seek(-1), Error);
    }
}

TEST_CASE("the closest format loses nothing where it can", "[audio]") {
    const auto closest = [](const char* name, Subtype wanted) {
        return closest_format(name, {48000, 2, wanted}).subtype;
    };
    CHECK(closest("x.wav", Subtype::pcm24) == Subtype::pcm24);
    CHECK(closest("x.wav", Subtype::other) == Subtype::float32);
    CHECK(closest("x.flac", Subtype::float32) == Subtype::pcm24);
    CHECK(closest("x.flac", Subtype::pcm32) == Subtype::pcm24);
    CHECK(closest("x.flac", Subtype::pcm16) == Subtype::pcm16);
    CHECK(closest("x.ogg", Subtype::pcm16) == Subtype::other);
    CHECK_THROWS_WITH(closest("x.xyz", Subtype::pcm16), Catch::Contains("x.xyz") && Catch::Contains(".wav"));
    CHECK_THROWS_WITH(closest("noextension", Subtype::pcm16), Catch::Contains("noextension"));
    CHECK_THROWS_WITH(AudioWriter("x.flac", {48000, 1, Subtype::float32}, 1), Catch::Contains("float"));
    CHECK_THROWS_WITH(closest_format("x.flac", {48000, 9, Subtype::pcm16}), Catch::Contains("9 channels"));
}

TEST_CASE("without commit nothing appears and what was there stays", "[audio]") {
    const TemporaryFolder folder;
    write_audio(folder / "x.wav", noise(1, 10, 0), Subtype::float32);
    const std::string before = read_bytes(folder / "x.wav");
    {
        AudioWriter writer(folder / "x.wav", {48000, 1, Subtype::float32}, 1000);
        const std::vector<float> ones(1000, 1.0f);
        writer.write(ones.data(), 1000);
    }
    CHECK(read_bytes(folder / "x.wav") == before);
    CHECK(folder.count() == 1);
}

TEST_CASE("a recording is there from the start, opens at any moment and outlives its writer", "[audio]") {
    const TemporaryFolder folder;
    const AudioBuffer sound = noise(2, 3000, 16);
    std::vector<float> interleaved;
    for (std::size_t i = 0; i < 3000; ++i) interleaved.insert(interleaved.end(), {sound.channels[0][i], sound.channels[1][i]});
    for (const char* name : {"x.wav", "x.rf64", "x.w64", "x.aiff", "x.caf", "x.au"}) {
        CAPTURE(name);
        const std::filesystem::path path = folder / name;
        {
            AudioWriter writer = AudioWriter::recording(path, {44100, 2, Subtype::pcm16});
            CHECK(std::filesystem::exists(path));
            writer.write(interleaved.data(), 1000);
            writer.flush();
            CHECK(read_audio(path).frames() == 1000);
            writer.write(interleaved.data() + 2000, 1000);
            writer.sync();
            CHECK(read_audio(path).frames() == 2000);
            writer.write(interleaved.data() + 4000, 1000);
        }
        CHECK((read_audio(path).channels == sound.channels));
        CHECK_THROWS_WITH(AudioWriter::recording(path, {44100, 2, Subtype::pcm16}),
                          Catch::Contains(name) && Catch::Contains("another name"));
        CHECK((read_audio(path).channels == sound.channels));
    }
    // A short one is plain WAV, with room in front of its format for the sizes of an RF64.
    const std::string header = read_bytes(folder / "x.wav").substr(0, 64);
    CHECK(header.substr(0, 4) == "RIFF");
    CHECK(header.substr(12, 4) == "JUNK");
    CHECK(header.find("fmt ") >= 12 + 8 + 24);
    AudioWriter committed = AudioWriter::recording(folder / "y.flac", {44100, 2, Subtype::pcm16});
    committed.write(interleaved.data(), 3000);
    committed.commit();
    CHECK((read_audio(folder / "y.flac").channels == sound.channels));
}

TEST_CASE("a recording keeps what the disk had room for", "[audio]") {
    const TemporaryFolder folder;
    struct Limited {  // of files of this process
        rlimit before{};
        void (*handler)(int);
        explicit Limited(rlim_t bytes) : handler(std::signal(SIGXFSZ, SIG_IGN)) {
            ::getrlimit(RLIMIT_FSIZE, &before);
            const rlimit now{bytes, before.rlim_max};
            ::setrlimit(RLIMIT_FSIZE, &now);
        }
        ~Limited() {
            ::setrlimit(RLIMIT_FSIZE, &before);
            std::signal(SIGXFSZ, handler);
        }
    };
    const std::vector<float> ones(2 * 1000, 0.5f);
    for (const char* name : {"x.wav", "x.w64", "x.aiff"}) {
        CAPTURE(name);
        AudioWriter writer = AudioWriter::recording(folder / name, {48000, 2, Subtype::pcm24});
        {
            const Limited limited(100001);
            const auto fill = [&] {
                for (int i = 0; i < 100; ++i) writer.write(ones.data(), 1000);
            };
            CHECK_THROWS_WITH(fill(), Catch::Contains(name) && Catch::Contains("File too large"));
        }
        { const AudioWriter gone = std::move(writer); }
        const AudioBuffer read = read_audio(folder / name);
        CHECK(read.frames() >= 16000);
        CHECK(read.channels == std::vector(2, std::vector(read.frames(), 0.5f)));
    }
}

TEST_CASE("names of subtypes", "[audio]") {
    for (const Subtype subtype : {Subtype::pcm8, Subtype::pcm16, Subtype::pcm24, Subtype::pcm32, Subtype::float32,
                                  Subtype::float64}) {
        CHECK(subtype_from_name(subtype_name(subtype)) == subtype);
    }
    CHECK_FALSE(subtype_from_name("other"));
    CHECK_FALSE(subtype_from_name("pcm17"));
}
