// SPDX-License-Identifier: GPL-3.0-or-later
// `serpent live` and `serpent devices` on a real JACK server with the dummy driver. Samples are asserted, never times or
// xruns: with -S the server waits for its clients, however busy the machine is.
#include "live/jack/jack_harness.h"

#include "close.h"
#include "command/run_command.h"
#include "generator/example_generator.h"
#include "serpent/audio_file.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <cmath>
#include <csignal>
#include <thread>

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace serpent;
using namespace serpent::test;

namespace {

constexpr double patience_s = 60;

const std::string effect_model = SERPENT_ASSETS "/models/zamtube.safetensors";

Child live(const std::vector<std::string>& arguments, const TemporaryFolder& folder, const JackServer& server) {
    std::vector<std::string> command{SERPENT_COMMAND, "live"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    for (const char* word : {"--api", "jack", "--no-ui", "--outputs", "1"}) command.emplace_back(word);
    return Child(command, folder / "live.log", server.name());
}

std::vector<float> noise(std::size_t n) {
    Random random(17);
    std::vector<float> audio = random.vector<float>(n, -0.4, 0.4);
    for (std::size_t t = 0; t < n; ++t) audio[t] *= 0.5f + 0.5f * std::sin(0.0007f * float(t));
    return audio;
}

void write(const std::filesystem::path& path, const std::vector<float>& audio, int rate) {
    write_audio(path, {rate, {audio}, Subtype::float32}, Subtype::float32);
}

std::vector<float> read(const std::filesystem::path& path) { return read_audio(path).channels.at(0); }

/// Distance to `expected` at the lag, in whole blocks, at which they fit best: JACK orders the graph, not we.
Distance best_fit(const std::vector<float>& expected, const std::vector<float>& heard, std::size_t block, std::size_t* best_lag) {
    Distance best{1e9, 1e9};
    for (std::size_t lag = 0; lag <= 4 * block; lag += block) {
        const auto first = heard.begin() + std::ptrdiff_t(lag);
        const Distance d = distance(expected, std::vector<float>(first, first + std::ptrdiff_t(expected.size())));
        if (d.rms < best.rms) best = d, *best_lag = lag;
    }
    return best;
}

long long number_after(const std::string& text, const std::string& words) {
    const std::size_t at = text.find(words);
    return at == std::string::npos ? -1 : std::stoll(text.substr(at + words.size()));
}

} // namespace

TEST_CASE("an effect live is the effect rendered, sample for sample, in real time and freewheeling", "[jack]") {
    const TemporaryFolder folder;
    const std::vector<float> microphone = noise(48000);
    write(folder / "in.wav", microphone, 48000);
    REQUIRE(run_command({"render", effect_model, (folder / "in.wav").string(), "-o", (folder / "out.wav").string()}).status == 0);
    const std::vector<float> rendered = read(folder / "out.wav");

    JackServer server(folder, 48000, 128);
    std::vector<std::vector<float>> freewheeled;
    // A busy machine is played by making either client late: the server waits for it, and nothing may be lost.
    enum class Run { real_time, late_ear, late_serpent, freewheel };
    for (const Run kind : {Run::real_time, Run::late_ear, Run::late_serpent, Run::freewheel, Run::freewheel}) {
        const bool freewheel = kind == Run::freewheel;
        CAPTURE(int(kind));
        Child serpent = live({effect_model}, folder, server);
        REQUIRE(serpent.said("running: effect", patience_s));
        std::vector<float> heard;
        {
            Ear ear(server, microphone, microphone.size() + 4 * 128);
            if (kind == Run::late_ear) ear.dawdle(20);
            REQUIRE(ear.connect("serpent"));
            if (freewheel) ear.freewheel(true);
            if (kind == Run::late_serpent) {
                ear.begin();
                std::this_thread::sleep_for(std::chrono::milliseconds(100));
                serpent.signal(SIGSTOP);
                std::this_thread::sleep_for(std::chrono::milliseconds(300));
                serpent.signal(SIGCONT);
            }
            REQUIRE(ear.run(patience_s));
            if (freewheel) ear.freewheel(false);
            heard = ear.heard();
        }
        std::size_t lag = 0;
        const Distance d = best_fit(rendered, heard, 128, &lag);
        CAPTURE(d.rms, d.max, lag);
        CHECK(d.within(1e-5, 1e-4));  // the project's bound: the renderer adds up in another order
        CHECK(lag <= 2 * 128);
        if (freewheel) freewheeled.push_back(heard);
        serpent.signal(SIGINT);
        CHECK(serpent.wait(patience_s) == 0);
        std::filesystem::remove(folder / "live.log");
    }
    // Not the same bits: how long the state stood in silence before, and crept by roundings, is the server's affair.
    CHECK(distance(freewheeled[0], freewheeled[1]).within(1e-6, 1e-5));
}

TEST_CASE("an answer live is what serpent generate makes of the same prompt and seed", "[jack]") {
    // In the callback, or on the thread that works a block ahead, which a freewheeling server outruns.
    const bool ahead = GENERATE(false, true);
    CAPTURE(ahead);
    const TemporaryFolder folder;
    GeneratorModel model = example_generator("two");
    for (int k = 0; k < mu_law_classes; ++k)  // quiet, so that no limiter has to work
        if (std::abs(mu_law_sample(k)) > 0.3f) model.weights.decoder_bias[std::size_t(k)] = -200;
    model.save(folder / "voice.safetensors");
    std::vector<float> microphone(4000);
    for (std::size_t t = 500; t < 3000; ++t) microphone[t] = 0.2f * std::sin(0.7f * float(t)) + 0.05f;

    constexpr std::size_t block = 128;
    JackServer server(folder, 8000, int(block));  // the model's own rate: every sample is the model's
    Child serpent = live({(folder / "voice.safetensors").string(), "--hold", "0.1", "--seed", "7", "--ahead", ahead ? "16" : "0"},
                         folder, server);
    REQUIRE(serpent.said("running: answer", patience_s));
    Ear ear(server, microphone, 3000 + 800 + 2600 + 7 * block);
    REQUIRE(ear.connect("serpent"));
    ear.freewheel(true);
    REQUIRE(ear.run(patience_s));
    ear.freewheel(false);
    REQUIRE(serpent.said("answer ends at sample", patience_s));
    const std::string log = serpent.log();
    const long long began = number_after(log, "phrase begins at sample "), answered = number_after(log, "answer begins at sample ");
    const long long length = number_after(log.substr(log.find("answer begins")), ", ");
    CAPTURE(log);
    REQUIRE(began >= 0);
    REQUIRE(answered > began);
    CHECK(std::abs(length - 2500) <= 10);
    serpent.signal(SIGTERM);
    CHECK(serpent.wait(patience_s) == 0);

    const std::size_t primed = std::size_t(answered - began);
    std::vector<float> prompt(microphone.begin() + 500, microphone.begin() + 500 + std::ptrdiff_t(primed));
    write(folder / "prompt.wav", prompt, 8000);
    REQUIRE(run_command({"generate", (folder / "voice.safetensors").string(), "-o", (folder / "answer.wav").string(), "--prompt",
                         (folder / "prompt.wav").string(), "--seconds", std::to_string(double(length) / 8000), "--seed", "7",
                         "--subtype", "float"})
                .status == 0);
    const std::vector<float> generated = read(folder / "answer.wav");
    REQUIRE(generated.size() == std::size_t(length));

    // Began within a block of the gate's closing: what JACK's graph adds is whole blocks, found here.
    std::size_t lag = 0;
    const std::size_t fade = 80;
    const auto begin = ear.heard().begin() + std::ptrdiff_t(500 + primed);
    (void)best_fit(generated, std::vector<float>(begin, begin + std::ptrdiff_t(generated.size() + 4 * block)), block, &lag);
    CAPTURE(lag);
    CHECK(lag <= (ahead ? 3 : 2) * block);
    CHECK(lag >= (ahead ? block : 0));
    std::size_t equal = 0;
    for (std::size_t t = 0; t < generated.size(); ++t) {
        const float heard = ear.heard()[500 + primed + lag + t];
        if (t < fade || t + fade >= generated.size()) REQUIRE(std::abs(heard) <= std::abs(generated[t]));
        else equal += heard == generated[t];
    }
    CHECK(equal == generated.size() - 2 * fade);
}

TEST_CASE("a server that dies is a message and a kept recording", "[jack]") {
    const TemporaryFolder folder;
    JackServer server(folder, 48000, 128);
    Child serpent = live({effect_model, "--record", (folder / "kept.wav").string()}, folder, server);
    REQUIRE(serpent.said("running: effect", patience_s));
    const std::vector<float> microphone = noise(48000);
    {
        Ear ear(server, microphone, 24000);
        REQUIRE(ear.connect("serpent"));
        ear.freewheel(true);  // a busy machine loses blocks in real time, and then they are in no recording
        REQUIRE(ear.run(patience_s));
        ear.freewheel(false);
        server.process().signal(SIGKILL);
        const int status = serpent.wait(patience_s);
        CAPTURE(serpent.log());
        CHECK(status == 1);
        CHECK(serpent.log().find("is gone") != std::string::npos);
        CHECK(serpent.log().find("recorded ") != std::string::npos);
    }
    const AudioBuffer kept = read_audio(folder / "kept.wav");
    REQUIRE(kept.channels.size() == 2);
    CHECK(kept.sample_rate == 48000);
    // Left is the microphone: all that was played into it is there, in order.
    const auto found = std::search(kept.channels[0].begin(), kept.channels[0].end(), microphone.begin() + 1, microphone.begin() + 20000);
    CHECK(found != kept.channels[0].end());
}

TEST_CASE("devices lists the server, and what is not there is an error by name", "[jack]") {
    const TemporaryFolder folder;
    JackServer server(folder, 48000, 128);
    ::setenv("JACK_DEFAULT_SERVER", server.name().c_str(), 1);
    const CommandResult list = run_command({"devices", "--api", "jack"});
    CHECK(list.status == 0);
    CHECK(list.out.find("system: 2 in, 2 out") != std::string::npos);
    CHECK(list.out.find("48000") != std::string::npos);
    const CommandResult device = run_command({"live", effect_model, "--api", "jack", "--no-ui", "--input", "nowhere"});
    CHECK(device.status == 1);
    CHECK(device.err.find("'nowhere'") != std::string::npos);
    CHECK(device.err.find("system") != std::string::npos);
    const CommandResult rate = run_command({"live", effect_model, "--api", "jack", "--no-ui", "--rate", "44100"});
    CHECK(rate.status == 1);
    CHECK(rate.err.find("44100") != std::string::npos);
    const CommandResult channels = run_command({"live", effect_model, "--api", "jack", "--no-ui", "--outputs", "9"});
    CHECK(channels.status == 1);
    CHECK(channels.err.find("2 outputs") != std::string::npos);
    const CommandResult api = run_command({"devices", "--api", "nonsense"});
    CHECK(api.status == 1);
    CHECK(api.err.find("jack") != std::string::npos);
    ::setenv("JACK_DEFAULT_SERVER", "serpent-test-nobody", 1);
    const CommandResult gone = run_command({"live", effect_model, "--api", "jack", "--no-ui"});
    CHECK(gone.status == 1);
    CHECK(gone.err.find("no audio device answers") != std::string::npos);
    ::unsetenv("JACK_DEFAULT_SERVER");
}

namespace {

/// A child on a terminal of its own.
class OnTerminal {
public:
    OnTerminal(std::vector<std::string> command, const std::string& jack_server) {
        std::vector<char*> words;
        for (std::string& word : command) words.push_back(word.data());
        words.push_back(nullptr);
        pid_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
        if (pid_ != 0) return;
        ::setenv("JACK_DEFAULT_SERVER", jack_server.c_str(), 1);
        ::setenv("JACK_NO_AUDIO_RESERVATION", "1", 1);
        ::setenv("JACK_NO_START_SERVER", "1", 1);
        ::execvp(words[0], words.data());
        ::_exit(127);
    }
    ~OnTerminal() {
        if (!over_) ::kill(pid_, SIGTERM), (void)end();
        ::close(terminal_);
    }
    OnTerminal(const OnTerminal&) = delete;
    OnTerminal& operator=(const OnTerminal&) = delete;

    void press(char key) const { REQUIRE(::write(terminal_, &key, 1) == 1); }
    /// Waits until the screen shows this, from what it showed last on.
    bool shows(const std::string& text) {
        for (const auto begin = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - begin < std::chrono::seconds(60);) {
            if (const std::size_t at = seen_.find(text); at != std::string::npos) {
                seen_.erase(0, at + text.size());
                return true;
            }
            pollfd ready{terminal_, POLLIN, 0};
            char more[4096];
            if (::poll(&ready, 1, 100) < 1) continue;
            const auto n = ::read(terminal_, more, sizeof more);
            if (n < 1) return seen_.find(text) != std::string::npos;
            seen_.append(more, std::size_t(n));
        }
        return false;
    }
    const std::string& seen() const noexcept { return seen_; }
    int end() {
        int status = -1;
        ::waitpid(pid_, &status, 0);
        over_ = true;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    int terminal_ = -1;
    pid_t pid_ = -1;
    bool over_ = false;
    std::string seen_;
};

} // namespace

TEST_CASE("the screen shows what happens and its keys do what they say", "[jack]") {
    const TemporaryFolder folder;
    JackServer server(folder, 48000, 128);
    OnTerminal serpent({SERPENT_COMMAND, "live", SERPENT_ASSETS "/generators/voice.safetensors", "--api", "jack", "--gate", "-30"},
                       server.name());
    const bool opened = serpent.shows("Jack");
    CAPTURE(serpent.seen());
    REQUIRE(opened);
    CHECK(serpent.shows("  in   ...."));
    CHECK(serpent.shows("answer: listening"));
    CHECK(serpent.shows("gate -30 dBFS"));
    CHECK(serpent.shows("wilder, tamer\033[K"));  // the last line is whole in 80 columns
    serpent.press('m');
    CHECK(serpent.shows("MUTED"));
    serpent.press('g');
    CHECK(serpent.shows("gate -32 dBFS"));
    serpent.press('t');
    CHECK(serpent.shows("together: "));
    serpent.press('L');
    CHECK(serpent.shows("listen 0.55"));
    serpent.press('w');
    CHECK(serpent.shows("temperature 1.05"));
    serpent.press('-');
    CHECK(serpent.shows("gain -1 dB"));
    serpent.press('q');
    CHECK(serpent.shows("\033[?25h"));  // the cursor is back
    CHECK(serpent.end() == 0);
}
