// SPDX-License-Identifier: MIT
// What happens between a microphone and a loudspeaker: an effect, or a generator that answers or plays along. No device
// here: something else calls process() for every block of its audio callback.
#pragma once

#include "serpent/generator.h"
#include "serpent/stream.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace serpent {

enum class LiveMode {
    effect,   ///< microphone -> capture model -> out
    answer,   ///< hears a phrase, and when it is over plays on for as long as the phrase was
    together  ///< generates all the time; what is heard is mixed into what the model takes for its own past
};

struct LiveOptions {
    LiveMode mode = LiveMode::answer;  ///< of a generator; an effect model is always LiveMode::effect
    GeneratorOptions generator;        ///< the i-th answer, from 0, has seed + i
    double gate_db = -40;              ///< a phrase begins at this peak level, dBFS,
    double gate_hold_s = 0.3;          ///< and is over when it was 6 dB below for this long
    double longest_answer_s = 30;
    double listen = 0.5;               ///< together: share of what is heard in what the model hears, 0..1
    bool loop_guard = true;            ///< mute when the input is the output, come back
    StreamOptions stream;              ///< of an effect model
};

/// Something that happened, at a sample of the model's rate since prepare() (effects: of the device's).
struct LiveEvent {
    enum class Kind { phrase_began, answer_began, answer_ended, interrupted, loop_muted, loop_over };
    Kind kind = Kind::phrase_began;
    std::int64_t at_sample = 0;
    std::int64_t length_samples = 0;  ///< answer_began: of the phrase, and of the answer to come
};

/// For a screen: peaks since the last call, linear.
struct LiveMeters {
    float input = 0, output = 0;
    bool gate_open = false, playing = false, muted = false, limited = false;
    std::uint64_t answers = 0;
    std::uint64_t late_samples = 0;  ///< that the thread of prepare() did not make in time, and were silence
};

/// The audio thread calls process(), which does not allocate, lock, throw or call the system; one other thread may call
/// everything else but prepare().
class LiveSession {
public:
    /// Throws Error when there is no model, or it is not valid.
    LiveSession(std::shared_ptr<const Model> model, LiveOptions options);
    LiveSession(std::shared_ptr<const GeneratorModel> model, LiveOptions options);
    ~LiveSession();

    /// Call before the first process(), and when the device changes. Throws Error when the model cannot play that, and then
    /// everything is as before: an effect model wants at least its channels of inputs and of outputs. It plays every whole
    /// set of them; where that is more than the outputs these get the mean, and outputs left over repeat the first.
    /// ahead_s: a generator works on a thread of its own and plays so much later, for blocks so short that a dear sample
    /// would not fit into one; 0: in process(). The samples are the same.
    void prepare(double sample_rate_hz, int max_block, int inputs, int outputs, double ahead_s = 0);

    /// in[c], c < inputs; out[c], c < outputs; n samples each, any n; NaN and infinity count as 0. in and out must not
    /// overlap. A generator hears the mean of the inputs and plays on all outputs. Does nothing before prepare().
    void process(const float* const* in, float* const* out, int n) noexcept;

    /// How much later an input sample comes out, or could be answered, in samples of the device.
    int latency_samples() const noexcept;
    LiveMode mode() const noexcept;
    /// answer or together; ignored by an effect.
    void set_mode(LiveMode mode) noexcept;
    void set_muted(bool muted) noexcept;
    void set_gate_db(double gate_db) noexcept;
    void set_listen(double listen) noexcept;
    void set_temperature(double temperature) noexcept;
    void set_gain_db(double gain_db) noexcept;
    double gate_db() const noexcept;
    double listen() const noexcept;
    double temperature() const noexcept;
    double gain_db() const noexcept;

    LiveMeters meters() noexcept;
    /// The oldest event not yet told; none when all are. At most 64 wait, later ones are lost.
    std::optional<LiveEvent> event() noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent
