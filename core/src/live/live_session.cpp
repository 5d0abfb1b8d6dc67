// SPDX-License-Identifier: MIT
#include "serpent/live.h"

#include "live/answering.h"
#include "live/background.h"
#include "live/loudspeaker_guard.h"
#include "serpent/errors.h"
#include "stream/resampled.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace serpent {
namespace {

std::size_t size(int a) { return static_cast<std::size_t>(a); }

/// Keeps the largest until somebody takes it.
void raise(std::atomic<float>& meter, float value) noexcept {
    if (value > meter.load(std::memory_order_relaxed)) meter.store(value, std::memory_order_relaxed);
}

float peak_of(const float* audio, int n) noexcept {
    float peak = 0;
    for (int t = 0; t < n; ++t) peak = std::max(peak, std::abs(audio[t]));
    return peak;
}

} // namespace

struct LiveSession::Impl {
    LiveOptions options;
    std::shared_ptr<const Model> effect;
    std::shared_ptr<const GeneratorModel> generator;
    LiveSettings settings;
    LiveEvents events, answer_events;  // of the audio thread, and of the one that the generator is on
    std::unique_ptr<Stream> stream;
    std::unique_ptr<Answering> answering;
    std::unique_ptr<Background> background;
    std::unique_ptr<Resampled> bridge;  // to the generator's rate; none at that rate
    Limiter limiter;
    LoopDetector loop;
    double rate_hz = 48000;
    int max_block = 0, inputs = 0, outputs = 0, worked = 0;  // worked: channels that the model works on
    int ahead_samples = 0;                                   // of the generator's rate
    std::vector<float> mono, gone_out;
    std::vector<const float*> in_part;
    std::vector<float*> out_part;
    std::int64_t now = 0, muted_until = 0;
    std::atomic<float> input_peak{0}, output_peak{0};
    std::atomic<bool> limited{false}, loop_muted{false};
    float gain = 1;

    void take_options(LiveOptions o) {
        options = std::move(o);
        settings.mode = generator ? (options.mode == LiveMode::together ? LiveMode::together : LiveMode::answer) : LiveMode::effect;
        settings.gate_db = options.gate_db;
        settings.listen = std::clamp(options.listen, 0.0, 1.0);
        settings.temperature = options.generator.sampling.temperature;
    }
    void prepare_effect();
    void prepare_generator(double ahead_s);
    void process(const float* const* in, float* const* out, int n) noexcept;
    void run_effect(const float* const* in, float* const* out, int n) noexcept;
    void run_generator(const float* const* in, float* const* out, int n) noexcept;
    void guard(const float* const* in, float* const* out, int n) noexcept;
};

void LiveSession::Impl::prepare_effect() {
    const int channels = effect->config.channels;
    worked = inputs == 1 && channels == 1 ? 1 : std::min(inputs, outputs) / channels * channels;
    if (worked < 1)
        throw Error("the model has " + std::to_string(channels) + " channels, the device " + std::to_string(inputs) +
                    " inputs and " + std::to_string(outputs) + " outputs; choose more channels");
    StreamOptions o = options.stream;
    o.instances = worked / channels;
    stream = std::make_unique<Stream>(effect, o);
    stream->prepare(rate_hz, max_block);
}

void LiveSession::Impl::prepare_generator(double ahead_s) {
    background.reset();
    answering = std::make_unique<Answering>(generator, options, settings, answer_events);
    worked = 1;
    const double own = generator->config.sample_rate;
    ahead_samples = ahead_s > 0 ? std::max(1, static_cast<int>(std::lround(ahead_s * own))) : 0;
    if (ahead_samples > 0)
        background = std::make_unique<Background>([this](float* audio, int n) { answering->process(audio, n); }, ahead_samples, own);
    bridge.reset();
    if (own != rate_hz) bridge = std::make_unique<Resampled>(rate_hz, own, 1, max_block, ResamplerQuality::fast);
}

void LiveSession::Impl::run_effect(const float* const* in, float* const* out, int n) noexcept {
    stream->process(in, out, n);
    for (int c = worked; c < outputs; ++c) std::memcpy(out[c], out[c % worked], size(n) * sizeof(float));
}

void LiveSession::Impl::run_generator(const float* const* in, float* const* out, int n) noexcept {
    const float share = 1.0f / static_cast<float>(inputs);
    for (int t = 0; t < n; ++t) {
        float sum = 0;
        for (int c = 0; c < inputs; ++c) sum += std::isfinite(in[c][t]) ? in[c][t] : 0.0f;
        mono[size(t)] = sum * share;
    }
    float* audio = mono.data();
    const auto work = [this](float* const* channels, int count) noexcept {
        if (background) background->process(channels[0], count);
        else answering->process(channels[0], count);
    };
    if (bridge) bridge->process(&audio, &audio, n, work);
    else work(&audio, n);
    for (int c = 0; c < outputs; ++c) std::memcpy(out[c], audio, size(n) * sizeof(float));
}

/// Volume, limiter, and silence while the loop is closed or somebody asked for it.
void LiveSession::Impl::guard(const float* const* in, float* const* out, int n) noexcept {
    const double gain_db = settings.gain_db.load(std::memory_order_relaxed);
    const bool mute = settings.muted.load(std::memory_order_relaxed) || now < muted_until;
    const float wanted = mute ? 0.0f : gain_db == 0 ? 1.0f : static_cast<float>(std::pow(10.0, gain_db / 20));
    if (gain != 1.0f || wanted != 1.0f)
        for (int t = 0; t < n; ++t) {
            const float g = gain + (wanted - gain) * float(t + 1) / float(n);
            for (int c = 0; c < outputs; ++c) out[c][t] *= g;
        }
    gain = wanted;
    if (limiter.process(out, n)) limited.store(true, std::memory_order_relaxed);
    const bool looped = options.loop_guard && loop.process(in[0], out[0], n);
    if (looped) {
        loop.forget();
        muted_until = now + static_cast<std::int64_t>(2 * rate_hz);
        events.push({LiveEvent::Kind::loop_muted, now, 0});
        loop_muted = true;
    } else if (loop_muted.load(std::memory_order_relaxed) && now >= muted_until) {
        events.push({LiveEvent::Kind::loop_over, now, 0});
        loop_muted = false;
    }
}

void LiveSession::Impl::process(const float* const* in, float* const* out, int n) noexcept {
    for (int c = 0; c < inputs; ++c) raise(input_peak, peak_of(in[c], n));
    if (stream) run_effect(in, out, n);
    else run_generator(in, out, n);
    guard(in, out, n);
    now += n;
    for (int c = 0; c < outputs; ++c) raise(output_peak, peak_of(out[c], n));
}

LiveSession::LiveSession(std::shared_ptr<const Model> model, LiveOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->effect = std::move(model);
    impl_->take_options(std::move(options));
}

LiveSession::LiveSession(std::shared_ptr<const GeneratorModel> model, LiveOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->generator = std::move(model);
    impl_->take_options(std::move(options));
}

LiveSession::~LiveSession() = default;

void LiveSession::prepare(double sample_rate_hz, int max_block, int inputs, int outputs, double ahead_s) {
    if (!(sample_rate_hz >= 1000 && sample_rate_hz <= 1e6) || max_block < 1 || inputs < 1 || outputs < 1 || !(ahead_s <= 10))
        throw Error("live audio needs a rate of 1 kHz to 1 MHz, an input, an output, blocks of at least one sample, and to work at most 10 s ahead");
    Impl& s = *impl_;
    s.rate_hz = sample_rate_hz, s.max_block = max_block, s.inputs = inputs, s.outputs = outputs;
    s.now = s.muted_until = 0;
    s.mono.assign(size(max_block), 0.0f);
    s.in_part.resize(size(inputs));
    s.out_part.resize(size(outputs));
    s.limiter.prepare(sample_rate_hz, outputs);
    s.loop.prepare(sample_rate_hz, max_block);
    s.generator ? s.prepare_generator(ahead_s) : s.prepare_effect();
}

void LiveSession::process(const float* const* in, float* const* out, int n) noexcept {
    Impl& s = *impl_;
    for (int first = 0; first < n; first += s.max_block) {
        for (int c = 0; c < s.inputs; ++c) s.in_part[size(c)] = in[c] + first;
        for (int c = 0; c < s.outputs; ++c) s.out_part[size(c)] = out[c] + first;
        s.process(s.in_part.data(), s.out_part.data(), std::min(s.max_block, n - first));
    }
}

int LiveSession::latency_samples() const noexcept {
    const Impl& s = *impl_;
    if (s.stream) return s.stream->latency_samples();
    const double ahead = s.generator ? s.ahead_samples * s.rate_hz / s.generator->config.sample_rate : 0;
    return (s.bridge ? s.bridge->latency_samples() : 0) + static_cast<int>(std::lround(ahead));
}

LiveMode LiveSession::mode() const noexcept { return impl_->settings.mode; }
void LiveSession::set_mode(LiveMode mode) noexcept {
    if (impl_->generator && mode != LiveMode::effect) impl_->settings.mode = mode;
}
void LiveSession::set_muted(bool muted) noexcept { impl_->settings.muted = muted; }
void LiveSession::set_gate_db(double gate_db) noexcept { impl_->settings.gate_db = std::clamp(gate_db, -100.0, 0.0); }
void LiveSession::set_listen(double listen) noexcept { impl_->settings.listen = std::clamp(listen, 0.0, 1.0); }
void LiveSession::set_temperature(double t) noexcept { impl_->settings.temperature = std::clamp(t, 0.0, 10.0); }
void LiveSession::set_gain_db(double gain_db) noexcept { impl_->settings.gain_db = std::clamp(gain_db, -60.0, 24.0); }
double LiveSession::gate_db() const noexcept { return impl_->settings.gate_db; }
double LiveSession::listen() const noexcept { return impl_->settings.listen; }
double LiveSession::temperature() const noexcept { return impl_->settings.temperature; }
double LiveSession::gain_db() const noexcept { return impl_->settings.gain_db; }

LiveMeters LiveSession::meters() noexcept {
    Impl& s = *impl_;
    LiveMeters m;
    m.input = s.input_peak.exchange(0);
    m.output = s.output_peak.exchange(0);
    m.limited = s.limited.exchange(false);
    m.muted = s.settings.muted || s.loop_muted;
    if (s.answering) {
        m.gate_open = s.answering->gate_open();
        m.playing = s.answering->playing();
        m.answers = s.answering->answers();
    }
    if (s.background) m.late_samples = s.background->late_samples();
    return m;
}

std::optional<LiveEvent> LiveSession::event() noexcept {
    auto told = impl_->answer_events.pop();
    return told ? told : impl_->events.pop();
}

} // namespace serpent
