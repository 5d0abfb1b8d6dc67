// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/checks.h"

#include <atomic>
#include <cmath>
#include <random>
#include <set>
#include <thread>

namespace serpent::test {

namespace {

bool is_the_hosts(const juce::AudioProcessorParameter& parameter) { return parameter.getName(64) == "Program"; }

/// Discrete ones snapped, as the plugin has them: the host's side keeps what was sent.
std::vector<float> values(Hosted& hosted) {
    std::vector<float> all;
    for (auto* parameter : hosted.instance().getParameters()) {
        const int steps = parameter->getNumSteps();
        const float value = parameter->getValue();
        const bool discrete = steps > 1 && steps < 1000;
        all.push_back(discrete ? std::round(value * static_cast<float>(steps - 1)) / static_cast<float>(steps - 1) : value);
    }
    return all;
}

void randomise(Hosted& hosted, std::uint32_t seed) {
    std::mt19937 random(seed);
    for (auto* parameter : hosted.instance().getParameters())
        if (!is_the_hosts(*parameter)) parameter->setValue(static_cast<float>(random()) / 4294967296.0f);
    hosted.set("Bypass", 0.0f);
}

void description(const Subject& subject) {
    Hosted hosted = subject.load();
    auto& instance = hosted.instance();
    require(instance.getName() == "Serpent", "its name is " + instance.getName().toStdString());
    require(instance.getNumPrograms() >= 1, "no programs");
    for (int i = 0; i < instance.getNumPrograms(); ++i)
        require(instance.getProgramName(i).isNotEmpty(), "program " + std::to_string(i) + " has no name");
    std::set<juce::String> names;
    for (auto* parameter : instance.getParameters()) {
        require(parameter->getName(128).isNotEmpty(), "a parameter without a name");
        // (LV2 has the bypass twice: as a parameter, and as the port that its specification wants.)
        require(subject.format == Format::lv2 || names.insert(parameter->getName(128)).second, "two parameters are called " + parameter->getName(128).toStdString());
        const float initial = parameter->getDefaultValue();
        require(initial >= 0.0f && initial <= 1.0f, parameter->getName(128).toStdString() + ": default out of range");
        for (const float v : {0.0f, 0.3f, 1.0f}) require(parameter->getText(v, 128).isNotEmpty(), "a value without text");
    }
    for (const char* name : {"Input", "Output", "Mix", "Bypass", "Slot", "A Control 1", "B Control 8"}) hosted.parameter(name);
    require(instance.getBypassParameter() != nullptr, "no bypass parameter");
    require(!instance.supportsDoublePrecisionProcessing(), "claims double precision");
}

void restored(const Subject& subject) {
    const Planar in = music(2, 12000, 48000);
    for (std::uint32_t seed = 1; seed <= 4; ++seed) {
        Hosted first = subject.load();
        first.set_state(state_with(subject.model("zamcomp_knobs")));
        first.prepare({48000, 128, 2, 2});
        randomise(first, seed);
        first.play(music(2, 4096, 48000), Blocks::of({128}));  // VST3 hands parameters over with the audio
        juce::MemoryBlock saved;
        first.instance().getStateInformation(saved);
        const std::vector<float> expected = values(first);
        Planar outs[2];
        for (const bool prepared_first : {false, true}) {
            Hosted fresh = subject.load();
            if (prepared_first) fresh.prepare({48000, 128, 2, 2});
            fresh.instance().setStateInformation(saved.getData(), static_cast<int>(saved.getSize()));
            if (!prepared_first) fresh.prepare({48000, 128, 2, 2});
            const std::vector<float> actual = values(fresh);
            for (std::size_t i = 0; i < expected.size() && subject.format == Format::vst3; ++i)  // JUCE's LV2 host does not look again
                require(actual[i] == expected[i], fresh.instance().getParameters()[static_cast<int>(i)]->getName(64).toStdString() +
                                                      " comes back as " + std::to_string(actual[i]) + " instead of " + std::to_string(expected[i]));
            juce::MemoryBlock again;
            fresh.instance().getStateInformation(again);
            require(fresh.plugin_state() == first.plugin_state(), "a restored state is saved differently");
            outs[prepared_first] = fresh.play(in, Blocks::of({128}));
        }
        require_close(outs[0], outs[1], 0.0, "restored before or after it is prepared, it sounds different");
        first.prepare({48000, 128, 2, 2});
        require_close(first.play(in, Blocks::of({128})), outs[0], 0.0, "a restored instance sounds different");
    }
}

/// A state brings everything back also when the program was changed in between: nothing comes late and undoes it.
void restored_over_a_program(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("zamcomp_knobs")));
    hosted.prepare({48000, 128, 2, 2});
    juce::MemoryBlock saved;
    hosted.instance().getStateInformation(saved);
    const auto expected = values(hosted);
    std::mt19937 random(3);
    for (int i = 0; i < 10; ++i) {
        for (auto* parameter : hosted.instance().getParameters()) parameter->setValue(static_cast<float>(random()) / 4294967296.0f);
        if (i % 2) hosted.play(music(2, 512, 48000), Blocks::of({128}));
        hosted.instance().setStateInformation(saved.getData(), static_cast<int>(saved.getSize()));
        hosted.play(music(2, 512, 48000), Blocks::of({128}));
        pump(60);
        const auto actual = values(hosted);
        for (std::size_t k = 0; k < expected.size() && subject.format == Format::vst3; ++k)
            require(std::abs(actual[k] - expected[k]) <= 1e-6f, hosted.instance().getParameters()[static_cast<int>(k)]->getName(64).toStdString() +
                                                                  " is " + std::to_string(actual[k]) + " instead of " + std::to_string(expected[k]));
    }
}

/// The copy in the session counts, not the file.
void without_the_file(const Subject& subject) {
    const juce::TemporaryFile temporary(".safetensors");
    juce::File(subject.model("zamtube").string()).copyFileTo(temporary.getFile());
    Hosted first = subject.load();
    first.set_state(state_with(temporary.getFile().getFullPathName().toStdString()));
    const juce::MemoryBlock saved = first.plugin_state();
    temporary.getFile().deleteFile();
    const Planar in = music(2, 8000, 48000);
    Hosted fresh = subject.load();
    fresh.set_plugin_state(saved);
    fresh.prepare({48000, 128, 2, 2});
    require_close(rendered(subject, subject.model("zamtube"), in, 48000), fresh.play(in, Blocks::of({128})), 5e-6, "after its file is gone");
}

/// Without a copy and without its file the settings stay, and the input passes: a sound that nobody mistakes for the model.
void missing(const Subject& subject) {
    plugin::State state = state_with(subject.model("zamtube"));
    state.models[0].bytes.reset();
    state.models[0].path = "/nowhere/amp.safetensors";
    state.parameters = {{"input_db", 0.5f}, {"a_control_1", 0.125f}};
    Hosted hosted = subject.load();
    hosted.set_state(state);
    hosted.prepare({48000, 128, 2, 2});
    const Planar in = music(2, 4000, 48000);
    require_close(in, hosted.play(in, Blocks::of({128})), 1e-7, "a missing model");
    const juce::MemoryBlock kept = hosted.plugin_state();
    const auto xml = juce::AudioProcessor::getXmlFromBinary(kept.getData(), static_cast<int>(kept.getSize()));
    require(xml != nullptr, "the state is not what docs/plugin.md says");
    const plugin::State saved = plugin::from_xml(*xml);
    require(saved.models[0].path == "/nowhere/amp.safetensors" && saved.models[0].sha256 == state.models[0].sha256,
            "a missing model is forgotten when the session is saved again");
    for (const auto& [id, value] : saved.parameters)
        if (id == "a_control_1") require(value == 0.125f, "the knobs of a missing model are forgotten");
}

void programs(const Subject& subject) {
    const Planar in = music(2, 6000, 48000);
    Hosted hosted = subject.load();
    hosted.prepare({48000, 128, 2, 2});
    for (int i = 0; i < hosted.instance().getNumPrograms(); ++i) {
        hosted.instance().setCurrentProgram(i);
        hosted.prepare({48000, 128, 2, 2});
        require_finite(hosted.play(in, Blocks::of({128})), "program " + std::to_string(i));
        if (subject.format == Format::vst3)
            require(hosted.instance().getCurrentProgram() == i, "program " + std::to_string(i) + " is not the current one");
    }
}

/// Hosts save from other threads while the audio runs; so do several instances side by side.
void threads(const Subject& subject) {
    std::vector<Hosted> instances;
    for (int i = 0; i < 4; ++i) {
        instances.push_back(subject.load());
        instances.back().set_state(state_with(subject.model(i % 2 ? "scream" : "zamcomp_knobs")));
        instances.back().prepare({48000, 64, 2, 2});
    }
    const Planar in = music(2, 48000, 48000);
    std::vector<Planar> outs(instances.size());
    std::atomic<int> running{static_cast<int>(instances.size())};
    std::vector<std::thread> players;
    for (std::size_t i = 0; i < instances.size(); ++i)
        players.emplace_back([&, i] { outs[i] = instances[i].play(in, Blocks::random(64, static_cast<std::uint32_t>(i) + 1)); --running; });
    juce::MemoryBlock state;
    while (running > 0) {
        for (Hosted& hosted : instances) hosted.instance().getStateInformation(state);
        pump(1);
    }
    for (auto& player : players) player.join();
    require_close(outs[1], outs[3], 0.0, "two instances of one model differ");
    require_close(outs[0], outs[2], 0.0, "two instances of one model differ");
}

} // namespace

std::vector<Check> state_checks() {
    return {
        {"names, defaults, programs", description},
        {"every parameter and sample comes back", restored},
        {"restored over another program", restored_over_a_program},
        {"a model whose file is gone", without_the_file},
        {"a model that is missing", missing},
        {"every program", programs},
        {"states saved while others play", threads},
    };
}

} // namespace serpent::test
