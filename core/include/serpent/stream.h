// SPDX-License-Identifier: MIT
// Playing a model live: any block size, no allocation, no latency.
#pragma once

#include "serpent/kernels/isa.h"
#include "serpent/model.h"

#include <memory>
#include <optional>

namespace serpent {

struct StreamOptions {
    InitialState initial_state = InitialState::silence;
    std::optional<kernels::Isa> isa;  ///< none: kernels::default_isa()
};

/// One running instance of a model over `model.config.channels` planar channels. Not thread-safe: one thread at a time.
/// Everything but process(), set_control() and reset() may allocate and throw; those three never allocate, lock or throw.
class Stream {
public:
    explicit Stream(std::shared_ptr<const Model> model, StreamOptions options = {});
    ~Stream();
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;

    /// Call before the first process(). Throws Error when sample_rate_hz is not the model's or max_block < 1.
    void prepare(double sample_rate_hz, int max_block);

    /// in[c], out[c]: n samples each, c < channels, n in [0, max_block]; in and out may be the same buffers.
    /// Blocks of any sizes give the same samples (within 1e-5 rms relative to the output).
    void process(const float* const* in, float* const* out, int n) noexcept;

    /// Ramped over the next samples. index < config.controls.size(), else ignored; value in model units, clamped.
    void set_control(int index, float value) noexcept;

    /// Back to the initial state at the current controls.
    void reset() noexcept;

    /// Delay from input to output, in samples: always 0 at the model's own rate.
    int latency_samples() const noexcept;

    kernels::Isa isa() const noexcept;

    State state() const;
    /// Throws Error when the sizes are not this model's.
    void set_state(const State& state);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent
