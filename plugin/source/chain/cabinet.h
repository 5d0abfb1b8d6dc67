// SPDX-License-Identifier: GPL-3.0-or-later
// A loudspeaker's impulse response over juce::dsp::Convolution, changed while it plays.
#pragma once

#include "chain/fader.h"
#include "serpent/audio_file.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace serpent::plugin {

/// As serpent::Player does for models: load() and collect() on any thread build and free, the audio thread's process()
/// and reset() only exchange a pointer. A new response fades in over 20 ms, at once when nothing was played before.
class Cabinet {
public:
    Cabinet();
    ~Cabinet();

    void prepare(double sample_rate_hz, int max_block, int channels);
    /// At its own sample rate, one or two channels; nullptr: none. Throws serpent::Error when it is silent.
    void load(std::shared_ptr<const AudioBuffer> response);
    void collect();

    /// Whether a response is there or waits to be picked up. Any thread.
    bool loaded() const noexcept { return loaded_.load(std::memory_order_relaxed); }
    double length_s() const noexcept { return length_s_.load(std::memory_order_relaxed); }

    void process(Block io) noexcept;
    void reset() noexcept;

private:
    struct Deck;
    std::unique_ptr<Deck> make_deck() const;
    void pick_up() noexcept;
    void finish_fade() noexcept;

    std::mutex mutex_;  // of what the control side owns
    std::shared_ptr<const AudioBuffer> response_;
    juce::dsp::ProcessSpec spec_{0.0, 0, 0};
    std::vector<std::unique_ptr<Deck>> decks_;

    std::atomic<Deck*> waiting_{nullptr};
    std::atomic<bool> loaded_{false};
    std::atomic<double> length_s_{0.0};

    Deck *playing_ = nullptr, *coming_ = nullptr;  // the audio thread's
    bool heard_ = false;
    juce::SmoothedValue<float> share_;  // of `coming_`
    juce::AudioBuffer<float> faded_in_;
};

} // namespace serpent::plugin
