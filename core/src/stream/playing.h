// SPDX-License-Identifier: MIT
// What a Stream needs of a kind of model: here, and in make_playing(), is where another kind would be added.
#pragma once

#include "serpent/stream.h"

#include <memory>
#include <vector>

namespace serpent {

/// Independent instances of one model at its own rate. process(), set_control(), reset() are for the audio thread; callers
/// flush denormals.
class Playing {
public:
    virtual ~Playing() = default;

    /// Channels of the first instance first; any n.
    virtual void process(const float* const* in, float* const* out, int n) noexcept = 0;
    virtual void set_control(int index, float value) noexcept = 0;
    virtual void reset() noexcept = 0;

    virtual State state(int instance) const = 0;
    virtual void set_state(const State& state, int instance) = 0;

    virtual int channels() const noexcept = 0;
    virtual const std::vector<float>& controls() const noexcept = 0;
    virtual kernels::Isa isa() const noexcept = 0;
};

std::unique_ptr<Playing> make_playing(std::shared_ptr<const Model> model, const StreamOptions& options, std::vector<float> controls);

} // namespace serpent
