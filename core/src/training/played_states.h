// SPDX-License-Identifier: MIT
// Where the model itself is, all along the training takes: the states that runs in the middle of a recording start from.
#pragma once

#include "serpent/training.h"

namespace serpent {

/// A run that starts from silence in the middle of a recording lacks what the device remembers there, and its first
/// seconds teach the model to guess it. So now and then the model plays every take from silence to its end, and runs begin
/// with the state that it had there.
class PlayedStates {
public:
    static constexpr std::size_t spacing_samples = 12288;  ///< between two states, whatever block the renderer likes

    /// Of every take, the states before sample 0, spacing, 2 spacing, ...: part by part (state_parts), one after another. Empty before the
    /// first play().
    std::vector<State> takes;

    void play(const TrainingSet& data, const Model& net, double input_scale, std::optional<kernels::Isa> isa, int threads);
    bool empty() const noexcept { return takes.empty(); }
    /// The state before sample `position`, a multiple of spacing_samples inside the take.
    State at(const ModelConfig& config, std::size_t take, std::size_t position) const;
};

} // namespace serpent
