// SPDX-License-Identifier: MIT
// What a plugin holds: plays a model, and changes to another one while it plays, without a click, a lock or a gap.
#pragma once

#include "serpent/stream.h"

#include <memory>
#include <span>

namespace serpent {

/// One Stream, or two while one fades into the other. Without a model the input passes unchanged.
///
/// Two threads: the audio thread calls process(), set_control() and reset(), which never allocate, free, lock, throw or
/// call the system. Any other threads call load(), set_rate_options() and collect(), at any time. prepare() and the
/// destructor may run beside those three, but not beside the audio thread's. latency_samples() is for everyone.
class Player {
public:
    /// `options` are those of every stream; `instances` is set from the number of channels.
    explicit Player(StreamOptions options = {});
    ~Player();

    /// As Stream::prepare(); keeps the model and its controls. Throws Error when the model cannot play `channels` channels.
    void prepare(double sample_rate_hz, int max_block, int channels);

    /// Builds and warms a stream for `model` and hands it to the audio thread, which fades it in over 15 ms from its next
    /// block on (at once when nothing was played since prepare() or reset()). A model waiting to be picked up is replaced. nullptr: fade to the unchanged input. `controls` in model
    /// units (empty: the defaults); what set_control() sets after this call began wins over them. Throws Error, and changes
    /// nothing, when the model is not valid or config.channels does not divide the prepared channels. Frees what has
    /// faded out, as collect() does.
    void load(std::shared_ptr<const Model> model, std::span<const float> controls = {});

    /// How the model follows the sample rate (see StreamOptions): builds its stream anew, as load() does, and throws like it.
    void set_rate_options(RateMode rate_mode, int oversampling);

    /// Frees the streams that the audio thread has done with. Call it now and then, for instance from a timer.
    void collect();

    /// in[c], out[c]: n samples each, c < channels; in[c] and out[c] may be the same buffer.
    void process(const float* const* in, float* const* out, int n) noexcept;

    /// As Stream::set_control(), for the models that play now and those whose load() has begun.
    void set_control(int index, float value) noexcept;

    /// Ends a fade, takes a model that waits, and goes to the initial state.
    void reset() noexcept;

    /// Of the model that plays, or is fading in: changes when process() picks up a model.
    int latency_samples() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent
