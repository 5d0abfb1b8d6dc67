// SPDX-License-Identifier: MIT
#include "stream/nam_instances.h"

#include "model/isa.h"
#include "nam/build.h"
#include "serpent/errors.h"
#include "serpent/nam.h"

#include <algorithm>
#include <string>
#include <utility>

namespace serpent {

namespace {

constexpr std::size_t most_refilled_floats = std::size_t{1} << 20;  // 4 MiB, of which captures take some 5 %
constexpr std::size_t refilled_per_sample = 64;                    // floats; some nanoseconds

} // namespace

kernels::NetEngine nam_engine(const Model& model, std::optional<kernels::Isa> isa) {
    kernels::Network network = nam::engine_network(*model.nam->network);
    network.settling = nam::settling_of(*model.nam->network);
    return kernels::NetEngine(network, {.isa = required_isa(isa)});
}

State nam_state(const Model& model, InitialState which) {
    kernels::NetEngine engine = nam_engine(model, {});
    if (which == InitialState::zero) engine.clear();
    State state;
    state.conv.resize(engine.state_size());
    engine.get_state(state.conv.data());
    return state;
}

NamInstances::NamInstances(std::shared_ptr<const Model> model, const StreamOptions& options)
    : model_(std::move(model)), initial_state_(options.initial_state) {
    for (int i = 0; i < options.instances; ++i) {
        kernels::NetEngine engine = nam_engine(*model_, options.isa);
        const std::size_t floats = engine.state_size();
        instances_.push_back({.engine = std::move(engine), .floats = floats});
    }
    reset();
}

void NamInstances::refill(Instance& instance) noexcept {
    if (initial_state_ == InitialState::silence) instance.engine.settle();
    else instance.engine.clear();
    instance.silent = false;
}

void NamInstances::reset() noexcept {
    for (Instance& instance : instances_) {
        refill(instance);
        instance.owed = 0;
    }
}

void NamInstances::note_overflow(Instance& instance) noexcept {
    if (instance.floats > most_refilled_floats || instance.owed > 0) {
        instance.silent = true;
        return;
    }
    refill(instance);
    instance.owed = instance.floats / refilled_per_sample;
}

void NamInstances::process(const float* const* in, float* const* out, int n) noexcept {
    for (Instance& instance : instances_) {
        for (int first = 0; first < n; first += kernels::net_block) {
            const int part = std::min(kernels::net_block, n - first);
            instance.owed -= std::min(instance.owed, static_cast<std::size_t>(part));
            if (instance.silent) {
                for (int c = 0; c < model_->config.channels; ++c) std::fill_n(out[c] + first, part, 0.0f);
                if (instance.owed == 0 && instance.floats <= most_refilled_floats) {
                    refill(instance);
                    instance.owed = instance.floats / refilled_per_sample;
                }
            } else if (!instance.engine.process(in, out, first, part)) {
                note_overflow(instance);
            }
        }
        in += model_->config.channels;
        out += model_->config.channels;
    }
}

std::size_t NamInstances::checked(int instance) const {
    if (instance < 0 || static_cast<std::size_t>(instance) >= instances_.size())
        throw Error("there is no instance " + std::to_string(instance) + " in a Stream of " + std::to_string(instances_.size()) +
                    "; count from 0.");
    return static_cast<std::size_t>(instance);
}

State NamInstances::state(int instance) const {
    const Instance& of = instances_[checked(instance)];
    if (of.silent) return nam_state(*model_, initial_state_);  // what it goes on with
    const kernels::NetEngine& engine = of.engine;
    State state;
    state.conv.resize(engine.state_size());
    engine.get_state(state.conv.data());
    return state;
}

void NamInstances::set_state(const State& state, int instance) {
    Instance& to = instances_[checked(instance)];
    kernels::NetEngine& engine = to.engine;
    if (state.conv.size() != engine.state_size() || !state.h.empty())
        throw Error("Stream::set_state() was given " + std::to_string(state.conv.size()) + " conv and " + std::to_string(state.h.size()) +
                    " h values, but this capture has " + std::to_string(engine.state_size()) + " and none.");
    engine.set_state(state.conv.data());
    to.silent = false;
}

} // namespace serpent
