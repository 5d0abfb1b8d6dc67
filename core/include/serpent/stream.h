// SPDX-License-Identifier: MIT
// Playing a model live: any block size, any sample rate, no allocation. serpent/player.h changes models while it plays.
#pragma once

#include "serpent/kernels/isa.h"
#include "serpent/model.h"

#include <memory>
#include <optional>

namespace serpent {

/// What a Stream does when the host does not run at the model's sample rate; docs/benchmarks.md has the figures.
enum class RateMode {
    scale_dt,  ///< the model takes its steps at the host's rate, scaled: no latency and no resampler; an approximation
    resample   ///< it runs at its own rate between two band-limited resamplers: exact, 2 ms of latency, three to four times the time
};

struct StreamOptions {
    InitialState initial_state = InitialState::silence;
    std::optional<kernels::Isa> isa;  ///< none: kernels::default_isa()
    int instances = 1;                ///< independent copies of the model, each with config.channels channels
    RateMode rate_mode = RateMode::scale_dt;
    int oversampling = 1;             ///< 1, 2 or 4: the model runs that many times faster, to fold less back; costs latency
};

/// `instances` running copies of one model, over channels() planar channels: a mono model with two instances is a true
/// dual mono. Not thread-safe: one thread at a time. Everything but process(), set_control() and reset() may allocate and
/// throw; those three never allocate, lock, throw or call the system.
class Stream {
public:
    /// Ready to play at the model's own rate. Throws Error when there is no model, it or an option is not valid, or memory is short.
    explicit Stream(std::shared_ptr<const Model> model, StreamOptions options = {});
    ~Stream();
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;

    /// Call before the first process() and whenever the host changes its rate; goes to the initial state and keeps the
    /// controls. max_block: the largest block that is usual (larger ones are processed in parts of it). Throws Error
    /// unless 1 kHz <= sample_rate_hz <= 1 MHz and max_block >= 1.
    void prepare(double sample_rate_hz, int max_block);

    /// instances * config.channels; those of the first instance come first.
    int channels() const noexcept;

    /// in[c], out[c]: n samples each, c < channels(); in[c] and out[c] may be the same buffer. NaN and infinity count as 0.
    /// Blocks of any sizes give the same samples (the same bits on one instruction set).
    void process(const float* const* in, float* const* out, int n) noexcept;

    /// For all instances, ramped over the next 10 ms. index < config.controls.size(), else ignored; value in model units,
    /// clamped, NaN: the default.
    void set_control(int index, float value) noexcept;

    /// Back to the initial state at the current controls.
    void reset() noexcept;

    /// How much later the output comes, in samples of the host: delay the dry signal by that much to keep it aligned. 0
    /// when nothing is resampled, that is at the model's own rate or with RateMode::scale_dt, without oversampling.
    int latency_samples() const noexcept;

    kernels::Isa isa() const noexcept;
    const Model& model() const noexcept;

    /// Of one instance; throws Error unless 0 <= instance < instances. What a resampler holds is not part of it. With
    /// RateMode::scale_dt at another rate `conv` is longer or shorter than the model's own: see prepare().
    State state(int instance = 0) const;
    /// The same; throws Error when the sizes are not those of state().
    void set_state(const State& state, int instance = 0);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent
