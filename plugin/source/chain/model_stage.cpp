// SPDX-License-Identifier: GPL-3.0-or-later
#include "chain/model_stage.h"

#include "serpent/errors.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace serpent::plugin {

namespace {

constexpr double gain_ramp_s = 0.015;  // that of a Player's change of models
constexpr double slot_fade_s = 0.020;
constexpr int most_latency_samples = 8192;

} // namespace

void ModelStage::prepare(double sample_rate_hz, int max_block, int channels) {
    channels_ = channels;
    other_.setSize(channels, max_block);
    share_of_b_.reset(sample_rate_hz, slot_fade_s);
    load_measurer_.reset(sample_rate_hz, max_block);
    const juce::dsp::ProcessSpec spec{sample_rate_hz, static_cast<juce::uint32>(max_block), static_cast<juce::uint32>(channels)};
    std::optional<Error> refused;
    for (Slot& slot : slots_) {
        slot.gain.reset(sample_rate_hz, gain_ramp_s);
        slot.align.setMaximumDelayInSamples(most_latency_samples);
        slot.align.prepare(spec);
        slot.sent.fill(std::numeric_limits<float>::quiet_NaN());
        try {
            slot.player.prepare(sample_rate_hz, max_block, channels);
        } catch (const Error& error) {  // a stereo model on a mono track
            refused = error;
            slot.loaded = false;  // so that the session loads it again when it can be played
            slot.player.load(nullptr);
            try {
                slot.player.prepare(sample_rate_hz, max_block, channels);
            } catch (const Error&) {
                continue;  // a rate at which nothing plays: the input passes
            }
        }
    }
    if (refused) throw *refused;
}

void ModelStage::hold_and_load(int index, std::shared_ptr<const Model> model, std::optional<double> loudness_db,
                               const std::vector<float>& values) {
    Slot& slot = slots_[static_cast<std::size_t>(index)];
    const bool some = model != nullptr;
    hold(index);
    slot.player.load(std::move(model), values);
    slot.loudness_db = static_cast<float>(loudness_db.value_or(nominal_loudness_db));
    slot.loaded = some;
}

void ModelStage::release(int index) noexcept {
    Slot& slot = slots_[static_cast<std::size_t>(index)];
    slot.resend.store(true, std::memory_order_relaxed);  // in case an old value slipped in while the load began
    slot.held.store(false, std::memory_order_release);
}

void ModelStage::set_rate_options(RateMode rate_mode, int oversampling) {
    for (Slot& slot : slots_) slot.player.set_rate_options(rate_mode, oversampling);
}

void ModelStage::collect() {
    for (Slot& slot : slots_) slot.player.collect();
}

int ModelStage::latency_samples() const noexcept {
    return std::min(most_latency_samples, std::max(slots_[0].player.latency_samples(), slots_[1].player.latency_samples()));
}

/// Normalised: every model at -18 dB. Else, with matching and two models, B at the loudness of A.
float ModelStage::gain_of(int index) const noexcept {
    const Slot& slot = slots_[static_cast<std::size_t>(index)];
    if (!slot.loaded.load(std::memory_order_relaxed)) return 1.0f;
    const float own_db = slot.loudness_db.load(std::memory_order_relaxed);
    if (parameters_.normalise->on()) return juce::Decibels::decibelsToGain(static_cast<float>(nominal_loudness_db) - own_db);
    if (index == 1 && parameters_.match->on() && slots_[0].loaded.load(std::memory_order_relaxed))
        return juce::Decibels::decibelsToGain(slots_[0].loudness_db.load(std::memory_order_relaxed) - own_db);
    return 1.0f;
}

void ModelStage::send_controls(int index) noexcept {
    Slot& slot = slots_[static_cast<std::size_t>(index)];
    if (slot.held.load(std::memory_order_acquire)) return;
    if (slot.resend.exchange(false, std::memory_order_relaxed)) slot.sent.fill(std::numeric_limits<float>::quiet_NaN());
    const auto& controls = parameters_.controls[static_cast<std::size_t>(index)];
    for (std::size_t i = 0; i < controls.size(); ++i) {
        const float value = controls[i]->model_value();
        if (value == slot.sent[i] || !controls[i]->used()) continue;
        slot.player.set_control(static_cast<int>(i), value);
        slot.sent[i] = value;
    }
}

void ModelStage::play(int index, Block io, int latency_samples) noexcept {
    Slot& slot = slots_[static_cast<std::size_t>(index)];
    std::array<float*, 2> pointers{};
    for (std::size_t c = 0; c < io.getNumChannels() && c < pointers.size(); ++c) pointers[c] = io.getChannelPointer(c);
    slot.player.process(pointers.data(), pointers.data(), static_cast<int>(io.getNumSamples()));

    if (latency_samples > 0) {
        slot.align.setDelay(static_cast<float>(std::max(0, latency_samples - slot.player.latency_samples())));
        const juce::dsp::ProcessContextReplacing<float> context(io);
        slot.align.process(context);
    }
    slot.gain.setTargetValue(gain_of(index));
    io.multiplyBy(slot.gain);
}

void ModelStage::process(Block io) noexcept {
    const juce::AudioProcessLoadMeasurer::ScopedTimer timer(load_measurer_, static_cast<int>(io.getNumSamples()));
    Block b = Block(other_).getSubsetChannelBlock(0, io.getNumChannels()).getSubBlock(0, io.getNumSamples());
    b.copyFrom(io);
    for (int slot = 0; slot < slot_count; ++slot) send_controls(slot);
    const int latency = latency_samples();
    play(0, io, latency);
    play(1, b, latency);

    share_of_b_.setTargetValue(static_cast<float>(parameters_.active_slot()));
    if (!share_of_b_.isSmoothing()) {
        if (parameters_.active_slot() == 1) io.copyFrom(b);
        return;
    }
    for (std::size_t t = 0; t < io.getNumSamples(); ++t) {
        const float share = share_of_b_.getNextValue();
        for (std::size_t c = 0; c < io.getNumChannels(); ++c) {
            float& sample = io.getChannelPointer(c)[t];
            sample = share * b.getChannelPointer(c)[t] + (1.0f - share) * sample;
        }
    }
}

void ModelStage::reset() noexcept {
    for (Slot& slot : slots_) {
        slot.player.reset();
        slot.align.reset();
    }
}

void ModelStage::snap() noexcept {
    for (int index = 0; index < slot_count; ++index) {
        send_controls(index);
        Slot& slot = slots_[static_cast<std::size_t>(index)];
        slot.player.reset();
        slot.gain.setCurrentAndTargetValue(gain_of(index));
    }
    share_of_b_.setCurrentAndTargetValue(static_cast<float>(parameters_.active_slot()));
}

} // namespace serpent::plugin
