// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/kernels/network.h"
#include "stream/playing.h"

namespace serpent {

/// A .nam capture: it has no controls, and plays at its own rate only.
class NamInstances final : public Playing {
public:
    NamInstances(std::shared_ptr<const Model> model, const StreamOptions& options);

    void process(const float* const* in, float* const* out, int n) noexcept override;
    void set_control(int, float) noexcept override {}
    void reset() noexcept override;

    State state(int instance) const override;
    void set_state(const State& state, int instance) override;

    int channels() const noexcept override { return static_cast<int>(engines_.size()) * model_->config.channels; }
    const std::vector<float>& controls() const noexcept override { return no_controls_; }
    kernels::Isa isa() const noexcept override { return engines_[0].isa(); }

private:
    void reset(kernels::NetEngine& engine) noexcept;
    std::size_t checked(int instance) const;

    std::shared_ptr<const Model> model_;
    InitialState initial_state_;
    std::vector<kernels::NetEngine> engines_;  // one for each instance
    std::vector<float> no_controls_;
};

/// The engine of a .nam capture, settled. Throws what kernels throw.
kernels::NetEngine nam_engine(const Model& model, std::optional<kernels::Isa> isa);

/// The state that Stream and Renderer begin with.
State nam_state(const Model& model, InitialState which);

} // namespace serpent
