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
    for (int i = 0; i < options.instances; ++i) engines_.push_back(nam_engine(*model_, options.isa));
    reset();
}

void NamInstances::reset(kernels::NetEngine& engine) noexcept {
    if (initial_state_ == InitialState::silence) engine.settle();
    else engine.clear();
}

void NamInstances::reset() noexcept {
    for (kernels::NetEngine& engine : engines_) reset(engine);
}

void NamInstances::process(const float* const* in, float* const* out, int n) noexcept {
    for (kernels::NetEngine& engine : engines_) {
        for (int first = 0; first < n; first += kernels::net_block)
            if (!engine.process(in, out, first, std::min(kernels::net_block, n - first))) reset(engine);
        in += model_->config.channels;
        out += model_->config.channels;
    }
}

std::size_t NamInstances::checked(int instance) const {
    if (instance < 0 || static_cast<std::size_t>(instance) >= engines_.size())
        throw Error("there is no instance " + std::to_string(instance) + " in a Stream of " + std::to_string(engines_.size()) +
                    "; count from 0.");
    return static_cast<std::size_t>(instance);
}

State NamInstances::state(int instance) const {
    const kernels::NetEngine& engine = engines_[checked(instance)];
    State state;
    state.conv.resize(engine.state_size());
    engine.get_state(state.conv.data());
    return state;
}

void NamInstances::set_state(const State& state, int instance) {
    kernels::NetEngine& engine = engines_[checked(instance)];
    if (state.conv.size() != engine.state_size() || !state.h.empty())
        throw Error("Stream::set_state() was given " + std::to_string(state.conv.size()) + " conv and " + std::to_string(state.h.size()) +
                    " h values, but this capture has " + std::to_string(engine.state_size()) + " and none.");
    engine.set_state(state.conv.data());
}

} // namespace serpent
