// SPDX-License-Identifier: GPL-3.0-or-later
// Sound cards and servers through RtAudio: what is there, and a stream between a microphone and a loudspeaker.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct AudioDeviceInfo {
    unsigned int number = 0;  ///< as RtAudio counts them, within one API
    std::string api, name;
    unsigned int inputs = 0, outputs = 0;
    std::vector<unsigned int> rates_hz;
    bool default_input = false, default_output = false;
};

/// Every device of every API that this system has, or of the one named ("jack", "pulse", "alsa", "core", "wasapi").
/// Throws serpent::Error when that is not built in, with those that are.
std::vector<AudioDeviceInfo> audio_devices(const std::string& api = {});

struct AudioStreamOptions {
    std::string api;                 ///< empty: the first with a device
    std::string input, output;       ///< name, part of one, or number; empty: the default
    unsigned int first_input = 0, first_output = 0;  ///< channels, from 0
    unsigned int inputs = 1, outputs = 0;  ///< 0 outputs: two, or one where the device has but one from first_output on
    unsigned int rate_hz = 0;        ///< 0: the device's own
    unsigned int block = 256;        ///< samples, as a wish
    std::string client_name = "serpent";
};

/// An open stream. The callback runs on the audio thread from start() to stop() and must be as callbacks are.
class AudioStream {
public:
    /// in[c], out[c]: n samples each; underflow: the system lost samples since the last call.
    using Callback = std::function<void(const float* const* in, float* const* out, int n, bool lost)>;

    /// Opens the devices; throws serpent::Error naming the device and what was refused.
    explicit AudioStream(const AudioStreamOptions& options);
    ~AudioStream();

    unsigned int rate_hz() const noexcept;
    unsigned int block() const noexcept;  ///< samples of every callback
    unsigned int inputs() const noexcept;
    unsigned int outputs() const noexcept;
    std::string description() const;      ///< "JACK, system (input) and system (output)"
    int latency_samples() const noexcept; ///< of the devices, there and back, as they tell it

    void start(Callback callback);
    void stop() noexcept;
    bool running() const noexcept;
    /// Why the stream ended by itself: device lost, server gone. None while it runs.
    std::optional<std::string> trouble() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};
