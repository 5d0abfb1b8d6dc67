// SPDX-License-Identifier: GPL-3.0-or-later
// Parameters and sessions: what is written comes back, also what older versions wrote.
#include "library/capture.h"
#include "processor_fixture.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"
#include "state/presets.h"

#include <catch2/catch.hpp>

#include <set>

using namespace serpent;
using namespace serpent::plugin;
using namespace serpent::test;

TEST_CASE("the parameters' IDs are what sessions and automation refer to", "[state]") {
    Ready ready;
    juce::StringArray ids;
    for (const auto* parameter : ready.parameters().all) ids.add(parameter->getParameterID());
    CHECK(ids.joinIntoString(" ").toStdString() ==
          "input_db gate_on gate_threshold_db gate_release_ms model_on slot match normalise "
          "a_control_1 a_control_2 a_control_3 a_control_4 a_control_5 a_control_6 a_control_7 a_control_8 "
          "b_control_1 b_control_2 b_control_3 b_control_4 b_control_5 b_control_6 b_control_7 b_control_8 "
          "eq_on eq_low_db eq_mid_db eq_mid_hz eq_high_db cabinet_on cabinet_db dc_block mix output_db bypass guard");
}

TEST_CASE("a parameter gives back what it was given, and reads what it writes", "[state]") {
    Ready ready;
    for (auto* parameter : ready.parameters().all) {
        CAPTURE(parameter->getParameterID().toStdString());
        for (const float value : {0.0f, 0.1f, 1.0f / 3.0f, 0.7654321f, 1.0f}) {
            parameter->setValue(value);
            const float kept = parameter->getValue();
            if (!parameter->isDiscrete()) CHECK(kept == value);
            parameter->setValue(kept);
            CHECK(parameter->getValue() == kept);
            // Text has few digits: it may be off by half the last one.
            const float read = parameter->getValueForText(parameter->getText(kept, 0));
            CHECK(std::abs(read - kept) <= 0.006f);
        }
        parameter->setValue(NAN);
        CHECK(std::isfinite(parameter->getValue()));
    }
    CHECK(ready.parameters().eq_mid_hz->convertFrom0to1(ready.parameters().eq_mid_hz->getValueForText("1.5 kHz")) == Approx(1500.0f));
}

TEST_CASE("values are rounded, and what is shown is read as what is shown", "[state]") {
    Ready ready;
    const serpent::Control drive{"Drive", 0.0f, 200.0f, 100.0f, "Hz"};
    ready.parameters().controls[0][0]->show(&drive);
    for (const auto* parameter : ready.parameters().all) {
        if (parameter->isDiscrete()) continue;
        CAPTURE(parameter->getParameterID().toStdString());
        for (const float value : {0.0f, 0.0271f, 1.0f / 3.0f, 0.80272f, 0.999f, 1.0f}) {
            const juce::String text = parameter->getText(value, 0);
            CHECK(text.length() <= 6);
            CHECK(text != "-0");
            CHECK(parameter->getText(parameter->getValueForText(text), 0) == text);
            CHECK(parameter->getText(parameter->getValueForText(text_with_unit(*parameter, value)), 0) == text);
        }
    }
    Parameters& p = ready.parameters();
    CHECK(text_with_unit(*p.mix, 0.802727f) == "80 %");
    CHECK(text_with_unit(*p.eq_mid_hz, p.eq_mid_hz->convertTo0to1(1234.56f)) == "1235 Hz");
    CHECK(text_with_unit(*p.gate_release_ms, p.gate_release_ms->convertTo0to1(99.7f)) == "100 ms");
    CHECK(text_with_unit(*p.input_db, 0.5f) == "0.0 dB");
    CHECK(text_with_unit(*p.gate_on, 1.0f) == "On");
    CHECK(text_with_unit(*p.controls[0][0], 0.40136f) == "80 Hz");
    CHECK(text_with_unit(*p.controls[0][1], 0.40136f) == "0.40");

    const auto read = [](const auto* parameter, const char* typed) {
        return parameter->convertFrom0to1(parameter->getValueForText(juce::String::fromUTF8(typed)));
    };
    CHECK(read(p.eq_mid_hz, "1.2 kHz") == Approx(1200.0f));
    CHECK(read(p.eq_mid_hz, "1,2k") == Approx(1200.0f));
    CHECK(read(p.eq_mid_hz, "900 hz") == Approx(900.0f));
    CHECK(read(p.gate_release_ms, "0.5 s") == Approx(500.0f));
    CHECK(read(p.gate_release_ms, "50 ms") == Approx(50.0f));
    CHECK(read(p.input_db, "\u22126 dB") == Approx(-6.0f));
    CHECK(read(p.input_db, "+3") == Approx(3.0f));
    CHECK(read(p.mix, "1000") == Approx(100.0f));
    CHECK(p.controls[0][0]->model_value(p.controls[0][0]->getValueForText("0.1 kHz")) == Approx(100.0f));
}

TEST_CASE("a state survives its text", "[state]") {
    plugin::State state;
    state.parameters = {{"mix", 0.123456789f}, {"slot", 1.0f}};
    state.models[1] = {"Amp \"<&>\"", "/some/where.safetensors", "abc", juce::MemoryBlock("\0\1\2binary", 9)};
    state.cabinet = {"cab", "/cab.wav", "def", {}};
    state.resample = true, state.oversampling = 4, state.program = 3, state.preset = "mine";
    const auto xml = juce::parseXML(to_xml(state)->toString());
    REQUIRE(xml);
    const plugin::State back = from_xml(*xml);
    CHECK((back.parameters == state.parameters));
    CHECK(back.models[0].empty());
    CHECK(back.models[1].name == state.models[1].name);
    CHECK(back.models[1].path == state.models[1].path);
    CHECK(back.models[1].bytes == state.models[1].bytes);
    CHECK(back.cabinet.sha256 == "def");
    CHECK(back.resample);
    CHECK(back.oversampling == 4);
    CHECK(back.program == 3);
    CHECK(back.preset == "mine");
}

TEST_CASE("what is no state is refused in words", "[state]") {
    CHECK_THROWS_AS(from_xml(*juce::parseXML("<OTHER version=\"1\"/>")), Error);
    CHECK_THROWS_AS(from_xml(*juce::parseXML("<SERPENT/>")), Error);
    const plugin::State odd = from_xml(*juce::parseXML("<SERPENT version=\"99\"><RATE oversampling=\"3\"/><PARAMETERS><PARAMETER id=\"mix\" value=\"nan\"/>"
                                               "<PARAMETER id=\"input_db\" value=\"7\"/></PARAMETERS><NEW/></SERPENT>"));
    CHECK(odd.oversampling == 1);
    REQUIRE(odd.parameters.size() == 1);
    CHECK(odd.parameters[0].second == 1.0f);
}

TEST_CASE("a session of version 1 loads for ever", "[state]") {
    // Written by the first version; do not make it anew.
    const auto xml = juce::parseXML(juce::File(std::string(SERPENT_TEST_DATA) + "/plugin/session_v1.xml"));
    REQUIRE(xml);
    Ready ready;
    ready.session().restore(from_xml(*xml));
    CHECK(ready.session().model(0).content != nullptr);
    CHECK(ready.session().model(0).problem.isEmpty());
    CHECK(ready.session().model(1).content == nullptr);
    CHECK(ready.session().model(1).wanted.path == "/captures/gone.safetensors");
    Parameters& p = ready.parameters();
    CHECK(p.input_db->plain() == Approx(6.0f));
    CHECK(p.mix->plain() == Approx(75.0f));
    CHECK(p.eq_on->on());
    CHECK_FALSE(p.gate_on->on());
    CHECK(p.controls[1][0]->getValue() == 0.625f);
    CHECK(ready.session().preset_name() == "A session of version 1");
    // No later version may sound different. 1e-4: other instruction sets round otherwise, and the equaliser adds to that.
    const Samples out = ready.play(sine(2048));
    const Samples expected = read_audio(std::string(SERPENT_TEST_DATA) + "/plugin/session_v1.wav").channels.at(0);
    REQUIRE(expected.size() == out.size());
    double worst = 0.0;
    for (std::size_t t = 0; t < out.size(); ++t) worst = std::max(worst, std::abs(static_cast<double>(out[t]) - expected[t]));
    CHECK(worst <= 1e-4);
    CHECK(rms(out) > 0.01);
}

TEST_CASE("every factory preset loads and has a name of its own", "[state]") {
    Ready ready;
    std::set<juce::String> names;
    for (int i = 0; i < ready.processor->getNumPrograms(); ++i) {
        CAPTURE(i);
        CHECK(ready.processor->getProgramName(i).isNotEmpty());
        CHECK(names.insert(ready.processor->getProgramName(i)).second);
        ready.processor->setCurrentProgram(i);
        CHECK(ready.processor->getCurrentProgram() == i);
        CHECK(ready.session().model(0).problem.isEmpty());
        CHECK(ready.session().notice().isEmpty());
    }
    ready.processor->setCurrentProgram(-1);
    ready.processor->setCurrentProgram(1000);
    CHECK(ready.processor->getProgramName(1000).isEmpty());
}

TEST_CASE("a preset file appears whole, and leaves the bypass alone", "[state]") {
    Ready ready;
    ready.session().restore(factory_preset(0));
    ready.parameters().mix->setValue(0.5f);
    const juce::TemporaryFile file(preset_extension);
    save_user_preset(file.getFile(), ready.session().state());
    ready.parameters().mix->setValue(1.0f);
    ready.parameters().bypass->setValue(1.0f);
    ready.processor->apply(read_user_preset(file.getFile()));
    CHECK(ready.parameters().mix->getValue() == 0.5f);
    CHECK(ready.parameters().bypass->on());
    CHECK(ready.session().preset_name() == file.getFile().getFileNameWithoutExtension());
    CHECK_THROWS_AS(save_user_preset(juce::File("/proc/nowhere/x.serpentpreset"), ready.session().state()), Error);
    file.getFile().replaceWithText("no preset");
    CHECK_THROWS_AS(read_user_preset(file.getFile()), Error);
}

TEST_CASE("a preset that was modified says so, also in the next session", "[state]") {
    Ready ready;
    ready.processor->setCurrentProgram(1);
    CHECK_FALSE(ready.session().preset_modified());
    ready.parameters().bypass->setValue(1.0f);
    CHECK_FALSE(ready.session().preset_modified());
    const float mix = ready.parameters().mix->getValue();
    ready.parameters().mix->setValue(0.125f);
    CHECK(ready.session().preset_modified());
    juce::MemoryBlock saved;
    ready.processor->getStateInformation(saved);
    Ready next;
    next.processor->setStateInformation(saved.getData(), static_cast<int>(saved.getSize()));
    CHECK(next.session().preset_modified());
    ready.parameters().mix->setValue(mix);
    CHECK_FALSE(ready.session().preset_modified());
    ready.session().clear_model(0);
    CHECK(ready.session().preset_modified());
    ready.session().set_preset(1, "mine");
    CHECK_FALSE(ready.session().preset_modified());
    ready.session().set_rate_options(true, 2);
    CHECK(ready.session().preset_modified());
}

TEST_CASE("what is no parameter marks the host's session as changed, when the user changes it", "[state]") {
    struct Host : juce::AudioProcessorListener {
        int changes = 0;
        void audioProcessorParameterChanged(juce::AudioProcessor*, int, float) override {}
        void audioProcessorChanged(juce::AudioProcessor*, const ChangeDetails& details) override { changes += details.nonParameterStateChanged; }
    };
    Ready ready;
    ready.settle();
    Host host;
    ready.processor->addListener(&host);
    const auto marked = [&](const auto& change) {
        host.changes = 0;
        change();
        ready.settle();
        return host.changes > 0;
    };
    Session& session = ready.session();
    CHECK(marked([&] { session.set_rate_options(true, 1); }));
    CHECK(marked([&] { session.set_rate_options(true, 4); }));
    CHECK(marked([&] { session.load_model(1, model_file("zamtube")); }));
    CHECK(marked([&] { session.clear_model(1); }));
    CHECK(marked([&] { session.clear_cabinet(); }));
    CHECK(marked([&] { session.copy_model(0, 1); }));
    CHECK(marked([&] { session.set_preset(0, "mine"); }));
    CHECK(marked([&] { ready.processor->apply(factory_preset(1)); }));
    juce::MemoryBlock state;
    ready.processor->getStateInformation(state);
    CHECK_FALSE(marked([&] { ready.processor->setStateInformation(state.getData(), static_cast<int>(state.getSize())); }));
    ready.processor->removeListener(&host);
}

TEST_CASE("a MIDI program change picks a preset", "[state]") {
    Ready ready;
    juce::MidiBuffer midi;
    midi.addEvent(juce::MidiMessage::programChange(1, 2), 0);
    juce::AudioBuffer<float> audio(1, 64);
    audio.clear();
    ready.processor->processBlock(audio, midi);
    for (int i = 0; i < 200 && ready.processor->getCurrentProgram() != 2; ++i) Ready::pump(10);
    CHECK(ready.processor->getCurrentProgram() == 2);
}
