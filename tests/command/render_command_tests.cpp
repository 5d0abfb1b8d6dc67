// SPDX-License-Identifier: GPL-3.0-or-later
// `serpent render`, the binary itself: the right samples, the right complaints, and whole files or none.
#include "audio/file_bytes.h"
#include "audio/temporary_folder.h"
#include "close.h"
#include "command/run_command.h"
#include "render/gain_model.h"

#include "serpent/kernels/device.h"
#include "serpent/audio_file.h"

#include <catch2/catch.hpp>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include <unistd.h>

using namespace serpent;
using serpent::test::distance;
namespace fs = std::filesystem;

namespace {

AudioBuffer ramp(std::size_t frames, int channels = 1) {
    AudioBuffer buffer;
    buffer.channels.assign(static_cast<std::size_t>(channels), std::vector<float>(frames));
    for (std::vector<float>& channel : buffer.channels) {
        for (std::size_t i = 0; i < frames; ++i) channel[i] = static_cast<float>(i % 200) / 400.0f;
    }
    return buffer;
}

/// A folder with a model that halves (half.safetensors) and a second of audio (in.wav, pcm16).
struct Bench : TemporaryFolder {
    Bench() {
        gain_model({0.5f}).save(*this / "half.safetensors");
        write_audio(*this / "in.wav", ramp(48000), Subtype::pcm16);
    }

    std::string name(const std::string& file) const { return (*this / file).string(); }

    CommandResult render(std::vector<std::string> arguments, const CommandLimits& limits = {}) const {
        arguments.insert(arguments.begin(), {"render", name("half.safetensors")});
        return run_command(arguments, limits);
    }
};

bool one_line_error(const CommandResult& result) {
    return result.status == 1 && result.out.empty() && result.err.starts_with("serpent: ") &&
           std::count(result.err.begin(), result.err.end(), '\n') == 1;
}

/// A mono float WAV of zeros that takes no room on the disk.
void write_hole(const fs::path& path, std::int64_t frames) {
    SF_INFO info{0, 48000, 1, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 0, 0};
    SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
    REQUIRE(file);
    const float last = 0.5f;
    sf_seek(file, frames - 1, SEEK_SET);
    sf_writef_float(file, &last, 1);
    sf_close(file);
}

} // namespace

TEST_CASE("render answers the golden models", "[command]") {
    const TemporaryFolder folder;
    for (const char* name :
         {"mamba_reference_16_32_16_4", "tied_ema_8_16_4_4", "slow_ema_8_16_8_2", "odd_widths_5_10_3_3"}) {
        CAPTURE(name);
        const std::string model = std::string(SERPENT_TEST_DATA "/models/") + name;
        const std::string out = (folder / "out.wav").string();
        const CommandResult result =
            run_command({"render", model + ".safetensors", model + "_in.wav", "-o", out, "--initial-state", "zero"});
        CHECK(result.status == 0);
        const AudioBuffer expected = read_audio(model + "_out.wav"), got = read_audio(out);
        CHECK(got.subtype == Subtype::float32);
        // The project's contract with a float64 implementation: 1e-5 rms, 1e-4 at most.
        CHECK(distance(expected.channels[0], got.channels[0]).within(1e-5, 1e-4));
    }
}

TEST_CASE("render keeps format, length and rate, and reports", "[command]") {
    const Bench bench;
    for (const char* out : {"out.wav", "out.flac", "out.aiff"}) {
        const CommandResult result = bench.render({bench.name("in.wav"), "-o", bench.name(out)});
        CHECK(result.status == 0);
        CHECK(result.out.empty());
        CHECK_THAT(result.err, Catch::Contains(out) && Catch::Contains("times real time") &&
                                   Catch::Contains("peak -12.1 dBFS"));
        const AudioBuffer got = read_audio(bench / out);
        CHECK(got.subtype == Subtype::pcm16);
        CHECK(got.sample_rate == 48000);
        CHECK(got.frames() == 48000);
    }
    const CommandResult loud = bench.render({bench.name("in.wav"), "-o", bench.name("out.wav"), "--output-db", "20"});
    CHECK(loud.status == 0);
    CHECK_THAT(loud.err, Catch::Contains("saturated") && Catch::Contains("--output-db 12.0"));
    const CommandResult lossy = bench.render({bench.name("in.wav"), "-o", bench.name("out.ogg")});
    CHECK(lossy.status == 0);
    CHECK(read_audio(bench / "out.ogg").frames() == 48000);
    const CommandResult fl = bench.render(
        {bench.name("in.wav"), "-o", bench.name("part.wav"), "--start", "0.25", "--end", "0.5", "--subtype", "float",
         "--input-db", "-6.0206", "--mix", "0.5", "--threads", "1", "--device", "cpu"});
    CHECK(fl.status == 0);
    const AudioBuffer part = read_audio(bench / "part.wav");
    CHECK(part.subtype == Subtype::float32);
    REQUIRE(part.frames() == 12000);
    const float dry = read_audio(bench / "in.wav").channels[0][12123];
    CHECK(part.channels[0][123] == Approx(0.5 * dry + 0.5 * 0.25 * dry).epsilon(1e-5));
}

TEST_CASE("render takes many files into a folder", "[command]") {
    const Bench bench;
    write_audio(bench / "second.flac", ramp(1000, 2), Subtype::pcm24);
    const std::string folder = bench.name("new/folder");
    const CommandResult result = bench.render({bench.name("in.wav"), bench.name("second.flac"), "-o", folder});
    CHECK(result.status == 0);
    CHECK(read_audio(folder + "/in.wav").frames() == 48000);
    CHECK(read_audio(folder + "/second.flac").channels.size() == 2);

    CHECK(bench.render({bench.name("in.wav"), "-o", bench.name("one") + "/"}).status == 0);
    CHECK(fs::exists(bench / "one/in.wav"));

    // One bad file does not keep the others from being rendered, and is told at the end.
    std::ofstream(bench / "bad.wav") << "this is no sound";
    const CommandResult mixed =
        bench.render({bench.name("bad.wav"), bench.name("in.wav"), "-o", bench.name("mixed")});
    CHECK(mixed.status == 1);
    CHECK_THAT(mixed.err, Catch::Contains("bad.wav") && Catch::Contains("1 of 2 files"));
    CHECK(fs::exists(bench / "mixed/in.wav"));
    CHECK_FALSE(fs::exists(bench / "mixed/bad.wav"));

    // A folder made for nothing goes again.
    CHECK(bench.render({bench.name("bad.wav"), bench.name("gone.wav"), "-o", bench.name("empty/deep")}).status == 1);
    CHECK_FALSE(fs::exists(bench / "empty"));
}

TEST_CASE("render overwrites neither its input nor the model", "[command]") {
    const Bench bench;
    fs::create_directory(bench / "other");
    fs::create_symlink(bench / "in.wav", bench / "link.wav");
    fs::copy(bench / "in.wav", bench / "other/in.wav");
    const std::string before = read_bytes(bench / "in.wav");
    const std::vector<std::string> refused[] = {
        {bench.name("in.wav"), "-o", bench.name("in.wav")},
        {bench.name("in.wav"), "-o", bench.name("link.wav")},
        {bench.name("in.wav"), "-o", bench.path().string()},
        {bench.name("in.wav"), bench.name("other/in.wav"), "-o", bench.name("both")},
        {bench.name("in.wav"), bench.name("link.wav"), "-o", bench.name("half.safetensors")},
        {bench.name("in.wav"), "-o", bench.name("half.safetensors")},
    };
    for (const std::vector<std::string>& arguments : refused) {
        CAPTURE(arguments);
        const CommandResult result = bench.render(arguments);
        CHECK(one_line_error(result));
        CHECK(read_bytes(bench / "in.wav") == before);
    }
    CHECK(bench.count() == 4); // half.safetensors, in.wav, link.wav, other
}

TEST_CASE("render refuses malformed input with one line that names it", "[command]") {
    const Bench bench;
    const std::string wav = read_bytes(bench / "in.wav");
    const auto write = [&](const char* name, const std::string& bytes) {
        std::ofstream(bench / name, std::ios::binary) << bytes;
    };
    std::string no_channels = wav;
    no_channels[22] = 0;
    write("truncated.wav", wav.substr(0, 44));
    write("empty.wav", "");
    write("text.wav", "not a sound");
    write("no_channels.wav", no_channels);
    AudioBuffer bad = ramp(1000);
    bad.channels[0][500] = std::numeric_limits<float>::quiet_NaN();
    write_audio(bench / "nan.wav", bad, Subtype::float32);
    write_audio(bench / "no_frames.wav", ramp(0), Subtype::pcm16);
    fs::create_directory(bench / "folder.wav");
    const std::size_t before = bench.count();
    const std::pair<const char*, const char*> cases[] = {
        {"truncated.wav", "truncated"}, {"empty.wav", "empty"},        {"text.wav", "not an audio file"},
        {"no_channels.wav", "hannel"},  {"nan.wav", "sample 500"},     {"no_frames.wav", "no audio"},
        {"folder.wav", "folder"},       {"missing.wav", "no such file"},
    };
    for (const auto& [name, message] : cases) {
        CAPTURE(name);
        const CommandResult result = bench.render({bench.name(name), "-o", bench.name("out.wav")});
        CHECK(one_line_error(result));
        CHECK_THAT(result.err, Catch::Contains(name) && Catch::Contains(message));
        CHECK(bench.count() == before);
    }
}

TEST_CASE("render reads what a recorder left behind, keeps what goes with it, and says what it could not", "[command]") {
    const Bench bench;
    const std::string wav = read_bytes(bench / "in.wav");
    const std::string title = "LIST" + std::string("\x16\0\0\0INFOIENG\x0a\0\0\0Somebody \0", 26);
    std::ofstream(bench / "truncated.wav", std::ios::binary) << wav.substr(0, 5000);
    std::ofstream(bench / "titled.wav", std::ios::binary) << wav << title;
    const CommandResult cut = bench.render({bench.name("truncated.wav"), "-o", bench.name("out.wav")});
    CHECK(cut.status == 0);
    CHECK_THAT(cut.err, Catch::Contains("note: ") && Catch::Contains("truncated.wav: its header promises"));
    CHECK(read_audio(bench / "out.wav").frames() == (5000 - 44) / 2);
    const CommandResult kept = bench.render({bench.name("titled.wav"), "-o", bench.name("out.wav")});
    CHECK(kept.err.find("not kept") == std::string::npos);
    CHECK(read_bytes(bench / "out.wav").find("Somebody") != std::string::npos);
    const CommandResult dropped = bench.render({bench.name("titled.wav"), "-o", bench.name("out.flac")});
    CHECK(dropped.status == 0);
    CHECK_THAT(dropped.err, Catch::Contains("not kept") && Catch::Contains("INFO IENG"));
}

TEST_CASE("render refuses outputs that cannot be", "[command]") {
    const Bench bench;
    std::ofstream(bench / "file") << "x";
    fs::create_symlink("/dev/full", bench / "full.wav");
    const std::size_t before = bench.count();
    const std::pair<std::vector<std::string>, const char*> cases[] = {
        {{"-o", bench.name("out.xyz")}, "out.xyz"},
        {{"-o", bench.name("out")}, ".flac"},
        {{"-o", bench.name("no/such/folder.wav")}, "folder.wav"},
        {{"-o", bench.name("file/out.wav")}, "out.wav"},
        {{"-o", bench.name("full.wav")}, "No space left on device"},
        {{"-o", bench.name("out.flac"), "--subtype", "float"}, "float"},
        {{bench.name("in.wav"), "-o", bench.name("file")}, "need a folder"},
    };
    for (const auto& [arguments, message] : cases) {
        CAPTURE(arguments);
        std::vector<std::string> all{bench.name("in.wav")};
        all.insert(all.end(), arguments.begin(), arguments.end());
        const CommandResult result = bench.render(all);
        CHECK(one_line_error(result));
        CHECK_THAT(result.err, Catch::Contains(message));
        CHECK(bench.count() == before);
    }
}

TEST_CASE("a full disk leaves nothing behind", "[command]") {
    const Bench bench;
    const std::size_t before = bench.count();
    for (const char* name : {"out.wav", "out.flac", "out.ogg", "out.aiff"}) {
        for (const std::uint64_t room : {500, 1000, 5000}) { // messages need some too
            CAPTURE(name, room);
            const CommandResult result =
                bench.render({bench.name("in.wav"), "-o", bench.name(name)}, {.file_size_bytes = room});
            CHECK(result.status == 1);
            CHECK_THAT(result.err, Catch::Contains(name));
            CHECK(bench.count() == before);
        }
    }
}

TEST_CASE("no permission is an error that says so", "[command]") {
    const Bench bench;
    const bool root = ::geteuid() == 0;
    write_audio(bench / "secret.wav", ramp(100), Subtype::pcm16);
    fs::create_directory(bench / "locked");
    fs::permissions(bench.path(), fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
    fs::permissions(bench / "secret.wav", fs::perms::none);
    fs::permissions(bench / "locked", fs::perms::owner_read | fs::perms::owner_exec);
    const CommandLimits limits{.unprivileged = root};
    const CommandResult able = run_command({"--version"}, limits);
    if (able.status != 0) {
        WARN("skipped: the build folder is closed to other users");
        return;
    }
    const CommandResult input = bench.render({bench.name("secret.wav"), "-o", "/tmp/never.wav"}, limits);
    CHECK(one_line_error(input));
    CHECK_THAT(input.err, Catch::Contains("secret.wav") && Catch::Contains("Permission denied"));
    const CommandResult output = bench.render({bench.name("in.wav"), "-o", bench.name("locked/out.wav")}, limits);
    CHECK(one_line_error(output));
    CHECK_THAT(output.err, Catch::Contains("cannot write") && Catch::Contains("out.wav") &&
                               Catch::Contains("Permission denied"));
    const CommandResult folder = bench.render({bench.name("in.wav"), "-o", bench.name("locked/new") + "/"}, limits);
    CHECK(one_line_error(folder));
    CHECK_THAT(folder.err, Catch::Contains("cannot create the folder") && Catch::Contains("locked/new") &&
                               Catch::Contains("Permission denied"));
    fs::permissions(bench / "locked", fs::perms::owner_all);
}

TEST_CASE("Ctrl-C leaves no file", "[command]") {
    const Bench bench;
    write_hole(bench / "long.wav", 48000LL * 3600 * 3);
    const std::size_t before = bench.count();
    const CommandResult result =
        bench.render({bench.name("long.wav"), "-o", bench.name("out.wav")}, {.interrupt_after_s = 0.5});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Catch::Contains("interrupted") && Catch::Contains("out.wav"));
    CHECK(bench.count() == before);
}

#if !defined(__SANITIZE_ADDRESS__)  // which keeps what was freed
TEST_CASE("memory does not grow with the length of a file", "[command]") {
    const Bench bench;
    std::int64_t peaks[2];
    for (const int i : {0, 1}) {
        write_hole(bench / "hole.wav", 48000LL * (i == 0 ? 10 : 900));
        const CommandResult result = bench.render({bench.name("hole.wav"), "-o", bench.name("out.wav")});
        REQUIRE(result.status == 0);
        peaks[i] = result.peak_memory_bytes;
    }
    // 15 minutes of float are 173 MB. Blocks are all that is held; the margin is for the allocator.
    CHECK(peaks[1] - peaks[0] < 16'000'000);
}
#endif

TEST_CASE("controls are found by name in any case", "[command]") {
    const Bench bench;
    const std::string in = bench.name("in.wav"), out = bench.name("out.wav");
    const CommandResult none = bench.render({in, "-o", out, "--control", "Drive=1"});
    CHECK(one_line_error(none));
    CHECK_THAT(none.err, Catch::Contains("no controls"));

    Model model = gain_model({0.5f});
    model.config.controls = {{"Drive", 0.0f, 10.0f, 5.0f, "dB"}, {"Low Cut", 20.0f, 200.0f, 20.0f, "Hz"}};
    lay_out(model.config, model.weights);
    for (const TensorRef& tensor : tensors(model.config, model.weights))
        if (tensor.name.find("film") != std::string::npos) std::ranges::fill(tensor.data, 0.1f);
    model.weights.decoder_weight[0] = 1.0f, model.weights.decoder_weight[1] = 0.5f;  // or no control could be heard
    model.save(bench / "half.safetensors");
    const CommandResult wrong = bench.render({in, "-o", out, "--control", "Gain=1"});
    CHECK(one_line_error(wrong));
    CHECK_THAT(wrong.err, Catch::Contains("Gain") && Catch::Contains("Drive (0 to 10 dB), Low Cut (20 to 200 Hz)"));
    for (const char* bad : {"Drive", "Drive=", "Drive=loud", "Drive=1x", "Drive=nan", "=1"}) {
        CAPTURE(bad);
        CHECK(one_line_error(bench.render({in, "-o", out, "--control", bad})));
    }
    CHECK_FALSE(fs::exists(out));

    CHECK(bench.render({in, "-o", out, "--control", "dRIVE=10", "--control", "low cut=20"}).status == 0);
    const AudioBuffer full = read_audio(out);
    CHECK(bench.render({"--control", "drive=10", in, "-o", out}).status == 0); // does not swallow what follows
    CHECK((read_audio(out).channels == full.channels));
    const CommandResult clamped = bench.render({in, "-o", out, "--control", "Drive=11"});
    CHECK(clamped.status == 0);
    CHECK_THAT(clamped.err, Catch::Contains("Drive 11"));
    CHECK((read_audio(out).channels == full.channels));
    CHECK(bench.render({in, "-o", out}).status == 0);
    CHECK((read_audio(out).channels != full.channels));
}

TEST_CASE("mistakes on the command line end with status 1 and a way out", "[command]") {
    const Bench bench;
    const std::string in = bench.name("in.wav"), out = bench.name("out.wav"), model = bench.name("half.safetensors");
    const std::pair<std::vector<std::string>, const char*> cases[] = {
        {{}, "serpent --help"},
        {{"rendre"}, "rendre"},
        {{"render"}, "serpent render --help"},
        {{"render", model}, "serpent render --help"},
        {{"render", model, in}, "--output"},
        {{"render", model, in, "-o", out, "--loud"}, "--loud"},
        {{"render", model, in, "-o", out, "--mix", "2"}, "mix"},
        {{"render", model, in, "-o", out, "--mix", "half"}, "--mix"},
        {{"render", model, in, "-o", out, "--subtype", "pcm12"}, "pcm24"},
        {{"render", model, in, "-o", out, "--device", "tpu"}, "cuda"},
        {{"render", model, in, "-o", out, "--device", "cuda"}, "--device cpu"},
        {{"render", model, in, "-o", out, "--threads", "-1"}, "--threads"},
        {{"render", model, in, "-o", out, "--start", "5"}, "1.000 s"},
        {{"render", model, in, "-o", out, "--start", "0.5", "--end", "0.4"}, "end"},
        {{"render", bench.name("none.safetensors"), in, "-o", out}, "none.safetensors"},
        {{"render", in, in, "-o", out}, "in.wav"},
    };
    for (const auto& [arguments, message] : cases) {
        CAPTURE(arguments);
        if (arguments.size() > 6 && arguments[6] == "cuda" && serpent::kernels::device_status().available) continue;
        const CommandResult result = run_command(arguments);
        CHECK(result.status == 1);
        CHECK(result.err.starts_with("serpent: "));
        CHECK_THAT(result.err, Catch::Contains(message));
        CHECK_FALSE(fs::exists(out));
    }
}

TEST_CASE("help and version go to stdout with status 0", "[command]") {
    for (const auto& [arguments, text] : {std::pair<std::vector<std::string>, const char*>{{"--help"}, "render"},
                                          {{"render", "--help"}, "--control"},
                                          {{"--version"}, "serpent "}}) {
        const CommandResult result = run_command(arguments);
        CHECK(result.status == 0);
        CHECK(result.err.empty());
        CHECK_THAT(result.out, Catch::Contains(text));
        CHECK(result.out.back() == '\n');
    }
}
