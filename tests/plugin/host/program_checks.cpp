// SPDX-License-Identifier: GPL-3.0-or-later
// Programs and states in every order: a state that was set stays, and of a program's values the host hears.
#include "host/checks.h"
#include "host/raw_vst3.h"

#include <chrono>
#include <cmath>
#include <map>
#include <mutex>
#include <random>
#include <thread>

namespace serpent::test {

namespace {

using namespace Steinberg;

/// p: another program, then that of the state, as DAWs do when they open a session; g: a state is asked for; s: the state; r: a
/// block; w: a while.
const std::vector<std::string> orders{"ps",  "prs",  "pws",   "pwrs",    "sps",   "psr", "psw",  "prsr",
                                      "pgs", "pgrs", "pwrsw", "rpsrpsw", "wpsws", "prgs", "spgs", "rpgsrw"};
constexpr int while_ms = 300;  // longer than the plugin waits before it announces a program's values

float value_in(const juce::MemoryBlock& state, const char* id) {
    const auto xml = juce::AudioProcessor::getXmlFromBinary(state.getData(), static_cast<int>(state.getSize()));
    require(xml != nullptr, "the state is not what docs/plugin.md says");
    for (const auto& [name, value] : plugin::from_xml(*xml).parameters)
        if (name == id) return value;
    throw Failed(std::string("the state has no ") + id);
}

void stays(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.prepare({48000, 128, 2, 2});
    const Planar in = music(2, 256, 48000);
    const int programs = hosted.instance().getNumPrograms(), chosen = programs - 1;
    hosted.instance().setCurrentProgram(chosen);
    hosted.play(in, Blocks::of({128})), pump(while_ms);
    std::mt19937 random(6);
    for (auto* parameter : hosted.instance().getParameters())
        if (parameter->getName(64) != "Program") parameter->setValue(static_cast<float>(random()) / 4294967296.0f);
    for (int i = 0; i < 3; ++i) hosted.play(in, Blocks::of({128})), pump(20);
    const juce::MemoryBlock state = hosted.plugin_state();
    for (const std::string& order : orders) {
        for (const char step : order) {
            if (step == 'p') hosted.instance().setCurrentProgram(0), hosted.instance().setCurrentProgram(chosen);
            if (step == 'g') hosted.plugin_state();
            if (step == 's') hosted.set_plugin_state(state);
            if (step == 'r') hosted.play(in, Blocks::of({128}));
            if (step == 'w') pump(while_ms);
        }
        for (int i = 0; i < 3; ++i) hosted.play(in, Blocks::of({128})), pump(i == 1 ? while_ms : 10);
        require(hosted.plugin_state() == state, "after the order " + order + " it is no longer the state that was set");
    }
}

void told(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.prepare({48000, 128, 2, 2});
    const Planar in = music(2, 256, 48000);
    int changes = 0;
    float before = hosted.parameter("Mix").getValue();
    for (int program = 0; program < hosted.instance().getNumPrograms(); ++program) {
        hosted.instance().setCurrentProgram(program);
        hosted.play(in, Blocks::of({128})), pump(while_ms), hosted.play(in, Blocks::of({128})), pump(20);
        const float inside = value_in(hosted.plugin_state(), "mix"), outside = hosted.parameter("Mix").getValue();
        require(std::abs(inside - outside) <= 1e-6f, "of program " + std::to_string(program) + " the host believes that Mix is " +
                                                         std::to_string(outside) + " instead of " + std::to_string(inside));
        changes += inside != before, before = inside;
    }
    require(changes > 0, "no program changes Mix, and nothing was tested");
}

/// A state that is saved just after a program says what the host believes, knob by knob: else what the host shows and writes
/// beside the state differs from it, and is not what comes back with it. No editor is open: see Processor::tell_before_saving().
void told_before_a_state(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.prepare({48000, 128, 2, 2});
    pump(while_ms);
    std::mt19937 random(7);
    const std::map<const char*, const char*> parameters{{"input_db", "Input"}, {"eq_low_db", "Bass"}, {"mix", "Mix"}};
    const auto turn = [&] {
        for (const auto& [id, name] : parameters) hosted.parameter(name).setValue(static_cast<float>(random()) / 4294967296.0f);
    };
    for (int program = 0; program < hosted.instance().getNumPrograms(); ++program) {
        turn();
        hosted.instance().setCurrentProgram(program);
        const juce::MemoryBlock state = hosted.plugin_state();
        std::map<const char*, float> before;
        for (const auto& [id, name] : parameters) {
            const float saved = value_in(state, id);
            before[id] = hosted.parameter(name).getValue();
            require(std::abs(saved - before[id]) <= 1e-6f, "just after program " + std::to_string(program) + " a state says that " + name +
                                                               " is " + std::to_string(saved) + ", and the host believes " +
                                                               std::to_string(before[id]));
        }
        turn();
        hosted.set_plugin_state(state);
        for (const auto& [id, name] : parameters)
            require(std::abs(hosted.parameter(name).getValue() - before[id]) <= 1e-6f,
                    std::string(name) + " does not come back with the state");
        require(hosted.plugin_state() == state, "the state is another after it was set");
    }
}

/// What a plugin tells its host, which sends it back with the next block as Ardour does.
class Ear final : public vst::IComponentHandler {
public:
    tresult PLUGIN_API performEdit(vst::ParamID id, vst::ParamValue value) override { return hear(id, value), kResultOk; }
    tresult PLUGIN_API restartComponent(int32) override { return kResultOk; }
    tresult PLUGIN_API beginEdit(vst::ParamID) override { return kResultOk; }
    tresult PLUGIN_API endEdit(vst::ParamID) override { return kResultOk; }
    tresult PLUGIN_API queryInterface(const TUID, void**) override { return kNoInterface; }
    uint32 PLUGIN_API addRef() override { return 1; }
    uint32 PLUGIN_API release() override { return 1; }

    void hear(vst::ParamID id, double value) {
        const std::lock_guard lock(mutex_);
        heard_[id] = value;
    }
    std::map<vst::ParamID, double> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(heard_, {});
    }

private:
    std::mutex mutex_;
    std::map<vst::ParamID, double> heard_;
};

/// A host without a message loop, whose threads are none of the plugin's.
void stays_without_a_loop(const Subject& subject) {
    static const auto* module = new RawModule(subject.location.toStdString());
    Ear ear;
    RawPlugin plugin(*module);
    require(plugin.controller->setComponentHandler(&ear) == kResultOk && plugin.start(48000, 128), "it does not start");
    const Planar in = music(2, 128, 48000);
    const auto run = [&](RawChanges& changes) {
        for (const auto& [id, value] : ear.take()) changes.add(id, 0, value);
        RawChanges out;
        plugin.process(in, 2, &changes, false, &out);
        for (int32 i = 0; i < out.getParameterCount(); ++i) {
            vst::IParamValueQueue& queue = *out.getParameterData(i);
            int32 offset = 0;
            vst::ParamValue value = 0.0;
            if (queue.getPoint(queue.getPointCount() - 1, offset, value) != kResultOk) continue;
            ear.hear(queue.getParameterId(), value);
            plugin.controller->setParamNormalized(queue.getParameterId(), value);
        }
    };
    const auto run_idle = [&] { RawChanges none; run(none); };
    const auto wait = [] { std::this_thread::sleep_for(std::chrono::milliseconds(while_ms)); };
    const vst::ParamID program = plugin.id_of("Program"), mix = plugin.id_of("Mix"), output = plugin.id_of("Output");
    plugin.controller->setParamNormalized(program, 1.0);
    wait(), run_idle();
    RawChanges edits;
    edits.add(mix, 0, 0.25), edits.add(output, 0, 0.375);
    run(edits);
    const std::vector<char> state = plugin.state();
    for (const std::string& order : orders) {
        for (const char step : order) {
            if (step == 'p') plugin.controller->setParamNormalized(program, 0.0), plugin.controller->setParamNormalized(program, 1.0);
            if (step == 'g') plugin.state();
            if (step == 's') ear.take(), plugin.set_state(state);
            if (step == 'r') run_idle();
            if (step == 'w') wait();
        }
        run_idle(), run_idle(), wait(), run_idle(), run_idle();
        require(plugin.state() == state, "after the order " + order + " it is no longer the state that was set");
        for (const auto& [id, value] : {std::pair{mix, 0.25}, {output, 0.375}})
            require(std::abs(plugin.controller->getParamNormalized(id) - value) <= 1e-6, "after the order " + order + " the controller shows another value");
    }
    plugin.controller->setComponentHandler(nullptr);
}

} // namespace

std::vector<Check> program_checks(Format format) {
    std::vector<Check> checks{{"a state after a program, in every order", stays}, {"the host hears of a program's values", told}};
    if (format == Format::vst3) {
        checks.push_back({"the same in a host without a message loop", stays_without_a_loop});
        checks.push_back({"the host hears of them before it saves them", told_before_a_state});  // an LV2 tells with its audio only
    }
    return checks;
}

} // namespace serpent::test
