// SPDX-License-Identifier: MIT
#include "serpent/stream.h"

#include "model/film.h"
#include "model/silence.h"
#include "serpent/errors.h"
#include "serpent/kernels/flush_denormals.h"
#include "serpent/kernels/live.h"
#include "stream/live_weights.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace serpent {

namespace {

constexpr double control_ramp_s = 0.010;  // short enough to feel immediate, long enough not to click

std::shared_ptr<const Model> checked(std::shared_ptr<const Model> model) {
    if (!model) throw Error("Stream needs a model, but was given none; load one with Model::load().");
    model->validate();
    return model;
}

kernels::LiveEngine make_engine(const Model& model, std::optional<kernels::Isa> isa) {
    try {
        return {live_config(model.config), live_weights(model.weights), isa ? *isa : kernels::default_isa()};
    } catch (const std::invalid_argument& error) {
        throw Error(error.what());
    }
}

} // namespace

struct Stream::Impl {
    Impl(std::shared_ptr<const Model> the_model, const StreamOptions& options)
        : model(std::move(the_model)),
          initial_state(options.initial_state),
          engine(make_engine(*model, options.isa)),
          solver(*model),
          start(zero_state(model->config)),
          coefficients(film(*model)),
          ramp_samples(static_cast<int>(std::lround(control_ramp_s * model->config.sample_rate))) {
        for (const Control& control : model->config.controls) controls.push_back(control.default_value);
        reset();
    }

    void reset() noexcept {
        const kernels::FlushDenormals flush;
        if (!controls.empty()) evaluate_film(*model, controls, coefficients);
        controls_moved = false;
        engine.set_film(coefficients.scale.data(), coefficients.shift.data(), 0);
        if (initial_state == InitialState::silence) solver.solve(coefficients, start);
        engine.set_state(start.conv.data(), start.h.data());
    }

    void follow_controls() noexcept {
        if (!std::exchange(controls_moved, false)) return;
        evaluate_film(*model, controls, coefficients);
        engine.set_film(coefficients.scale.data(), coefficients.shift.data(), ramp_samples);
    }

    void process(const float* const* in, float* const* out, int n) noexcept {
        const kernels::FlushDenormals flush;
        follow_controls();
        for (int first = 0; first < n; first += kernels::live_block)
            if (!engine.process(in, out, first, std::min(kernels::live_block, n - first))) reset();
    }

    std::shared_ptr<const Model> model;
    InitialState initial_state;
    kernels::LiveEngine engine;
    SilenceSolver solver;
    State start;        // what reset() goes to
    Film coefficients;  // at `controls`
    std::vector<float> controls;
    int ramp_samples;
    bool controls_moved = false;
};

Stream::Stream(std::shared_ptr<const Model> model, StreamOptions options)
    : impl_(std::make_unique<Impl>(checked(std::move(model)), options)) {}

Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

void Stream::prepare(double sample_rate_hz, int max_block) {
    const int model_rate_hz = impl_->model->config.sample_rate;
    if (!(sample_rate_hz == model_rate_hz))
        throw Error("The model runs at " + std::to_string(model_rate_hz) + " Hz, but Stream::prepare() was asked for " +
                    std::to_string(sample_rate_hz) + " Hz; resample around the stream.");
    if (max_block < 1)
        throw Error("Stream::prepare() was given max_block " + std::to_string(max_block) + "; it must be at least 1.");
}

void Stream::process(const float* const* in, float* const* out, int n) noexcept {
    impl_->process(in, out, n);
}

void Stream::set_control(int index, float value) noexcept {
    const auto& declared = impl_->model->config.controls;
    if (index < 0 || static_cast<std::size_t>(index) >= declared.size()) return;
    const Control& control = declared[static_cast<std::size_t>(index)];
    const float used = std::isnan(value) ? control.default_value : std::clamp(value, control.min, control.max);
    float& current = impl_->controls[static_cast<std::size_t>(index)];
    if (used == current) return;  // hosts repeat values; a repeated one must not restart the ramp
    current = used;
    impl_->controls_moved = true;
}

void Stream::reset() noexcept {
    impl_->reset();
}

int Stream::latency_samples() const noexcept {
    return 0;
}

kernels::Isa Stream::isa() const noexcept {
    return impl_->engine.isa();
}

State Stream::state() const {
    State state = zero_state(impl_->model->config);
    impl_->engine.get_state(state.conv.data(), state.h.data());
    return state;
}

void Stream::set_state(const State& state) {
    if (state.conv.size() != impl_->start.conv.size() || state.h.size() != impl_->start.h.size())
        throw Error("Stream::set_state() was given " + std::to_string(state.conv.size()) + " conv and " +
                    std::to_string(state.h.size()) + " h values, but this model has " +
                    std::to_string(impl_->start.conv.size()) + " and " + std::to_string(impl_->start.h.size()) + ".");
    impl_->engine.set_state(state.conv.data(), state.h.data());
}

} // namespace serpent
