// SPDX-License-Identifier: GPL-3.0-or-later
// The plugin with one fault, which the environment variable SERPENT_FAULT chooses: what a host's checks must find.
#include "processor.h"

#include <cstdlib>
#include <string>

namespace {

class Faulty final : public serpent::plugin::Processor {
public:
    void setStateInformation(const void* data, int size) override {
        if (fault_ == "state") return;
        Processor::setStateInformation(data, size);
        if (fault_ == "one parameter") parameters().mix->setValue(parameters().mix->getValue() * 0.999f);
    }

    void getStateInformation(juce::MemoryBlock& data) override {
        if (fault_ == "state counts") parameters().mix->setValue(parameters().mix->getValue() > 0.5f ? 0.25f : 0.75f);
        Processor::getStateInformation(data);
    }

    bool isBusesLayoutSupported(const BusesLayout& layouts) const override {
        return fault_ == "any layout" || Processor::isBusesLayoutSupported(layouts);
    }
    bool supportsDoublePrecisionProcessing() const override { return fault_ == "double"; }
    const juce::String getProgramName(int program) override {
        return fault_ == "program without a name" && program == 1 ? juce::String() : Processor::getProgramName(program);
    }

    void prepareToPlay(double rate_hz, int max_block) override {
        Processor::prepareToPlay(rate_hz, max_block);
        ++starts_;
    }

    void processBlock(juce::AudioBuffer<float>& audio, juce::MidiBuffer& midi) override {
        if (fault_ == "crash" && audio.getNumSamples() == 17) std::abort();
        Processor::processBlock(audio, midi);
        if (audio.getNumSamples() == 0) return;
        if (fault_ == "nan" && ++blocks_ % 100 == 0) audio.setSample(0, audio.getNumSamples() / 2, NAN);
        if (fault_ == "gain") audio.applyGain(1.00001f);
        if (fault_ == "block start") audio.setSample(0, 0, audio.getSample(0, 0) + 2e-6f);
        if (fault_ == "second start" && starts_ > 1) audio.setSample(0, 0, NAN);
        if (fault_ == "latency") setLatencySamples(1);
    }

    double getTailLengthSeconds() const override { return 0.0; }

private:
    const std::string fault_ = std::getenv("SERPENT_FAULT") ? std::getenv("SERPENT_FAULT") : "";
    int blocks_ = 0, starts_ = 0;
};

} // namespace

juce::AudioProcessor* JUCE_CALLTYPE createPluginFilter() { return new Faulty; }
