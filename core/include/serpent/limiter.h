// SPDX-License-Identifier: MIT
// Keeps what comes out below a level, whatever a model does.
#pragma once

namespace serpent {

/// Keeps peaks below a ceiling: a gain that falls at once and rises over 100 ms, the same for all channels. Below the ceiling
/// samples pass unchanged, to the bit, and nothing is late. What is not finite becomes 0. For the audio thread.
class Limiter {
public:
    explicit Limiter(float ceiling) noexcept : ceiling_(ceiling) {}
    void prepare(double sample_rate_hz, int channels) noexcept;
    void reset() noexcept { gain_ = 1.0; }
    /// In place, `channels` as prepared. True when it had to do something.
    bool process(float* const* audio, int n) noexcept;

private:
    float ceiling_;
    int channels_ = 0;
    double gain_ = 1.0, rise_ = 0.0;  // in float the last steps to 1 are none
};

} // namespace serpent
