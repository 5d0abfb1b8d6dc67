// SPDX-License-Identifier: GPL-3.0-or-later
// The plugin as hosts see it.
#pragma once

#include "chain/chain.h"
#include "parameters.h"
#include "session.h"
#include "state/edits.h"

#include <juce_audio_processors/juce_audio_processors.h>

#include <atomic>
#include <memory>
#include <mutex>

namespace serpent::plugin {

class Processor : public juce::AudioProcessor {
public:
    Processor();
    ~Processor() override;

    const juce::String getName() const override { return JucePlugin_Name; }
    bool isBusesLayoutSupported(const BusesLayout& layouts) const override;
    void prepareToPlay(double sample_rate_hz, int max_block) override;
    void releaseResources() override {}
    void reset() override { chain_.reset(); }
    void processBlock(juce::AudioBuffer<float>& audio, juce::MidiBuffer& midi) override;
    void processBlockBypassed(juce::AudioBuffer<float>& audio, juce::MidiBuffer& midi) override;
    using AudioProcessor::processBlock;          // double precision is refused:
    using AudioProcessor::processBlockBypassed;  // supportsDoublePrecisionProcessing() stays false

    double getTailLengthSeconds() const override { return session_.tail_s(); }
    bool acceptsMidi() const override { return true; }
    bool producesMidi() const override { return false; }
    juce::AudioProcessorParameter* getBypassParameter() const override { return parameters_.bypass; }

    bool hasEditor() const override { return true; }
    juce::AudioProcessorEditor* createEditor() override;

    int getNumPrograms() override;
    int getCurrentProgram() override { return session_.program(); }
    void setCurrentProgram(int program) override;
    const juce::String getProgramName(int program) override;
    void changeProgramName(int, const juce::String&) override {}  // factory presets keep their names

    void getStateInformation(juce::MemoryBlock& data) override;
    void setStateInformation(const void* data, int size) override;

    /// The factory presets, then the user's: what MIDI program changes count through.
    void apply_preset(int number, Session::Cause cause = Session::Cause::user);
    void apply(State preset, Session::Cause cause = Session::Cause::user);

    Parameters& parameters() noexcept { return parameters_; }
    Session& session() noexcept { return session_; }
    Chain& chain() noexcept { return chain_; }
    Edits& edits() noexcept { return edits_; }
    double sample_rate_hz() const noexcept { return rate_hz_.load(); }

    /// Told on the message thread when the session has changed.
    juce::ChangeBroadcaster changes;

    /// The editor's width, kept with the session; 0: none yet.
    std::atomic<int> editor_width{0};

private:
    void play(juce::AudioBuffer<float>& audio, const juce::MidiBuffer& midi, bool bypassed);
    void tell_before_saving();
    void call_message_thread();
    void on_message_thread();
    void tick();

    /// Shared with the messages under way. An LV2 host destroys the plugin on a thread of its own while JUCE's message thread may
    /// be inside it, which juce::AsyncUpdater and juce::Timer do not survive.
    struct Gate {
        std::recursive_mutex mutex;
        bool open = true;
        std::atomic<bool> message_under_way{false};
    };
    const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();

    Parameters parameters_;
    Chain chain_;
    std::atomic<double> rate_hz_{0.0};
    std::atomic<int> midi_program_{-1};  // asked for by the audio thread
    Session session_;
    Edits edits_{parameters_, session_};
};

} // namespace serpent::plugin
