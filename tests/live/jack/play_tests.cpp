// SPDX-License-Identifier: GPL-3.0-or-later
// Recordings that nothing may lose, and which channels are played: on a JACK server, with the command and with its parts.
#include "live/jack/jack_harness.h"

#include "command/run_command.h"
#include "live/play.h"
#include "random.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <cmath>
#include <csignal>
#include <fstream>
#include <thread>

using namespace serpent;
using serpent::test::Random;

namespace {

constexpr double patience_s = 60;

const std::string effect_model = SERPENT_ASSETS "/models/zamtube.safetensors";

std::vector<std::string> live(const std::vector<std::string>& arguments) {
    std::vector<std::string> command{SERPENT_COMMAND, "live", effect_model, "--api", "jack", "--no-ui"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

std::vector<float> noise(std::size_t n) { return Random(11).vector<float>(n, -0.4, 0.4); }

/// How many samples of noise() the recording's left channel has, from the first on and without a gap, after some silence.
std::size_t kept(const AudioBuffer& recording) {
    const std::vector<float>& left = recording.channels.at(0);
    const auto first = std::find_if(left.begin(), left.end(), [](float x) { return x != 0; });
    const std::vector<float> expected = noise(left.size());
    return std::size_t(std::mismatch(first, left.end(), expected.begin()).first - first);
}

/// Plays so many samples of noise() into `serpent` as fast as it takes them.
void feed(JackServer& server, std::size_t samples) {
    Ear ear(server, noise(samples), samples);
    REQUIRE(ear.connect("serpent"));
    ear.freewheel(true);
    CHECK(ear.run(patience_s));
    ear.freewheel(false);
}

/// Connections of one of serpent's ports.
std::string connected_to(const std::string& server, const char* port) {
    const auto options = static_cast<jack_options_t>(JackNoStartServer | JackServerName);
    jack_client_t* client = jack_client_open("look", options, nullptr, server.c_str());
    if (!client) return "no server";
    std::string names;
    const jack_port_t* there = jack_port_by_name(client, port);
    const char** list = there ? jack_port_get_all_connections(client, there) : nullptr;
    for (const char** name = list; list && *name; ++name) names += std::string(names.empty() ? "" : " ") + *name;
    jack_free(list);
    jack_client_close(client);
    return there ? names : "no port";
}

} // namespace

TEST_CASE("a process killed in mid-recording leaves a file that opens", "[jack]") {
    const TemporaryFolder folder;
    JackServer server(folder, 48000, 128);
    for (const char* name : {"take.wav", "take.flac", "take.aiff", "take.w64"}) {
        CAPTURE(name);
        Child serpent(live({"--outputs", "1", "--record", (folder / name).string()}), folder / "live.log", server.name());
        REQUIRE(serpent.said("running: effect", patience_s));
        CHECK(std::filesystem::exists(folder / name));
        feed(server, 96000);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));  // ten times as long as the disk's thread sleeps
        serpent.signal(SIGKILL);
        CHECK(serpent.wait(patience_s) == 128 + SIGKILL);
        const AudioBuffer recording = read_audio(folder / name);
        CHECK(recording.channels.size() == 2);
        // All of it, but for the samples that FLAC's encoder gathers; there they are integers, too.
        if (std::string(name) == "take.flac") CHECK(recording.frames() >= 80000);
        else CHECK(kept(recording) >= 96000);
        std::filesystem::remove(folder / "live.log");
    }
}

TEST_CASE("a full disk is said at once, the music goes on, and what was recorded stays", "[jack]") {
    const TemporaryFolder folder;
    JackServer server(folder, 48000, 128);
    for (const char* name : {"take.wav", "take.flac"}) {
        CAPTURE(name);
        // 500 or 1000 KiB, as the shell counts: more than the silence before takes, less than is fed
        std::vector<std::string> command{"sh", "-c", "ulimit -f 1000; exec \"$0\" \"$@\""};
        for (const std::string& word : live({"--outputs", "1", "--record", (folder / name).string()})) command.push_back(word);
        Child serpent(command, folder / "live.log", server.name());
        REQUIRE(serpent.said("running: effect", patience_s));
        feed(server, 192000);
        REQUIRE(serpent.said("RECORDING STOPPED", patience_s));
        CHECK(serpent.wait(0) == -1);  // still playing
        serpent.signal(SIGINT);
        CHECK(serpent.wait(patience_s) == 1);
        const std::string log = serpent.log();
        CAPTURE(log);
        CHECK(log.find("File too large") != std::string::npos);
        CHECK(log.find("played ") != std::string::npos);
        if (std::string(name) == "take.wav") CHECK(kept(read_audio(folder / name)) >= 20000);
        else CHECK(std::filesystem::file_size(folder / name) >= 100000);
        std::filesystem::remove(folder / "live.log");
    }
}

TEST_CASE("a recording replaces nothing", "[jack]") {
    const TemporaryFolder folder;
    JackServer server(folder, 48000, 128);
    std::ofstream(folder / "take.wav") << "the best take of all";
    Child serpent(live({"--record", (folder / "take.wav").string()}), folder / "live.log", server.name());
    CHECK(serpent.wait(patience_s) == 1);
    CHECK(serpent.log().find("choose another name") != std::string::npos);
    std::string text;
    std::getline(std::ifstream(folder / "take.wav"), text);
    CHECK(text == "the best take of all");
}

TEST_CASE("an exception of whatever watches ends the audio first, and keeps the recording", "[jack]") {
    const TemporaryFolder folder;
    JackServer server(folder, 48000, 128);
    ::setenv("JACK_DEFAULT_SERVER", server.name().c_str(), 1);
    LiveSession session(std::make_shared<const Model>(Model::load(effect_model)), {});
    AudioStream stream({.api = "jack", .outputs = 1});
    session.prepare(stream.rate_hz(), int(stream.block()), 1, 1);
    const auto watched = [&] {
        Performance performance{session, stream, CallbackFigures(stream.rate_hz()),
                                std::make_unique<Recorder>(folder / "take.wav", 48000)};
        (void)play(performance, [&](Performance& p) -> std::optional<std::string> {
            while (p.figures.seconds() < 0.2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
            throw Error("the screen broke");
        });
    };
    CHECK_THROWS_WITH(watched(), "the screen broke");
    const std::uintmax_t size = std::filesystem::file_size(folder / "take.wav");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK_FALSE(stream.running());
    CHECK(std::filesystem::file_size(folder / "take.wav") == size);
    CHECK(read_audio(folder / "take.wav").frames() >= 9600 - 128);
    ::unsetenv("JACK_DEFAULT_SERVER");
}

TEST_CASE("the second channel of a stereo device can be played alone, and what is not there is said", "[jack]") {
    const TemporaryFolder folder;
    JackServer server(folder, 48000, 128);
    const struct {
        std::vector<std::string> arguments;
        const char *first, *second;
    } cases[] = {{{}, "system:playback_1", "system:playback_2"},
                 {{"--output-channel", "2"}, "system:playback_2", "no port"},
                 {{"--output-channel", "2", "--input-channel", "2", "--outputs", "1"}, "system:playback_2", "no port"},
                 {{"--outputs", "1"}, "system:playback_1", "no port"}};
    for (const auto& c : cases) {
        CAPTURE(c.arguments);
        Child serpent(live(c.arguments), folder / "live.log", server.name());
        REQUIRE(serpent.said("running: effect", patience_s));
        CHECK(connected_to(server.name(), "serpent:outport 0") == c.first);
        CHECK(connected_to(server.name(), "serpent:outport 1") == c.second);
        const bool second_input = c.arguments.size() > 2;
        CHECK(connected_to(server.name(), "serpent:inport 0") == (second_input ? "system:capture_2" : "system:capture_1"));
        serpent.signal(SIGINT);
        CHECK(serpent.wait(patience_s) == 0);
        std::filesystem::remove(folder / "live.log");
    }
    const struct {
        std::vector<std::string> arguments;
        const char* message;
    } refused[] = {{{"--output-channel", "3"}, "there is no output 3"},
                   {{"--input-channel", "9"}, "there is no input 9"},
                   {{"--output-channel", "2", "--outputs", "2"}, "from 2 on there are 1, not 2"},
                   {{"--inputs", "3"}, "2 inputs"}};
    for (const auto& c : refused) {
        CAPTURE(c.arguments);
        Child serpent(live(c.arguments), folder / "live.log", server.name());
        CHECK(serpent.wait(patience_s) == 1);
        INFO(serpent.log());
        CHECK(serpent.log().find(c.message) != std::string::npos);
        std::filesystem::remove(folder / "live.log");
    }
}

TEST_CASE("no device is one plain message, whatever ALSA has to say", "[jack]") {
    ::setenv("ALSA_CONFIG_PATH", "/nowhere/alsa.conf", 1);
    const CommandResult list = run_command({"devices", "--api", "alsa"});
    const CommandResult played = run_command({"live", effect_model, "--api", "alsa", "--no-ui"});
    ::unsetenv("ALSA_CONFIG_PATH");
    CHECK(list.status == 0);
    CHECK(list.err.empty());
    CHECK(list.out.find("No audio device") != std::string::npos);
    CHECK(played.status == 1);
    CHECK(played.err.find("serpent: no audio device answers") == 0);
    CHECK(std::count(played.err.begin(), played.err.end(), '\n') == 1);
}
