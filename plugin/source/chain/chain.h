// SPDX-License-Identifier: GPL-3.0-or-later
// The sound: input trim, gate, model, equaliser, cabinet, DC block, mix, output trim, output guard, bypass.
#pragma once

#include "chain/cabinet.h"
#include "chain/equalizer.h"
#include "chain/fader.h"
#include "chain/gate.h"
#include "chain/meter.h"
#include "chain/model_stage.h"
#include "parameters.h"
#include "serpent/limiter.h"

#include <juce_dsp/juce_dsp.h>

#include <atomic>

namespace serpent::plugin {

/// +12 dBFS, where the output guard begins: no music is as loud as that.
inline constexpr float guard_ceiling = 3.981072f;
/// +60 dBFS. A sample beyond it is an accident, which must not fill the filters for minutes.
inline constexpr float loudest_input = 1000.0f;

/// Audio thread: process() and reset(), which neither allocate, free, lock nor throw. prepare() not beside them.
/// With every part off or neutral the output is that of the model to the last bit, as `serpent render` writes it.
class Chain {
public:
    explicit Chain(const Parameters& parameters) : models(parameters), parameters_(parameters) {}

    /// One or two input channels, as many outputs or one in and two out. Throws serpent::Error when a loaded model cannot play
    /// them; everything else is prepared all the same.
    void prepare(double sample_rate_hz, int max_block, int in_channels, int out_channels);

    /// io: the output's channels, the first of which hold the input. Any number of samples; NaN and infinity count as 0, and
    /// what is beyond loudest_input as that.
    /// bypassed: as with the bypass parameter on.
    void process(juce::dsp::AudioBlock<float> io, bool bypassed = false) noexcept;
    void reset() noexcept { fresh_.store(true, std::memory_order_relaxed); }

    /// Whether the output guard had to work since the last call. Any thread.
    bool take_guarded() noexcept { return guarded_.exchange(false, std::memory_order_relaxed); }

    /// As the knobs say now.
    EqualizerSettings equalizer_settings() const noexcept;

    ModelStage models;
    Cabinet cabinet;
    Meter input_meter, output_meter;

private:
    using Delay = juce::dsp::DelayLine<float, juce::dsp::DelayLineInterpolationTypes::None>;
    using Filter = juce::dsp::ProcessorDuplicator<juce::dsp::IIR::Filter<float>, juce::dsp::IIR::Coefficients<float>>;

    float cabinet_gain_db() const noexcept;  // 0 without a response
    void process_part(Block io) noexcept;
    void start_afresh() noexcept;
    void play_gate(Block io) noexcept;
    void play_models(Block io) noexcept;
    void play_after_models(Block io) noexcept;
    void mix_with(Block dry, Block io) noexcept;
    void play_guard(Block io) noexcept;
    void pass_bypassed(Block dry, Block io) noexcept;

    const Parameters& parameters_;
    double sample_rate_hz_ = 0.0;
    std::size_t max_block_ = 0, in_channels_ = 0, out_channels_ = 0;
    std::atomic<bool> fresh_{true};  // nothing was played yet: parameters apply without ramps

    juce::dsp::Gain<float> input_gain_, output_gain_, cabinet_gain_;
    Gate gate_;
    Equalizer equalizer_;
    Filter dc_block_;
    Limiter guard_{guard_ceiling};
    Fader gate_fader_, equalizer_fader_, cabinet_fader_, dc_fader_, guard_fader_;
    std::atomic<bool> guarded_{false};
    juce::SmoothedValue<float> mix_, bypassed_, model_share_;
    bool models_ran_ = false, bypass_ = false;
    Delay dry_delay_, model_delay_;  // by the models' latency
    juce::AudioBuffer<float> dry_, unmodelled_;
};

} // namespace serpent::plugin
