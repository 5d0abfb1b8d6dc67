// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/model.h"

#include <span>
#include <vector>

namespace serpent {

/// The fixed point of a model for input 0. Holds the working memory, so that solve() may be called in real time.
class SilenceSolver {
public:
    explicit SilenceSolver(const Model& model);  ///< the model must outlive the solver

    /// `state` has the model's sizes (zero_state()). Values that no float can hold are replaced by finite ones.
    void solve(const Film& film, State& state) noexcept;

    /// At the last solve().
    const TimeConstants& time_constants() const noexcept { return time_constants_; }
    /// dt |A| of every state at the last solve(), 1 / samples: [d_inner][d_state] of each layer; in rotating blocks the first half of
    /// a channel's holds, one for each pair, and the rest repeats it.
    std::span<const double> decays() const noexcept { return decays_; }

private:
    /// conv, h, h_low, decays: where the layer's begin.
    void solve_layer(std::size_t layer, const Film& film, float* conv, float* h, float* h_low, double* decays) noexcept;
    void solve_scan(std::size_t layer, float* h, float* h_low, double* decays) noexcept;
    void solve_oscillators(std::size_t layer, float* h, float* h_low, double* decays) noexcept;
    void solve_output(State& state) noexcept;
    void solve_rotation(std::size_t layer, float* h, float* h_low, double* decays) noexcept;
    void note_decay(double decay) noexcept;
    double time_step(const LayerWeights& weights, std::size_t channel) const noexcept;

    const Model& model_;
    std::vector<double> stream_, normed_, x_, gate_, projected_, y_, decays_;
    TimeConstants time_constants_;
};

/// What a state consists of, under the names that files give it; h_low, which training does without, is not among them.
struct StatePart {
    const char* name;
    std::vector<float> State::*values;
    bool always;  ///< in files even where it has no values
};
inline constexpr StatePart state_parts[] = {
    {"conv", &State::conv, true}, {"h", &State::h, true}, {"fir_in", &State::fir_in, false}, {"fir_out", &State::fir_out, false}};

/// Whether the sizes are those of `like`; h_low may be empty.
bool is_state_of(const State& state, const State& like) noexcept;

} // namespace serpent
