// SPDX-License-Identifier: MIT
#include "stream/instances.h"

#include "model/film.h"
#include "serpent/errors.h"
#include "stream/live_weights.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace serpent {

namespace {

constexpr double control_ramp_s = 0.010;  // short enough to feel immediate, long enough not to click

kernels::LiveEngine make_engine(const Model& model, std::optional<kernels::Isa> isa) {
    try {
        return {live_config(model.config), live_weights(model.weights), isa ? *isa : kernels::default_isa()};
    } catch (const std::invalid_argument& error) {
        throw Error(error.what());
    }
}

} // namespace

Instances::Instances(std::shared_ptr<const Model> model, const StreamOptions& options, std::vector<float> controls)
    : model_(std::move(model)),
      initial_state_(options.initial_state),
      solver_(*model_),
      start_(zero_state(model_->config)),
      coefficients_(film(*model_)),
      controls_(std::move(controls)),
      ramp_samples_(static_cast<int>(std::lround(control_ramp_s * model_->config.sample_rate))) {
    for (int i = 0; i < options.instances; ++i) engines_.push_back(make_engine(*model_, options.isa));
    reset();
}

void Instances::reset() noexcept {
    if (!controls_.empty()) evaluate_film(*model_, controls_, coefficients_);
    controls_moved_ = false;
    if (initial_state_ == InitialState::silence) solver_.solve(coefficients_, start_);
    for (kernels::LiveEngine& engine : engines_) restart(engine);
}

void Instances::restart(kernels::LiveEngine& engine) noexcept {
    engine.set_film(coefficients_.scale.data(), coefficients_.shift.data(), 0);
    engine.set_state(start_.conv.data(), start_.h.data());
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
            if (!engine.process(in, out, first, std::min(kernels::live_block, n - first))) {
                if (initial_state_ == InitialState::silence) solver_.solve(coefficients_, start_);
                restart(engine);
            }
        in += model_->config.channels;
        out += model_->config.channels;
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

const kernels::LiveEngine& Instances::checked(int instance) const {
    if (instance < 0 || static_cast<std::size_t>(instance) >= engines_.size())
        throw Error("there is no instance " + std::to_string(instance) + " in a Stream of " +
                    std::to_string(engines_.size()) + "; count from 0.");
    return engines_[static_cast<std::size_t>(instance)];
}

State Instances::state(int instance) const {
    State state = zero_state(model_->config);
    checked(instance).get_state(state.conv.data(), state.h.data());
    return state;
}

void Instances::set_state(const State& state, int instance) {
    if (state.conv.size() != start_.conv.size() || state.h.size() != start_.h.size())
        throw Error("Stream::set_state() was given " + std::to_string(state.conv.size()) + " conv and " +
                    std::to_string(state.h.size()) + " h values, but this model has " +
                    std::to_string(start_.conv.size()) + " and " + std::to_string(start_.h.size()) + ".");
    checked(instance);
    engines_[static_cast<std::size_t>(instance)].set_state(state.conv.data(), state.h.data());
}

} // namespace serpent
