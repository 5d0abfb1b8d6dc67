// SPDX-License-Identifier: GPL-3.0-or-later
#include "live/jack/jack_harness.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

/// Asks until the answer is yes; false after `seconds`.
template <class Question>
bool eventually(double seconds, const Question& question) {
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (!question()) {
        if (Clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

void silent(const char*) {}

} // namespace

Child::Child(const std::vector<std::string>& command, const std::filesystem::path& log, const std::string& jack_server) : log_(log) {
    std::vector<std::string> words = command;
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::setenv("JACK_DEFAULT_SERVER", jack_server.c_str(), 1);
        ::setenv("JACK_NO_AUDIO_RESERVATION", "1", 1);
        ::setenv("JACK_NO_START_SERVER", "1", 1);
        ::dup2(out, STDOUT_FILENO);
        ::dup2(out, STDERR_FILENO);
        ::execvp(pointers[0], pointers.data());
        ::_exit(127);
    }
    ::close(out);
    if (pid_ < 0) throw std::runtime_error("cannot start " + command[0]);
}

Child::~Child() {
    if (over_) return;
    ::kill(pid_, SIGTERM);  // lets a server give back its place among the eight that JACK's registry has
    if (wait(5) >= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
}

void Child::signal(int number) const { ::kill(pid_, number); }

int Child::wait(double seconds) {
    const bool ended = over_ || eventually(seconds, [this] { return ::waitpid(pid_, &status_, WNOHANG) == pid_; });
    if (!ended) return -1;
    over_ = true;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

std::string Child::log() const {
    std::ifstream file(log_);
    return {std::istreambuf_iterator<char>(file), {}};
}

bool Child::said(const std::string& text, double seconds) {
    bool ended = false;
    return eventually(seconds, [&] {
        if (log().find(text) != std::string::npos) return true;
        if (ended) return true;
        ended = wait(0) >= 0;  // once more, for what it said last
        return false;
    }) && log().find(text) != std::string::npos;
}

// Few fixed names rather than unique ones: JACK keeps the registry's place of a server that was killed until one of the same
// name starts, and has eight places in all. The next name is tried where another test has the first.
JackServer::JackServer(const TemporaryFolder& folder, int rate_hz, int block) {
    jack_set_error_function(silent);
    jack_set_info_function(silent);
    const auto log = folder / "jackd.log";
    for (const char* name : {"serpent-test-1", "serpent-test-2", "serpent-test-3"}) {
        name_ = name;
        child_ = std::make_unique<Child>(std::vector<std::string>{"jackd", "-r", "-S", "-n", name_, "-d", "dummy", "-r",
                                                                  std::to_string(rate_hz), "-p", std::to_string(block)},
                                         log, name_);
        bool up = false;
        eventually(20, [&] { return (up = answers()) || child_->wait(0) >= 0; });
        if (up && child_->wait(0) < 0) return;  // it is this server that answers, not another test's
    }
    throw std::runtime_error("jackd does not start: " + child_->log());
}

bool JackServer::answers() const {
    jack_client_t* client = jack_client_open("probe", static_cast<jack_options_t>(JackNoStartServer | JackServerName), nullptr, name_.c_str());
    if (client) jack_client_close(client);
    return client != nullptr;
}

Ear::Ear(const JackServer& server, std::vector<float> microphone, std::size_t samples) : microphone_(std::move(microphone)), heard_(samples) {
    client_ = jack_client_open("ear", static_cast<jack_options_t>(JackNoStartServer | JackServerName), nullptr, server.name().c_str());
    if (!client_) throw std::runtime_error("no JACK client");
    out_ = jack_port_register(client_, "mouth", JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
    in_ = jack_port_register(client_, "ear", JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput, 0);
    jack_set_process_callback(client_, &Ear::process, this);
    jack_set_freewheel_callback(client_, [](int on, void* self) { static_cast<Ear*>(self)->freewheeling_ = on != 0; }, this);
    if (jack_activate(client_) != 0) throw std::runtime_error("the JACK client cannot be activated");
}

Ear::~Ear() {
    if (client_) jack_client_close(client_);
}

int Ear::process(jack_nframes_t n, void* self) {
    Ear& e = *static_cast<Ear*>(self);
    if (!e.going_) std::this_thread::sleep_for(std::chrono::milliseconds(e.dawdle_ms_));
    auto* out = static_cast<float*>(jack_port_get_buffer(e.out_, n));
    const auto* in = static_cast<const float*>(jack_port_get_buffer(e.in_, n));
    std::memset(out, 0, n * sizeof(float));
    ++e.cycles_;
    if (!e.going_ || e.done_) return 0;
    for (jack_nframes_t t = 0; t < n && e.at_ < e.heard_.size(); ++t, ++e.at_) {
        out[t] = e.at_ < e.microphone_.size() ? e.microphone_[e.at_] : 0.0f;
        e.heard_[e.at_] = in[t];
    }
    e.done_ = e.at_ >= e.heard_.size();
    return 0;
}

bool Ear::connect(const std::string& serpent) {
    const std::string to = serpent + ":inport 0", from = serpent + ":outport 0";
    const bool connected = eventually(20, [&] {
        return jack_port_by_name(client_, to.c_str()) && jack_port_by_name(client_, from.c_str()) &&
               (jack_port_connected_to(out_, to.c_str()) || jack_connect(client_, jack_port_name(out_), to.c_str()) == 0) &&
               (jack_port_connected_to(in_, from.c_str()) || jack_connect(client_, from.c_str(), jack_port_name(in_)) == 0);
    });
    // The cycle that is under way has the graph of before, and on a busy machine it is long.
    const int now = cycles_;
    return connected && eventually(20, [&] { return cycles_ >= now + 3; });
}

void Ear::freewheel(bool on) {
    jack_set_freewheel(client_, on ? 1 : 0);
    if (!eventually(20, [&] { return freewheeling_ == on; })) throw std::runtime_error("the JACK server does not change its drive");
}

bool Ear::run(double seconds) {
    going_ = true;
    return eventually(seconds, [this] { return done_.load(); });
}
