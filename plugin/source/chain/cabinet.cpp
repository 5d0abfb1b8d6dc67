// SPDX-License-Identifier: GPL-3.0-or-later
#include "chain/cabinet.h"

#include "serpent/errors.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace serpent::plugin {

namespace {

constexpr double speaker_band_hz = 5000.0;

/// Makes any response about as loud as none: a flat one over a loudspeaker's band has gain 1. The measure is the integral of
/// |H|^2 over frequency, so it does not depend on sample rates.
float gain_for(const AudioBuffer& response) {
    double energy = 0.0;
    for (const std::vector<float>& channel : response.channels) {
        double sum = 0.0;
        for (const float x : channel) sum += static_cast<double>(x) * x;
        energy = std::max(energy, sum);
    }
    const double band = 0.5 * response.sample_rate * energy;
    if (!(band > 1e-9)) throw Error("the impulse response is silent; choose another file");
    return static_cast<float>(std::sqrt(speaker_band_hz / band));
}

juce::AudioBuffer<float> at_rate(const AudioBuffer& response, double rate_hz) {
    const AudioBuffer there = resampled(response, juce::roundToInt(rate_hz));
    // A response is a density over time: with more samples each weighs less.
    const float gain = gain_for(response) * static_cast<float>(response.sample_rate / rate_hz);
    juce::AudioBuffer<float> out(static_cast<int>(there.channels.size()), static_cast<int>(there.frames()));
    for (int c = 0; c < out.getNumChannels(); ++c) {
        out.copyFrom(c, 0, there.channels[static_cast<std::size_t>(c)].data(), out.getNumSamples());
        out.applyGain(c, 0, out.getNumSamples(), gain);
    }
    return out;
}

} // namespace

struct Cabinet::Deck {
    /// JUCE's queue takes messages from one thread at a time, and Convolution::reset() sends one: so each has its own, which the
    /// control side uses until it hands the deck over, and the audio thread from then on.
    struct Engine {
        static constexpr int most_messages = 16;  // beyond that they are dropped, which loses nothing here
        juce::dsp::ConvolutionMessageQueue queue{most_messages};
        juce::dsp::Convolution convolution{queue};
    };
    std::optional<Engine> engine;       // none: the unchanged input
    std::atomic<bool> finished{false};  // set by the audio thread as the last thing it does to a deck

    void process(Block io) noexcept {
        if (!engine) return;
        const juce::dsp::ProcessContextReplacing<float> context(io);
        engine->convolution.process(context);
    }
    void reset() noexcept {
        if (engine) engine->convolution.reset();
    }
};

Cabinet::Cabinet() = default;
Cabinet::~Cabinet() = default;

std::unique_ptr<Cabinet::Deck> Cabinet::make_deck() const {
    auto deck = std::make_unique<Deck>();
    if (!response_) return deck;
    using Convolution = juce::dsp::Convolution;
    const bool stereo = response_->channels.size() > 1;
    Convolution& convolution = deck->engine.emplace().convolution;
    convolution.loadImpulseResponse(at_rate(*response_, spec_.sampleRate), spec_.sampleRate,
                                    stereo ? Convolution::Stereo::yes : Convolution::Stereo::no, Convolution::Trim::no,
                                    Convolution::Normalise::no);
    convolution.prepare(spec_);  // waits for the response, so that it plays from the first sample
    return deck;
}

void Cabinet::prepare(double sample_rate_hz, int max_block, int channels) {
    const std::lock_guard lock(mutex_);
    spec_ = {sample_rate_hz, static_cast<juce::uint32>(max_block), static_cast<juce::uint32>(channels)};
    auto deck = make_deck();
    waiting_.store(nullptr, std::memory_order_relaxed);
    playing_ = deck.get();
    coming_ = nullptr;
    heard_ = false;
    decks_.clear();
    decks_.push_back(std::move(deck));
    share_.reset(sample_rate_hz, change_s);
    faded_in_.setSize(channels, max_block);
}

void Cabinet::load(std::shared_ptr<const AudioBuffer> response) {
    if (response) gain_for(*response);  // throws before anything changes
    const std::lock_guard lock(mutex_);
    response_ = std::move(response);
    if (spec_.numChannels > 0) {
        decks_.push_back(make_deck());
        if (Deck* unused = waiting_.exchange(decks_.back().get(), std::memory_order_acq_rel)) unused->finished = true;
    }
    loaded_ = response_ != nullptr;
    length_s_ = response_ ? static_cast<double>(response_->frames()) / response_->sample_rate : 0.0;
    std::erase_if(decks_, [](const std::unique_ptr<Deck>& deck) { return deck->finished.load(std::memory_order_acquire); });
}

void Cabinet::collect() {
    const std::lock_guard lock(mutex_);
    std::erase_if(decks_, [](const std::unique_ptr<Deck>& deck) { return deck->finished.load(std::memory_order_acquire); });
}

void Cabinet::finish_fade() noexcept {
    if (!coming_) return;
    playing_->finished.store(true, std::memory_order_release);
    playing_ = std::exchange(coming_, nullptr);
}

void Cabinet::pick_up() noexcept {
    if (coming_) return;
    coming_ = waiting_.exchange(nullptr, std::memory_order_acq_rel);
    if (!coming_) return;
    share_.setCurrentAndTargetValue(0.0f);
    share_.setTargetValue(1.0f);
    if (!heard_) finish_fade();
}

void Cabinet::process(Block io) noexcept {
    if (!playing_) return;
    pick_up();
    heard_ = true;
    if (!coming_) return playing_->process(io);
    Block fresh = Block(faded_in_).getSubsetChannelBlock(0, io.getNumChannels()).getSubBlock(0, io.getNumSamples());
    fresh.copyFrom(io);
    coming_->process(fresh);
    playing_->process(io);
    for (std::size_t t = 0; t < io.getNumSamples(); ++t) {
        const float share = share_.getNextValue();
        for (std::size_t c = 0; c < io.getNumChannels(); ++c) {
            float& sample = io.getChannelPointer(c)[t];
            sample = share * fresh.getChannelPointer(c)[t] + (1.0f - share) * sample;
        }
    }
    if (!share_.isSmoothing()) finish_fade();
}

void Cabinet::reset() noexcept {
    pick_up();
    finish_fade();
    heard_ = false;
    if (playing_) playing_->reset();
}

} // namespace serpent::plugin
