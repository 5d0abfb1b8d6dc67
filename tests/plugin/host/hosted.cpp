// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/hosted.h"

#include "library/capture.h"

#include <algorithm>
#include <stdexcept>

namespace serpent::test {

namespace {

std::unique_ptr<juce::AudioPluginFormat> make(Format format) {
    if (format == Format::vst3) return std::make_unique<juce::VST3PluginFormat>();
    auto lv2 = std::make_unique<juce::LV2PluginFormat>();  // which looks into fixed folders only, unless it is told
    lv2->searchPathsForPlugins(juce::FileSearchPath(juce::SystemStats::getEnvironmentVariable("LV2_PATH", {})), true, false);
    return lv2;
}

/// JUCE's LV2 wrapper keeps the state as base64 text in this property.
constexpr const char* lv2_property = ":StateString";

} // namespace

Hosted::Hosted(Format format, const juce::String& location) : format_(format) {
    // Never freed: instances may outlive the object that made them.
    static const std::unique_ptr<juce::AudioPluginFormat> the_format = make(format);  // one format a process
    juce::AudioPluginFormat& loader = *the_format;
    juce::OwnedArray<juce::PluginDescription> found;
    loader.findAllTypesForFile(found, location);
    if (found.isEmpty()) throw std::runtime_error("no plugin in " + location.toStdString());
    juce::String problem;
    instance_ = loader.createInstanceFromDescription(*found[0], 48000.0, 512, problem);
    if (!instance_) throw std::runtime_error(location.toStdString() + ": " + problem.toStdString());
}

void Hosted::prepare(const Setup& setup) {
    setup_ = setup;
    instance_->releaseResources();
    const auto set_of = [](int channels) { return channels == 1 ? juce::AudioChannelSet::mono() : juce::AudioChannelSet::stereo(); };
    juce::AudioProcessor::BusesLayout layout;
    layout.inputBuses.add(set_of(setup.in_channels));
    layout.outputBuses.add(set_of(setup.out_channels));
    if (!instance_->setBusesLayout(layout)) throw std::runtime_error("the plugin refuses " + std::to_string(setup.in_channels) + " to " +
                                                                     std::to_string(setup.out_channels) + " channels");
    instance_->setRateAndBufferSizeDetails(setup.sample_rate_hz, setup.max_block);
    instance_->prepareToPlay(setup.sample_rate_hz, setup.max_block);
}

Planar Hosted::play(const Planar& in, const Blocks& blocks) {
    std::mt19937 random(blocks.seed);
    const int channels = std::max(setup_.in_channels, setup_.out_channels);
    const std::size_t length = in[0].size();
    Planar out(static_cast<std::size_t>(setup_.out_channels), std::vector<float>(length, NAN));
    juce::AudioBuffer<float> buffer(channels, setup_.max_block);
    juce::MidiBuffer midi;
    std::size_t at = 0;
    for (std::size_t i = 0; at < length; ++i) {
        int n = blocks.most > 0 ? static_cast<int>(random() % static_cast<unsigned>(blocks.most + 1)) : blocks.sizes[i % blocks.sizes.size()];
        n = std::min<int>({n, setup_.max_block, static_cast<int>(length - at)});
        buffer.setSize(channels, n, false, false, true);
        buffer.clear();
        for (int c = 0; c < setup_.in_channels; ++c) buffer.copyFrom(c, 0, in[static_cast<std::size_t>(c)].data() + at, n);
        midi.clear();
        instance_->processBlock(buffer, midi);
        for (std::size_t c = 0; c < out.size(); ++c)
            std::copy_n(buffer.getReadPointer(static_cast<int>(c)), n, out[c].begin() + static_cast<std::ptrdiff_t>(at));
        at += static_cast<std::size_t>(n);
    }
    return out;
}

int Hosted::latency_samples() {
    for (int i = 0; i < 500 && instance_->getLatencySamples() == 0; ++i) {
        play(Planar(static_cast<std::size_t>(setup_.in_channels), std::vector<float>(1)), Blocks::of({1}));  // LV2 tells it with the audio
        pump(10);
    }
    return instance_->getLatencySamples();
}

juce::AudioProcessorParameter& Hosted::parameter(const juce::String& name) {
    for (auto* parameter : instance_->getParameters())
        if (parameter->getName(128) == name) return *parameter;
    throw std::runtime_error("the plugin has no parameter \"" + name.toStdString() + "\"");
}

juce::MemoryBlock Hosted::plugin_state() {
    juce::MemoryBlock wrapped, state;
    instance_->getStateInformation(wrapped);
    if (format_ == Format::vst3) {
        const auto xml = juce::AudioProcessor::getXmlFromBinary(wrapped.getData(), static_cast<int>(wrapped.getSize()));
        if (xml && xml->getChildByName("IComponent")) state.fromBase64Encoding(xml->getChildByName("IComponent")->getAllSubText());
    } else {
        const juce::String text = wrapped.toString();
        state.fromBase64Encoding(text.fromFirstOccurrenceOf(lv2_property, false, false).fromFirstOccurrenceOf("\"", false, false)
                                     .trimCharactersAtStart("\"\n\r ").upToFirstOccurrenceOf("\"", false, false).trim());
    }
    if (state.isEmpty()) throw std::runtime_error("the host's state holds none of the plugin");
    return state;
}

void Hosted::set_plugin_state(const juce::MemoryBlock& state) {
    juce::MemoryBlock wrapped;
    if (format_ == Format::vst3) {
        juce::XmlElement xml("VST3PluginState");
        xml.createNewChildElement("IComponent")->addTextElement(state.toBase64Encoding());
        juce::AudioProcessor::copyXmlToBinary(xml, wrapped);
    } else {
        instance_->getStateInformation(wrapped);
        const juce::String text = wrapped.toString();
        const juce::String old = juce::MemoryBlock(plugin_state()).toBase64Encoding();
        const juce::String fresh = text.replace(old, state.toBase64Encoding());
        wrapped.replaceAll(fresh.toRawUTF8(), fresh.getNumBytesAsUTF8());
    }
    instance_->setStateInformation(wrapped.getData(), static_cast<int>(wrapped.getSize()));
}

void Hosted::set_state(const plugin::State& state) { set_plugin_state(binary(state)); }

plugin::State state_with(const std::filesystem::path& model) {
    plugin::State state;
    const auto capture = plugin::read_capture(juce::File(model.string()));
    state.models[0] = capture->file;
    for (std::size_t i = 0; i < capture->model->config.controls.size() && i < plugin::controls_per_slot; ++i) {
        const Control& control = capture->model->config.controls[i];
        state.parameters.emplace_back("a_control_" + juce::String(static_cast<int>(i) + 1),
                                      (control.default_value - control.min) / (control.max - control.min));
    }
    return state;
}

juce::MemoryBlock binary(const plugin::State& state) {
    juce::MemoryBlock block;
    juce::AudioProcessor::copyXmlToBinary(*plugin::to_xml(state), block);
    return block;
}

void pump(int milliseconds) { juce::MessageManager::getInstance()->runDispatchLoopUntil(milliseconds); }

} // namespace serpent::test
