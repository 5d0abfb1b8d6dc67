// SPDX-License-Identifier: GPL-3.0-or-later
// A plugin binary as a host sees it: loaded, prepared, fed, asked.
#pragma once

#include "state/state.h"

#include <juce_audio_processors/juce_audio_processors.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace serpent::test {

using Planar = std::vector<std::vector<float>>;  // [channel][sample]

enum class Format { vst3, lv2 };

struct Setup {
    double sample_rate_hz = 48000.0;
    int max_block = 512, in_channels = 2, out_channels = 2;
};

/// Block sizes: the same ones over and over, or random ones up to `most`.
struct Blocks {
    std::vector<int> sizes;
    int most = 0;
    std::uint32_t seed = 1;

    static Blocks of(std::vector<int> sizes) { return {std::move(sizes), 0, 1}; }
    static Blocks random(int most, std::uint32_t seed) { return {{}, most, seed}; }
};

class Hosted {
public:
    /// `location`: the bundle of a VST3, the URI of an LV2. Throws std::runtime_error with what the host says.
    Hosted(Format format, const juce::String& location);

    juce::AudioPluginInstance& instance() { return *instance_; }
    Format format() const { return format_; }

    void prepare(const Setup& setup);
    /// As many channels as prepare() said, whatever the blocks.
    Planar play(const Planar& in, const Blocks& blocks);

    /// What the plugin tells the host, by message: waits for it, at most 5 s, while it is 0.
    int latency_samples();

    /// By the parameter's name.
    juce::AudioProcessorParameter& parameter(const juce::String& name);
    void set(const juce::String& name, float normalised) { parameter(name).setValue(normalised); }

    /// The plugin's own state, out of and into what the host's format wraps around it.
    juce::MemoryBlock plugin_state();
    void set_plugin_state(const juce::MemoryBlock& state);
    void set_state(const plugin::State& state);

private:
    Format format_;
    std::unique_ptr<juce::AudioPluginInstance> instance_;
    Setup setup_;
};

/// The plugin's state that plays this model with everything else neutral.
plugin::State state_with(const std::filesystem::path& model);
juce::MemoryBlock binary(const plugin::State& state);

/// Lets timers and messages happen.
void pump(int milliseconds);

} // namespace serpent::test
