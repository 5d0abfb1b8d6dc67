// SPDX-License-Identifier: MIT
#include "serpent/live.h"

#include "live/answering.h"
#include "live/background.h"
#include "live/loudspeaker_guard.h"
#include "model/as_error.h"
#include "serpent/errors.h"
#include "serpent/limiter.h"
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

/// All that prepare() makes, so that one which is refused changes nothing. Members that others refer to come before them.
struct Prepared {
    double rate_hz = 48000;
    int max_block = 0, inputs = 0, outputs = 0;
    int worked = 1;  // channels that the model works on
    int mixed = 1;   // outputs that these are mixed to; further outputs repeat them
    std::unique_ptr<Stream> stream;
    std::unique_ptr<Answering> answering;
    std::unique_ptr<Background> background;
    std::unique_ptr<Resampled> bridge;  // to the generator's rate; none at that rate
    int ahead_samples = 0;              // of the generator's rate
    Limiter limiter{0.98f};             // -0.2 dBFS
    LoopDetector loop;
    std::vector<float> mono;
    std::vector<std::vector<float>> unmixed;  // where there are more channels than outputs for them
    std::vector<float*> unmixed_part;
    std::vector<const float*> in_part;
    std::vector<float*> out_part;
    std::int64_t now = 0, muted_until = 0;
};

struct LiveSession::Impl {
    LiveOptions options;
    std::shared_ptr<const Model> effect;
    std::shared_ptr<const GeneratorModel> generator;
    LiveSettings settings;
    LiveEvents events, answer_events;  // of the audio thread, and of the one that the generator is on
    std::unique_ptr<Prepared> prepared;
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
    void prepare_effect(Prepared& p) const;
    void prepare_generator(Prepared& p, double ahead_s);
    void process(Prepared& p, const float* const* in, float* const* out, int n) noexcept;
    void guard(Prepared& p, const float* const* in, float* const* out, int n) noexcept;
};

void LiveSession::Impl::prepare_effect(Prepared& p) const {
    const int channels = effect->config.channels;
    if (std::min(p.inputs, p.outputs) < channels)
        throw Error("the model has " + std::to_string(channels) + " channels, the device " + std::to_string(p.inputs) +
                    " inputs and " + std::to_string(p.outputs) + " outputs; choose " + std::to_string(channels) +
                    " of each or more");
    p.worked = p.inputs / channels * channels;
    p.mixed = std::min(p.worked, p.outputs / channels * channels);
    if (p.mixed < p.worked) p.unmixed.assign(size(p.worked), std::vector<float>(size(p.max_block)));
    for (std::vector<float>& channel : p.unmixed) p.unmixed_part.push_back(channel.data());
    StreamOptions o = options.stream;
    o.instances = p.worked / channels;
    p.stream = std::make_unique<Stream>(effect, o);
    p.stream->prepare(p.rate_hz, p.max_block);
}

void LiveSession::Impl::prepare_generator(Prepared& p, double ahead_s) {
    p.answering = std::make_unique<Answering>(generator, options, settings, answer_events);
    const double own = generator->config.sample_rate;
    p.ahead_samples = ahead_s > 0 ? std::max(1, static_cast<int>(std::lround(ahead_s * own))) : 0;
    if (p.ahead_samples > 0)
        p.background = std::make_unique<Background>(
            [answering = p.answering.get()](float* audio, int n) { answering->process(audio, n); }, p.ahead_samples, own);
    if (own != p.rate_hz) p.bridge = std::make_unique<Resampled>(p.rate_hz, own, 1, p.max_block, ResamplerQuality::fast);
}

namespace {

void run_effect(Prepared& p, const float* const* in, float* const* out, int n) noexcept {
    float* const* played = p.unmixed.empty() ? out : p.unmixed_part.data();
    p.stream->process(in, played, n);
    const float share = static_cast<float>(p.mixed) / static_cast<float>(p.worked);
    for (int c = 0; c < p.mixed && played != out; ++c)
        for (int t = 0; t < n; ++t) {
            float sum = 0;
            for (int k = c; k < p.worked; k += p.mixed) sum += played[k][t];
            out[c][t] = sum * share;
        }
    for (int c = p.mixed; c < p.outputs; ++c) std::memcpy(out[c], out[c % p.mixed], size(n) * sizeof(float));
}

void run_generator(Prepared& p, const float* const* in, float* const* out, int n) noexcept {
    const float share = 1.0f / static_cast<float>(p.inputs);
    for (int t = 0; t < n; ++t) {
        float sum = 0;
        for (int c = 0; c < p.inputs; ++c) sum += std::isfinite(in[c][t]) ? in[c][t] : 0.0f;
        p.mono[size(t)] = sum * share;
    }
    float* audio = p.mono.data();
    const auto work = [&p](float* const* channels, int count) noexcept {
        if (p.background) p.background->process(channels[0], count);
        else p.answering->process(channels[0], count);
    };
    if (p.bridge) p.bridge->process(&audio, &audio, n, work);
    else work(&audio, n);
    for (int c = 0; c < p.outputs; ++c) std::memcpy(out[c], audio, size(n) * sizeof(float));
}

} // namespace

/// Volume, limiter, and silence while the loop is closed or somebody asked for it.
void LiveSession::Impl::guard(Prepared& p, const float* const* in, float* const* out, int n) noexcept {
    const double gain_db = settings.gain_db.load(std::memory_order_relaxed);
    const bool mute = settings.muted.load(std::memory_order_relaxed) || p.now < p.muted_until;
    const float wanted = mute ? 0.0f : gain_db == 0 ? 1.0f : static_cast<float>(std::pow(10.0, gain_db / 20));
    if (gain != 1.0f || wanted != 1.0f)
        for (int t = 0; t < n; ++t) {
            const float g = gain + (wanted - gain) * float(t + 1) / float(n);
            for (int c = 0; c < p.outputs; ++c) out[c][t] *= g;
        }
    gain = wanted;
    if (p.limiter.process(out, n)) limited.store(true, std::memory_order_relaxed);
    const bool looped = options.loop_guard && p.loop.process(in[0], out[0], n);
    if (looped) {
        p.loop.forget();
        p.muted_until = p.now + static_cast<std::int64_t>(2 * p.rate_hz);
        events.push({LiveEvent::Kind::loop_muted, p.now, 0});
        loop_muted = true;
    } else if (loop_muted.load(std::memory_order_relaxed) && p.now >= p.muted_until) {
        events.push({LiveEvent::Kind::loop_over, p.now, 0});
        loop_muted = false;
    }
}

void LiveSession::Impl::process(Prepared& p, const float* const* in, float* const* out, int n) noexcept {
    for (int c = 0; c < p.inputs; ++c) raise(input_peak, peak_of(in[c], n));
    if (p.stream) run_effect(p, in, out, n);
    else run_generator(p, in, out, n);
    guard(p, in, out, n);
    p.now += n;
    for (int c = 0; c < p.outputs; ++c) raise(output_peak, peak_of(out[c], n));
}

LiveSession::LiveSession(std::shared_ptr<const Model> model, LiveOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->effect = valid_model(model, "LiveSession needs a model", "load one with Model::load()");
    impl_->take_options(std::move(options));
}

LiveSession::LiveSession(std::shared_ptr<const GeneratorModel> model, LiveOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->generator = valid_model(model, "LiveSession needs a generator", "load one with GeneratorModel::load()");
    impl_->take_options(std::move(options));
}

LiveSession::~LiveSession() = default;

void LiveSession::prepare(double sample_rate_hz, int max_block, int inputs, int outputs, double ahead_s) try {
    if (!(sample_rate_hz >= 1000 && sample_rate_hz <= 1e6) || max_block < 1 || inputs < 1 || outputs < 1 || !(ahead_s <= 10))
        throw Error("live audio needs a rate of 1 kHz to 1 MHz, an input, an output, blocks of at least one sample, and to work "
                    "at most 10 s ahead");
    Impl& s = *impl_;
    auto p = std::make_unique<Prepared>();
    p->rate_hz = sample_rate_hz, p->max_block = max_block, p->inputs = inputs, p->outputs = outputs;
    p->mono.assign(size(max_block), 0.0f);
    p->in_part.resize(size(inputs));
    p->out_part.resize(size(outputs));
    p->limiter.prepare(sample_rate_hz, outputs);
    p->loop.prepare(sample_rate_hz, max_block);
    s.generator ? s.prepare_generator(*p, ahead_s) : s.prepare_effect(*p);
    s.prepared = std::move(p);
} catch (...) {
    rethrow_as_error("play this model on that device");
}

void LiveSession::process(const float* const* in, float* const* out, int n) noexcept {
    if (!impl_->prepared) return;
    Prepared& p = *impl_->prepared;
    for (int first = 0; first < n; first += p.max_block) {
        for (int c = 0; c < p.inputs; ++c) p.in_part[size(c)] = in[c] + first;
        for (int c = 0; c < p.outputs; ++c) p.out_part[size(c)] = out[c] + first;
        impl_->process(p, p.in_part.data(), p.out_part.data(), std::min(p.max_block, n - first));
    }
}

int LiveSession::latency_samples() const noexcept {
    if (!impl_->prepared) return 0;
    const Prepared& p = *impl_->prepared;
    if (p.stream) return p.stream->latency_samples();
    const double ahead = p.ahead_samples * p.rate_hz / impl_->generator->config.sample_rate;
    return (p.bridge ? p.bridge->latency_samples() : 0) + static_cast<int>(std::lround(ahead));
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
    if (!s.prepared) return m;
    if (const Answering* answering = s.prepared->answering.get()) {
        m.gate_open = answering->gate_open();
        m.playing = answering->playing();
        m.answers = answering->answers();
    }
    if (s.prepared->background) m.late_samples = s.prepared->background->late_samples();
    return m;
}

std::optional<LiveEvent> LiveSession::event() noexcept {
    auto told = impl_->answer_events.pop();
    return told ? told : impl_->events.pop();
}

} // namespace serpent
