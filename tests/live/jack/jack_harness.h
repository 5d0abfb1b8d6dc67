// SPDX-License-Identifier: GPL-3.0-or-later
// A JACK server of our own on the dummy driver, `serpent live` on it, and a client that is its microphone and its ear.
#pragma once

#include "audio/temporary_folder.h"

#include <jack/jack.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

/// A child process whose stderr goes to a file.
class Child {
public:
    Child(const std::vector<std::string>& command, const std::filesystem::path& log, const std::string& jack_server);
    ~Child();  ///< asks what still runs to end, and kills it when it does not
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void signal(int number) const;
    /// Waits, and gives the exit status, or 128 + signal; -1 after `seconds`.
    int wait(double seconds);
    std::string log() const;
    /// Waits until the log has this text; false after `seconds`, or when the child ended without it.
    bool said(const std::string& text, double seconds);

private:
    pid_t pid_;
    int status_ = -1;
    bool over_ = false;
    std::filesystem::path log_;
};

/// jackd -r -S -d dummy under a name that no other server has now.
class JackServer {
public:
    JackServer(const TemporaryFolder& folder, int rate_hz, int block);
    const std::string& name() const noexcept { return name_; }
    Child& process() noexcept { return *child_; }

private:
    bool answers() const;

    std::string name_;
    std::unique_ptr<Child> child_;
};

/// Plays `microphone` into serpent's first input and keeps what comes out of its first output, from the same moment on.
class Ear {
public:
    Ear(const JackServer& server, std::vector<float> microphone, std::size_t samples);
    ~Ear();

    /// Waits for serpent's ports, connects to them, and waits until that has its effect; false when they do not come.
    bool connect(const std::string& serpent);
    void freewheel(bool on);  ///< waits until the server does, and throws when it will not
    /// Before the run, every cycle takes us so long, as on a busy machine.
    void dawdle(int ms) { dawdle_ms_ = ms; }
    /// Plays and listens to the end; false after `seconds`.
    bool run(double seconds);
    /// Does not wait.
    void begin() { going_ = true; }
    const std::vector<float>& heard() const noexcept { return heard_; }

private:
    static int process(jack_nframes_t n, void* self);

    jack_client_t* client_ = nullptr;
    jack_port_t *out_ = nullptr, *in_ = nullptr;
    std::vector<float> microphone_, heard_;
    std::size_t at_ = 0;
    std::atomic<int> cycles_{0}, dawdle_ms_{0};
    std::atomic<bool> going_{false}, done_{false}, freewheeling_{false};
};
