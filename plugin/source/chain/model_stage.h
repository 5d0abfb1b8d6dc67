// SPDX-License-Identifier: GPL-3.0-or-later
// The two models, A and B, of which one is heard. While both slots hold a model both run, so that a change from one to the
// other is instant and neither has to settle.
#pragma once

#include "chain/fader.h"
#include "parameters.h"
#include "serpent/player.h"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace serpent::plugin {

inline constexpr double nominal_loudness_db = -18.0;  ///< what "Normalise" brings every model to

/// Audio thread: process(), reset(). Any other threads: the rest, one at a time for each slot; prepare() not beside the
/// audio thread.
class ModelStage {
public:
    explicit ModelStage(const Parameters& parameters) : parameters_(parameters) {}

    /// Throws Error when a model that is loaded cannot play that many channels; that slot then plays nothing.
    void prepare(double sample_rate_hz, int max_block, int channels);

    /// As Player::load(), `values` in model units. Until release() the knobs do not reach this slot, also when this throws.
    void hold_and_load(int slot, std::shared_ptr<const Model> model, std::optional<double> loudness_db, const std::vector<float>& values);
    void hold(int slot) noexcept { slots_[static_cast<std::size_t>(slot)].held.store(true, std::memory_order_release); }
    void release(int slot) noexcept;
    /// Whether a model plays in that slot, or waits to.
    bool loaded(int slot) const noexcept { return slots_[static_cast<std::size_t>(slot)].loaded.load(std::memory_order_relaxed); }
    void set_rate_options(RateMode rate_mode, int oversampling);
    void collect();

    /// Of the later of the two slots: both are delayed to that.
    int latency_samples() const noexcept;
    /// The share of real time that the models take, 0 to 1 and more.
    double load() const { return load_measurer_.getLoadAsProportion(); }

    void process(Block io) noexcept;
    void reset() noexcept;
    /// Takes the parameters as they are, without ramps.
    void snap() noexcept;

private:
    struct Slot {
        Player player;
        std::atomic<float> loudness_db{0.0f};
        std::atomic<bool> loaded{false}, held{false}, resend{false};
        std::array<float, controls_per_slot> sent;  // what the player was told last; NaN: nothing
        juce::SmoothedValue<float> gain;
        juce::dsp::DelayLine<float, juce::dsp::DelayLineInterpolationTypes::None> align;
    };

    float gain_of(int slot) const noexcept;
    void send_controls(int slot) noexcept;
    void play(int slot, Block io, int latency_samples) noexcept;

    const Parameters& parameters_;
    std::array<Slot, slot_count> slots_;
    juce::SmoothedValue<float> share_of_b_;
    juce::AudioBuffer<float> other_;
    int channels_ = 0;
    juce::AudioProcessLoadMeasurer load_measurer_;
};

} // namespace serpent::plugin
