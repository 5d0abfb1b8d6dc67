// SPDX-License-Identifier: MIT
#include "stream/instances.h"

#include "model/isa.h"
#include "model/film.h"
#include "serpent/errors.h"
#include "model/tensors.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace serpent {

namespace {

constexpr double control_ramp_s = 0.010;  // short enough to feel immediate, long enough not to click

/// `per_engine` at a time, and what remains one at a time.
std::vector<kernels::LiveEngine> make_engines(const Model& model, kernels::Isa isa, int instances, int per_engine) {
    std::vector<kernels::LiveEngine> engines;
    for (int left = instances; left > 0; left -= per_engine)
        engines.emplace_back(model_shape(model.config), weight_pointers(model.weights),
                             kernels::LiveOptions{.isa = isa, .instances = std::min(left, per_engine)});
    return engines;
}

/// Null where the state has nothing, which stands for zeros.
kernels::LiveState<const float> pointers_to(const State& state) noexcept {
    const auto pointer = [](const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); };
    return {state.conv.data(), state.h.data(), pointer(state.h_low), pointer(state.fir_in), pointer(state.fir_out)};
}

} // namespace

Instances::Instances(std::shared_ptr<const Model> model, const StreamOptions& options, std::vector<float> controls)
    : model_(std::move(model)),
      initial_state_(options.initial_state),
      instances_(options.instances),
      per_engine_(std::min(options.instances, kernels::LiveEngine::most_instances(required_isa(options.isa)))),
      engines_(make_engines(*model_, required_isa(options.isa), instances_, per_engine_)),
      solver_(*model_),
      start_(zero_state(model_->config)),
      coefficients_(film(*model_)),
      controls_(std::move(controls)),
      ramp_samples_(static_cast<int>(std::lround(control_ramp_s * model_->config.sample_rate))) {
    reset();
}

void Instances::reset() noexcept {
    if (!controls_.empty()) evaluate_film(*model_, controls_, coefficients_);
    controls_moved_ = false;
    if (initial_state_ == InitialState::silence) solver_.solve(coefficients_, start_);
    for (kernels::LiveEngine& engine : engines_) {
        engine.set_film(coefficients_.scale.data(), coefficients_.shift.data(), 0);
        for (int i = 0; i < engine.instances(); ++i) engine.set_state(pointers_to(start_), i);
    }
}

/// Sets the instances anew whose output was not finite, one bit each.
void Instances::recover(kernels::LiveEngine& engine, unsigned failed) noexcept {
    if (initial_state_ == InitialState::silence) solver_.solve(coefficients_, start_);
    for (int i = 0; i < engine.instances(); ++i)
        if (failed >> i & 1) engine.set_state(pointers_to(start_), i);
}

void Instances::follow_controls() noexcept {
    if (!std::exchange(controls_moved_, false)) return;
    evaluate_film(*model_, controls_, coefficients_);
    for (kernels::LiveEngine& engine : engines_)
        engine.set_film(coefficients_.scale.data(), coefficients_.shift.data(), ramp_samples_);
}

void Instances::process(const float* const* in, float* const* out, int n) noexcept {
    follow_controls();
    for (kernels::LiveEngine& engine : engines_) {
        for (int first = 0; first < n; first += kernels::live_block)
            if (const unsigned failed = engine.process(in, out, first, std::min(kernels::live_block, n - first)))
                recover(engine, failed);
        in += engine.instances() * model_->config.channels;
        out += engine.instances() * model_->config.channels;
    }
}

void Instances::set_control(int index, float value) noexcept {
    const auto& declared = model_->config.controls;
    if (index < 0 || static_cast<std::size_t>(index) >= declared.size()) return;
    const Control& control = declared[static_cast<std::size_t>(index)];
    const float used = std::isnan(value) ? control.default_value : std::clamp(value, control.min, control.max);
    float& current = controls_[static_cast<std::size_t>(index)];
    if (used == current) return;  // hosts repeat values; a repeated one must not restart the ramp
    current = used;
    controls_moved_ = true;
}

void Instances::check(int instance) const {
    if (instance < 0 || instance >= instances_)
        throw Error("there is no instance " + std::to_string(instance) + " in a Stream of " + std::to_string(instances_) +
                    "; count from 0.");
}

State Instances::state(int instance) const {
    check(instance);
    State state = zero_state(model_->config);
    const kernels::LiveEngine& engine = engines_[static_cast<std::size_t>(instance / per_engine_)];
    engine.get_state({state.conv.data(), state.h.data(), state.h_low.data(), state.fir_in.data(), state.fir_out.data()}, instance % per_engine_);
    return state;
}

void Instances::set_state(const State& state, int instance) {
    if (!is_state_of(state, start_))
        throw Error("Stream::set_state() was given " + std::to_string(state.conv.size()) + " conv and " +
                    std::to_string(state.h.size()) + " h values, but this model has " + std::to_string(start_.conv.size()) +
                    " and " + std::to_string(start_.h.size()) + " (and as many h_low, or none).");
    check(instance);
    kernels::LiveEngine& engine = engines_[static_cast<std::size_t>(instance / per_engine_)];
    engine.set_state(pointers_to(state), instance % per_engine_);
}

} // namespace serpent
