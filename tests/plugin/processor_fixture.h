// SPDX-License-Identifier: GPL-3.0-or-later
// The plugin as a class: made, prepared, fed.
#pragma once

#include "processor.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

namespace serpent::test {

using Samples = std::vector<float>;

inline juce::File model_file(const std::string& name) { return juce::File(std::string(SERPENT_ASSETS) + "/models/" + name + ".safetensors"); }

inline Samples sine(std::size_t n, double amplitude = 0.25, double hz = 220.0, double rate_hz = 48000.0) {
    Samples x(n);
    for (std::size_t t = 0; t < n; ++t) x[t] = static_cast<float>(amplitude * std::sin(6.283185307179586 * hz * static_cast<double>(t) / rate_hz));
    return x;
}

inline double rms(const Samples& x, std::size_t from = 0) {
    double sum = 0.0;
    for (std::size_t t = from; t < x.size(); ++t) sum += static_cast<double>(x[t]) * x[t];
    return std::sqrt(sum / static_cast<double>(x.size() - from));
}

/// A processor that is prepared for one channel, with everything neutral and no model.
struct Ready {
    explicit Ready(double rate_hz = 48000.0, int max_block = 256) : block(max_block) {
        processor = std::make_unique<plugin::Processor>();
        juce::AudioProcessor::BusesLayout mono;
        mono.inputBuses.add(juce::AudioChannelSet::mono());
        mono.outputBuses.add(juce::AudioChannelSet::mono());
        processor->setBusesLayout(mono);
        processor->session().restore({});
        processor->setRateAndBufferSizeDetails(rate_hz, max_block);
        processor->prepareToPlay(rate_hz, max_block);
    }

    Samples play(const Samples& in) {
        Samples out = in;
        juce::MidiBuffer midi;
        for (std::size_t at = 0; at < out.size(); at += static_cast<std::size_t>(block)) {
            float* channel = out.data() + at;
            juce::AudioBuffer<float> audio(&channel, 1, static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(block), out.size() - at)));
            processor->processBlock(audio, midi);
        }
        return out;
    }

    /// Until the background thread has nothing left, and its messages have arrived.
    void settle() {
        for (int i = 0; i < 1000 && processor->session().busy(); ++i) pump(5);
        pump(60);
    }
    static void pump(int milliseconds) { juce::MessageManager::getInstance()->runDispatchLoopUntil(milliseconds); }

    plugin::Parameters& parameters() { return processor->parameters(); }
    plugin::Session& session() { return processor->session(); }

    std::unique_ptr<plugin::Processor> processor;
    int block;
};

} // namespace serpent::test
