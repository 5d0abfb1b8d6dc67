// SPDX-License-Identifier: MIT
#include "serpent/stream.h"

#include "model/as_error.h"
#include "model/at_rate.h"
#include "serpent/errors.h"
#include "serpent/kernels/flush_denormals.h"
#include "stream/playing.h"
#include "stream/resampled.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace serpent {

namespace {

constexpr int default_max_block = 512;
constexpr ResamplerQuality resampler_quality = ResamplerQuality::medium;

const StreamOptions& checked(const StreamOptions& options) {
    if (options.instances < 1)
        throw Error("StreamOptions::instances is " + std::to_string(options.instances) + "; it must be at least 1.");
    if (options.oversampling != 1 && options.oversampling != 2 && options.oversampling != 4)
        throw Error("StreamOptions::oversampling is " + std::to_string(options.oversampling) + "; it must be 1, 2 or 4.");
    return options;
}

std::vector<float> default_controls(const ModelConfig& config) {
    std::vector<float> values;
    for (const Control& control : config.controls) values.push_back(control.default_value);
    return values;
}

} // namespace

struct Stream::Impl {
    Impl(std::shared_ptr<const Model> the_model, const StreamOptions& the_options)
        : model(std::move(the_model)), options(the_options) {
        prepare(model->config.sample_rate, default_max_block);
    }

    void prepare(double host_rate_hz, int max_block) {
        const double model_rate_hz = model->config.sample_rate;
        const bool resampled = options.rate_mode == RateMode::resample;
        // A .nam capture has no other rate than its own.
        const double engine_rate_hz = model->nam ? model_rate_hz : options.oversampling * (resampled ? model_rate_hz : host_rate_hz);
        const auto played = engine_rate_hz == model_rate_hz ? model : std::make_shared<Model>(at_rate(*model, engine_rate_hz));
        auto new_instances = make_playing(played, options, instances ? instances->controls() : default_controls(model->config));
        std::optional<Resampled> new_path;
        if (engine_rate_hz != host_rate_hz)
            new_path.emplace(host_rate_hz, engine_rate_hz, new_instances->channels(), max_block, resampler_quality);
        instances = std::move(new_instances);
        path = std::move(new_path);
        reset();
    }

    void reset() noexcept {
        const kernels::FlushDenormals flush;
        instances->reset();
        if (!path) return;
        path->reset([this](float* const* channels, int n) { instances->process(channels, channels, n); });
        instances->reset();
    }

    void process(const float* const* in, float* const* out, int n) noexcept {
        const kernels::FlushDenormals flush;
        if (path)
            path->process(in, out, n, [this](float* const* channels, int m) { instances->process(channels, channels, m); });
        else
            instances->process(in, out, n);
    }

    std::shared_ptr<const Model> model;
    StreamOptions options;
    std::unique_ptr<Playing> instances;  // at the engine's rate
    std::optional<Resampled> path;       // between the host's rate and the engine's, where they differ
};

Stream::Stream(std::shared_ptr<const Model> model, StreamOptions options) try
    : impl_(std::make_unique<Impl>(valid_model(model, "Stream needs a model", "load one with Model::load()"),
                                   checked(options))) {
} catch (...) {
    rethrow_as_error("play this model");
}

Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

void Stream::prepare(double sample_rate_hz, int max_block) try {
    if (!(sample_rate_hz >= 1e3 && sample_rate_hz <= 1e6))
        throw Error("Stream::prepare() was given a sample rate of " + std::to_string(sample_rate_hz) +
                    " Hz; it must lie between 1 kHz and 1 MHz.");
    if (max_block < 1)
        throw Error("Stream::prepare() was given max_block " + std::to_string(max_block) + "; it must be at least 1.");
    impl_->prepare(sample_rate_hz, max_block);
} catch (...) {
    rethrow_as_error("play this model at that rate and in blocks of that length");
}

int Stream::channels() const noexcept {
    return impl_->instances->channels();
}

void Stream::process(const float* const* in, float* const* out, int n) noexcept {
    impl_->process(in, out, n);
}

void Stream::set_control(int index, float value) noexcept {
    impl_->instances->set_control(index, value);
}

void Stream::reset() noexcept {
    impl_->reset();
}

int Stream::latency_samples() const noexcept {
    return impl_->path ? impl_->path->latency_samples() : 0;
}

kernels::Isa Stream::isa() const noexcept {
    return impl_->instances->isa();
}

const Model& Stream::model() const noexcept {
    return *impl_->model;
}

State Stream::state(int instance) const {
    return impl_->instances->state(instance);
}

void Stream::set_state(const State& state, int instance) {
    impl_->instances->set_state(state, instance);
}

} // namespace serpent
