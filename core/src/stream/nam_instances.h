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

    int channels() const noexcept override { return static_cast<int>(instances_.size()) * model_->config.channels; }
    const std::vector<float>& controls() const noexcept override { return no_controls_; }
    kernels::Isa isa() const noexcept override { return instances_[0].engine.isa(); }

private:
    /// An engine whose answer overflowed has to be refilled, which takes as long as its state is large. So that one which overflows again
    /// and again costs no more than one that plays: a large one is silent until reset(), another until it has earned its next refill.
    struct Instance {
        kernels::NetEngine engine;
        std::size_t floats = 0;  // of its state
        std::size_t owed = 0;    // samples until it may be refilled again
        bool silent = false;
    };

    void refill(Instance& instance) noexcept;
    void note_overflow(Instance& instance) noexcept;
    std::size_t checked(int instance) const;

    std::shared_ptr<const Model> model_;
    InitialState initial_state_;
    std::vector<Instance> instances_;
    std::vector<float> no_controls_;
};

/// The engine of a .nam capture, settled. Throws what kernels throw.
kernels::NetEngine nam_engine(const Model& model, std::optional<kernels::Isa> isa);

/// The state that Stream and Renderer begin with.
State nam_state(const Model& model, InitialState which);

} // namespace serpent
