// SPDX-License-Identifier: GPL-3.0-or-later
#include "live/audio_device.h"

#include "serpent/errors.h"

#include <rtaudio/RtAudio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <mutex>

#if defined(__linux__)
#include <dlfcn.h>
#include <unistd.h>
#endif

namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        if (!text.empty()) text += ", ";
        text += word;
    }
    return text;
}

std::vector<RtAudio::Api> apis(const std::string& wanted) {
    std::vector<RtAudio::Api> all;
    RtAudio::getCompiledApi(all);
    std::erase(all, RtAudio::RTAUDIO_DUMMY);
    if (wanted.empty()) return all;
    const RtAudio::Api api = RtAudio::getCompiledApiByName(wanted);
    if (std::ranges::find(all, api) != all.end()) return {api};
    std::vector<std::string> names;
    for (const RtAudio::Api a : all) names.push_back(RtAudio::getApiName(a));
    throw serpent::Error("there is no audio API '" + wanted + "' here; choose from " + joined(names));
}

#if defined(__linux__)
void say_nothing(const char* /*file*/, int /*line*/, const char* /*function*/, int /*error*/, const char* /*format*/, ...) {}

/// ALSA prints every step of a failed search on stderr. Looked up, not linked, for ALSA is RtAudio's affair.
void silence_alsa() noexcept {
    using SetHandler = int (*)(decltype(&say_nothing));
    if (const auto set = reinterpret_cast<SetHandler>(::dlsym(RTLD_DEFAULT, "snd_lib_error_set_handler"))) set(say_nothing);
}
#else
void silence_alsa() noexcept {}
#endif

/// RtAudio without messages on stderr; null when the API's server cannot be reached.
std::unique_ptr<RtAudio> connected(RtAudio::Api api) {
    silence_alsa();
    try {
        auto audio = std::make_unique<RtAudio>(api);
        audio->showWarnings(false);
        return audio->getCurrentApi() == api ? std::move(audio) : nullptr;
    } catch (const RtAudioError&) {
        return nullptr;
    }
}

std::vector<AudioDeviceInfo> devices_of(RtAudio& audio) {
    std::vector<AudioDeviceInfo> list;
    const unsigned int count = audio.getDeviceCount();
    for (unsigned int i = 0; i < count; ++i) {
        try {
            const RtAudio::DeviceInfo info = audio.getDeviceInfo(i);
            if (!info.probed) continue;
            list.push_back({i, RtAudio::getApiName(audio.getCurrentApi()), info.name, info.inputChannels, info.outputChannels,
                            info.sampleRates, info.isDefaultInput, info.isDefaultOutput});
        } catch (const RtAudioError&) {
            // a device that went away while it was asked
        }
    }
    return list;
}

/// By number, by name, or by a part of the name in any case.
const AudioDeviceInfo& chosen(const std::vector<AudioDeviceInfo>& devices, const std::string& wanted, bool input) {
    const auto fits = [input](const AudioDeviceInfo& d) { return (input ? d.inputs : d.outputs) > 0; };
    const auto lower = [](std::string text) {
        std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return text;
    };
    const AudioDeviceInfo* found = nullptr;
    for (const AudioDeviceInfo& d : devices) {
        if (!fits(d)) continue;
        const bool standard = input ? d.default_input : d.default_output;
        if (wanted.empty() ? !found || standard : wanted == std::to_string(d.number) || wanted == d.name) found = &d;
    }
    for (const AudioDeviceInfo& d : devices)
        if (!found && !wanted.empty() && fits(d) && lower(d.name).find(lower(wanted)) != std::string::npos) found = &d;
    if (found) return *found;
    const std::string what = input ? "input" : "output";
    if (wanted.empty()) throw serpent::Error("there is no " + what + " device; plug one in, or start the JACK server");
    std::vector<std::string> names;
    for (const AudioDeviceInfo& d : devices)
        if (fits(d)) names.push_back(std::to_string(d.number) + " " + d.name);
    throw serpent::Error("there is no " + what + " device '" + wanted + "'; there are: " + joined(names));
}

/// Where the system has sound devices that this user may not open, what to do about it; else empty.
std::string denied() {
#if defined(__linux__)
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/snd", ignored))
        if (entry.is_character_file(ignored) && ::access(entry.path().c_str(), R_OK | W_OK) != 0 && errno == EACCES)
            return "; permission denied for " + entry.path().string() + ": add yourself to its group (sudo usermod -aG audio $USER, then log in anew)";
#endif
    return {};
}

std::string counted(unsigned int count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void check_channels(const AudioDeviceInfo& device, unsigned int first, unsigned int count, bool input) {
    const unsigned int there = input ? device.inputs : device.outputs;
    if (first + count <= there) return;
    const std::string what = input ? "input" : "output", number = std::to_string(first + 1);
    const std::string has = "'" + device.name + "' has " + counted(there, what) + "; ";
    if (first >= there)
        throw serpent::Error(has + "there is no " + what + " " + number + ", choose another --" + what + "-channel");
    throw serpent::Error(has + "from " + number + " on there are " + std::to_string(there - first) + ", not " +
                         std::to_string(count) + "; choose fewer with --" + what + "s or another --" + what + "-channel");
}

} // namespace

std::vector<AudioDeviceInfo> audio_devices(const std::string& api) {
    std::vector<AudioDeviceInfo> list;
    for (const RtAudio::Api a : apis(api))
        if (const auto audio = connected(a))
            for (AudioDeviceInfo& d : devices_of(*audio)) list.push_back(std::move(d));
    return list;
}

struct AudioStream::Impl {
    AudioStreamOptions options;
    std::unique_ptr<RtAudio> audio;
    unsigned int rate_hz = 0, block = 0;
    unsigned int skipped_inputs = 0, skipped_outputs = 0;  // channels that are open only because others come after them
    std::string api, input, output;
    Callback callback;
    std::vector<const float*> in;
    std::vector<float*> out;
    std::vector<float> silence;
    std::atomic<bool> running{false};
    std::atomic<std::int64_t> last_call_ms{0};
    mutable std::mutex mutex;
    std::string error;  // what RtAudio complained of last

    void open(const AudioDeviceInfo& from, const AudioDeviceInfo& to);
    static int call(void* output, void* input, unsigned int n, double, RtAudioStreamStatus status, void* self) noexcept;
};

int AudioStream::Impl::call(void* output, void* input, unsigned int n, double, RtAudioStreamStatus status, void* self) noexcept {
    Impl& s = *static_cast<Impl*>(self);
    for (unsigned int c = 0; c < s.options.inputs; ++c)
        s.in[c] = input ? static_cast<const float*>(input) + (s.skipped_inputs + c) * n : s.silence.data();
    std::fill_n(static_cast<float*>(output), s.skipped_outputs * n, 0.0f);
    for (unsigned int c = 0; c < s.options.outputs; ++c) s.out[c] = static_cast<float*>(output) + (s.skipped_outputs + c) * n;
    s.callback(s.in.data(), s.out.data(), static_cast<int>(n), status != 0);
    s.last_call_ms.store(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(),
                         std::memory_order_relaxed);
    return 0;
}

void AudioStream::Impl::open(const AudioDeviceInfo& from, const AudioDeviceInfo& to) {
    if (options.outputs == 0) options.outputs = options.first_output + 2 <= to.outputs ? 2 : 1;
    check_channels(from, options.first_input, options.inputs, true);
    check_channels(to, options.first_output, options.outputs, false);
    if (audio->getCurrentApi() == RtAudio::LINUX_PULSE)  // RtAudio always opens its first channels
        skipped_inputs = options.first_input, skipped_outputs = options.first_output;
    rate_hz = options.rate_hz;
    if (rate_hz == 0) {
        const RtAudio::DeviceInfo info = audio->getDeviceInfo(to.number);
        rate_hz = info.preferredSampleRate ? info.preferredSampleRate : 48000;
    }
    RtAudio::StreamParameters in_parameters, out_parameters;
    in_parameters.deviceId = from.number;
    in_parameters.nChannels = skipped_inputs + options.inputs;
    in_parameters.firstChannel = options.first_input - skipped_inputs;
    out_parameters.deviceId = to.number;
    out_parameters.nChannels = skipped_outputs + options.outputs;
    out_parameters.firstChannel = options.first_output - skipped_outputs;
    RtAudio::StreamOptions stream;
    stream.flags = RTAUDIO_NONINTERLEAVED | RTAUDIO_MINIMIZE_LATENCY | RTAUDIO_SCHEDULE_REALTIME;
    stream.streamName = options.client_name;
    block = options.block;
    try {
        audio->openStream(&out_parameters, &in_parameters, RTAUDIO_FLOAT32, rate_hz, &block, &Impl::call, this, &stream,
                          [](RtAudioError::Type, const std::string&) {});
    } catch (const RtAudioError& problem) {
        std::string rates;
        for (const unsigned int r : to.rates_hz) rates += " " + std::to_string(r);
        throw serpent::Error("'" + from.name + "' and '" + to.name + "' cannot be opened at " + std::to_string(rate_hz) +
                             " Hz: " + problem.getMessage() + (rates.empty() ? "" : " (rates of the output:" + rates + ")") +
                             "; another program may hold the device, or try --rate and --block");
    }
    in.resize(options.inputs);
    out.resize(options.outputs);
    silence.assign(block, 0.0f);
    input = from.name;
    output = to.name;
    api = RtAudio::getApiDisplayName(audio->getCurrentApi());
}

AudioStream::AudioStream(const AudioStreamOptions& options) : impl_(std::make_unique<Impl>()) {
    impl_->options = options;
    std::vector<std::string> asked;
    for (const RtAudio::Api api : apis(options.api)) {
        asked.push_back(RtAudio::getApiDisplayName(api));
        impl_->audio = connected(api);
        if (!impl_->audio) continue;
        const std::vector<AudioDeviceInfo> devices = devices_of(*impl_->audio);
        if (devices.empty()) continue;
        impl_->open(chosen(devices, options.input, true), chosen(devices, options.output, false));
        return;
    }
    throw serpent::Error("no audio device answers (asked: " + joined(asked) +
                         "); plug one in, start the JACK or sound server, or see 'serpent devices'" + denied());
}

AudioStream::~AudioStream() { stop(); }

unsigned int AudioStream::rate_hz() const noexcept { return impl_->rate_hz; }
unsigned int AudioStream::block() const noexcept { return impl_->block; }
unsigned int AudioStream::inputs() const noexcept { return impl_->options.inputs; }
unsigned int AudioStream::outputs() const noexcept { return impl_->options.outputs; }

std::string AudioStream::description() const { return impl_->api + ", from '" + impl_->input + "' to '" + impl_->output + "'"; }

int AudioStream::latency_samples() const noexcept {
    try {
        return static_cast<int>(impl_->audio->getStreamLatency());
    } catch (...) {
        return 0;
    }
}

void AudioStream::start(Callback callback) {
    impl_->callback = std::move(callback);
    impl_->last_call_ms = 0;
    try {
        impl_->audio->startStream();
    } catch (const RtAudioError& problem) {
        throw serpent::Error("the audio stream does not start: " + problem.getMessage());
    }
    impl_->running = true;
}

void AudioStream::stop() noexcept {
    if (!impl_ || !impl_->audio) return;
    impl_->running = false;
    try {
        if (impl_->audio->isStreamRunning()) impl_->audio->abortStream();
        if (impl_->audio->isStreamOpen()) impl_->audio->closeStream();
    } catch (...) {
        // what is gone cannot be stopped
    }
}

bool AudioStream::running() const noexcept { return impl_->running; }

std::optional<std::string> AudioStream::trouble() const {
    if (!impl_->running) return std::nullopt;
    constexpr std::int64_t patience_ms = 5000;
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
    const std::int64_t last = impl_->last_call_ms;
    if (!impl_->audio->isStreamOpen() || !impl_->audio->isStreamRunning())
        return impl_->api + " ended the stream: the audio server or device is gone";
    if (last > 0 && now - last > patience_ms) return impl_->api + " asks for no more audio: the server hangs, or the device was unplugged";
    return std::nullopt;
}
