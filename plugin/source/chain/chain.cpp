// SPDX-License-Identifier: GPL-3.0-or-later
#include "chain/chain.h"

#include <algorithm>
#include <cmath>

namespace serpent::plugin {

namespace {

constexpr double trim_ramp_s = 0.02;
constexpr float dc_corner_hz = 7.0f;
constexpr float loudest_answer = 1e5f;  // of a model that an accident at its input has shaken
constexpr int most_latency_samples = 8192;

Block part_of(juce::AudioBuffer<float>& buffer, const Block& like) {
    return Block(buffer).getSubsetChannelBlock(0, like.getNumChannels()).getSubBlock(0, like.getNumSamples());
}

/// A delay of 0 is left out, which is exact and free; its line is cleared when a delay begins.
template <class Delay>
void delay(Delay& line, Block io, int samples) noexcept {
    if (static_cast<int>(line.getDelay()) != samples) {
        line.reset();
        line.setDelay(static_cast<float>(samples));
    }
    if (samples == 0) return;
    const juce::dsp::ProcessContextReplacing<float> context(io);
    line.process(context);
}

/// Takes away what is not finite, and what is so large that everything after it would be long in forgetting it.
void tame(Block io, float largest) noexcept {
    for (std::size_t c = 0; c < io.getNumChannels(); ++c) {
        float* samples = io.getChannelPointer(c);
        for (std::size_t t = 0; t < io.getNumSamples(); ++t)
            samples[t] = std::isfinite(samples[t]) ? std::clamp(samples[t], -largest, largest) : 0.0f;
    }
}

} // namespace

void Chain::prepare(double sample_rate_hz, int max_block, int in_channels, int out_channels) {
    sample_rate_hz_ = sample_rate_hz;
    max_block_ = static_cast<std::size_t>(max_block);
    in_channels_ = static_cast<std::size_t>(in_channels), out_channels_ = static_cast<std::size_t>(out_channels);
    const auto out = static_cast<juce::uint32>(out_channels);
    const juce::dsp::ProcessSpec spec{sample_rate_hz, static_cast<juce::uint32>(max_block), out};
    for (auto* gain : {&input_gain_, &output_gain_, &cabinet_gain_}) {
        gain->setRampDurationSeconds(trim_ramp_s);
        gain->prepare(spec);
    }
    gate_.prepare(spec);
    guard_.prepare(sample_rate_hz, out_channels);
    equalizer_.prepare(spec);
    *dc_block_.state = juce::dsp::IIR::ArrayCoefficients<float>::makeFirstOrderHighPass(sample_rate_hz, dc_corner_hz);
    dc_block_.prepare(spec);
    for (Fader* fader : {&gate_fader_, &equalizer_fader_, &cabinet_fader_, &dc_fader_, &guard_fader_})
        fader->prepare(sample_rate_hz, max_block, out_channels);
    for (auto* value : {&mix_, &bypassed_, &model_share_}) value->reset(sample_rate_hz, trim_ramp_s);
    for (Delay* line : {&dry_delay_, &model_delay_}) {
        line->setMaximumDelayInSamples(most_latency_samples);
        line->prepare(spec);
    }
    dry_.setSize(out_channels, max_block);
    unmodelled_.setSize(out_channels, max_block);
    cabinet.prepare(sample_rate_hz, max_block, out_channels);
    input_meter.prepare(sample_rate_hz), output_meter.prepare(sample_rate_hz);
    fresh_ = true;
    models.prepare(sample_rate_hz, max_block, in_channels);
}

EqualizerSettings Chain::equalizer_settings() const noexcept {
    const Parameters& p = parameters_;
    return {p.eq_low_db->plain(), p.eq_mid_db->plain(), p.eq_mid_hz->plain(), p.eq_high_db->plain()};
}

float Chain::cabinet_gain_db() const noexcept { return cabinet.loaded() ? parameters_.cabinet_db->plain() : 0.0f; }

void Chain::start_afresh() noexcept {
    const Parameters& p = parameters_;
    models.snap();
    models_ran_ = p.model_on->on();
    model_share_.setCurrentAndTargetValue(p.model_on->on() ? 1.0f : 0.0f);
    mix_.setCurrentAndTargetValue(p.mix->plain() / 100.0f);
    bypassed_.setCurrentAndTargetValue(bypass_ ? 1.0f : 0.0f);
    input_gain_.setGainDecibels(p.input_db->plain());
    output_gain_.setGainDecibels(p.output_db->plain());
    cabinet_gain_.setGainDecibels(cabinet_gain_db());
    for (auto* gain : {&input_gain_, &output_gain_, &cabinet_gain_}) gain->reset();
    gate_.reset(), equalizer_.reset(), dc_block_.reset(), cabinet.reset(), guard_.reset();
    dry_delay_.reset(), model_delay_.reset();
    equalizer_.snap(equalizer_settings());
    gate_fader_.snap(p.gate_on->on()), equalizer_fader_.snap(p.eq_on->on());
    cabinet_fader_.snap(p.cabinet_on->on()), dc_fader_.snap(p.dc_block->on()), guard_fader_.snap(p.guard->on());
}

void Chain::process(Block io, bool bypassed) noexcept {
    bypass_ = bypassed || parameters_.bypass->on();
    if (max_block_ == 0 || io.getNumChannels() < out_channels_) return;
    io = io.getSubsetChannelBlock(0, out_channels_);
    for (std::size_t done = 0; done < io.getNumSamples(); done += max_block_)
        process_part(io.getSubBlock(done, std::min(max_block_, io.getNumSamples() - done)));
}

void Chain::process_part(Block io) noexcept {
    if (fresh_.exchange(false, std::memory_order_relaxed)) start_afresh();
    Block in = io.getSubsetChannelBlock(0, in_channels_);
    tame(in, loudest_input);
    Block dry = part_of(dry_, io);
    for (std::size_t c = 0; c < out_channels_; ++c)
        dry.getSingleChannelBlock(c).copyFrom(in.getSingleChannelBlock(std::min(c, in_channels_ - 1)));

    input_gain_.setGainDecibels(parameters_.input_db->plain());
    input_gain_.process(juce::dsp::ProcessContextReplacing<float>(in));
    input_meter.measure(in);
    play_gate(in);
    play_models(in);
    tame(in, loudest_answer);
    for (std::size_t c = in_channels_; c < out_channels_; ++c) io.getSingleChannelBlock(c).copyFrom(io.getSingleChannelBlock(0));
    play_after_models(io);
    delay(dry_delay_, dry, models.latency_samples());
    mix_with(dry, io);
    play_guard(io);
    pass_bypassed(dry, io);
    output_meter.measure(io);
}

void Chain::play_gate(Block io) noexcept {
    const Parameters& p = parameters_;
    gate_fader_.run(io, p.gate_on->on(),
                    [&](Block block) { gate_.process(block, p.gate_threshold_db->plain(), p.gate_release_ms->plain()); },
                    [this] { gate_.reset(); });
}

/// Not a Fader, since what the model is faded against has to be as late as the model.
void Chain::play_models(Block io) noexcept {
    const bool on = parameters_.model_on->on();
    model_share_.setTargetValue(on ? 1.0f : 0.0f);
    const bool run = on || model_share_.isSmoothing();
    if (run && !models_ran_) models.reset();
    models_ran_ = run;
    Block plain = part_of(unmodelled_, io);
    plain.copyFrom(io);
    delay(model_delay_, plain, models.latency_samples());
    if (!run) {
        io.copyFrom(plain);
        return;
    }
    models.process(io);
    if (!model_share_.isSmoothing()) return;
    for (std::size_t t = 0; t < io.getNumSamples(); ++t) {
        const float share = model_share_.getNextValue();
        for (std::size_t c = 0; c < io.getNumChannels(); ++c) {
            float& sample = io.getChannelPointer(c)[t];
            sample = share * sample + (1.0f - share) * plain.getChannelPointer(c)[t];
        }
    }
}

void Chain::play_after_models(Block io) noexcept {
    const Parameters& p = parameters_;
    equalizer_fader_.run(io, p.eq_on->on(), [&](Block block) { equalizer_.process(block, equalizer_settings()); },
                         [this] { equalizer_.reset(), equalizer_.snap(equalizer_settings()); });
    cabinet_fader_.run(io, p.cabinet_on->on(), [&](Block block) {
        const float gain_db = cabinet_gain_db();
        cabinet.process(block);
        cabinet_gain_.setGainDecibels(gain_db);
        cabinet_gain_.process(juce::dsp::ProcessContextReplacing<float>(block));
    }, [this] { cabinet.reset(); });
    dc_fader_.run(io, p.dc_block->on(), [this](Block block) { dc_block_.process(juce::dsp::ProcessContextReplacing<float>(block)); },
                  [this] { dc_block_.reset(); });
}

void Chain::mix_with(Block dry, Block io) noexcept {
    mix_.setTargetValue(parameters_.mix->plain() / 100.0f);
    if (mix_.isSmoothing() || mix_.getTargetValue() < 1.0f)
        for (std::size_t t = 0; t < io.getNumSamples(); ++t) {
            const float mix = mix_.getNextValue();
            for (std::size_t c = 0; c < io.getNumChannels(); ++c) {
                float& sample = io.getChannelPointer(c)[t];
                sample = mix * sample + (1.0f - mix) * dry.getChannelPointer(c)[t];
            }
        }
    output_gain_.setGainDecibels(parameters_.output_db->plain());
    output_gain_.process(juce::dsp::ProcessContextReplacing<float>(io));
}

void Chain::play_guard(Block io) noexcept {
    guard_fader_.run(io, parameters_.guard->on(), [this](Block block) {
        std::array<float*, most_channels> channels{};
        for (std::size_t c = 0; c < block.getNumChannels(); ++c) channels[c] = block.getChannelPointer(c);
        if (guard_.process(channels.data(), static_cast<int>(block.getNumSamples()))) guarded_.store(true, std::memory_order_relaxed);
    }, [this] { guard_.reset(); });
}

/// The bypass is the input as it came, which the guard leaves alone.
void Chain::pass_bypassed(Block dry, Block io) noexcept {
    bypassed_.setTargetValue(bypass_ ? 1.0f : 0.0f);
    if (!bypassed_.isSmoothing() && bypassed_.getTargetValue() == 0.0f) return;
    for (std::size_t t = 0; t < io.getNumSamples(); ++t) {
        const float dry_share = bypassed_.getNextValue();
        for (std::size_t c = 0; c < io.getNumChannels(); ++c) {
            float& sample = io.getChannelPointer(c)[t];
            sample = dry_share * dry.getChannelPointer(c)[t] + (1.0f - dry_share) * sample;
        }
    }
}

} // namespace serpent::plugin
