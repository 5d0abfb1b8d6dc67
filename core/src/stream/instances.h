// SPDX-License-Identifier: MIT
#pragma once

#include "model/silence.h"
#include "serpent/kernels/live.h"
#include "stream/playing.h"

namespace serpent {

/// A Mamba model.
class Instances final : public Playing {
public:
    Instances(std::shared_ptr<const Model> model, const StreamOptions& options, std::vector<float> controls);

    void process(const float* const* in, float* const* out, int n) noexcept override;
    void set_control(int index, float value) noexcept override;
    void reset() noexcept override;

    State state(int instance) const override;
    void set_state(const State& state, int instance) override;

    int channels() const noexcept override { return instances_ * model_->config.channels; }
    const std::vector<float>& controls() const noexcept override { return controls_; }
    kernels::Isa isa() const noexcept override { return engines_[0].isa(); }

private:
    void follow_controls() noexcept;
    void recover(kernels::LiveEngine& engine, unsigned failed) noexcept;
    void check(int instance) const;

    std::shared_ptr<const Model> model_;
    InitialState initial_state_;
    int instances_, per_engine_;                // the last engine may have fewer
    std::vector<kernels::LiveEngine> engines_;
    SilenceSolver solver_;
    State start_;        // what reset() goes to
    Film coefficients_;  // at `controls_`
    std::vector<float> controls_;
    int ramp_samples_;
    bool controls_moved_ = false;
};

} // namespace serpent
