// SPDX-License-Identifier: GPL-3.0-or-later
// Loading by hand: in the background, faded in, and never at the price of the sound that plays.
#include "library/capture.h"
#include "processor_fixture.h"
#include "realtime/watch.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::plugin;
using namespace serpent::test;

TEST_CASE("a model loads in the background and brings its knobs", "[session]") {
    Ready ready;
    ready.session().load_model(0, model_file("zamcomp_knobs"));
    ready.settle();
    const auto held = ready.session().model(0);
    REQUIRE(held.content);
    CHECK(held.problem.isEmpty());
    CHECK(held.content->file.sha256 == sha256_of(read_bytes(model_file("zamcomp_knobs"))));
    const auto& controls = ready.parameters().controls[0];
    const Control& first = held.content->model->config.controls[0];
    CHECK(controls[0]->used());
    CHECK(controls[0]->getName(64) == "A " + juce::String(first.name));
    CHECK(controls[0]->model_value() == Approx(first.default_value));
    CHECK_FALSE(controls[7]->used());
    ready.session().load_model(0, model_file("scream"));
    ready.settle();
    CHECK_FALSE(controls[0]->used());
    CHECK(controls[0]->getName(64) == "A Control 1");
}

TEST_CASE("of many requests the last one wins", "[session]") {
    Ready ready;
    for (const char* name : {"scream", "opto", "zamtube", "fuzzface"}) ready.session().load_model(0, model_file(name));
    ready.settle();
    CHECK(ready.session().model(0).content->file.path == model_file("fuzzface").getFullPathName());
    CHECK_FALSE(ready.session().model(0).loading);
}

TEST_CASE("a bad model or response leaves the old sound and says why", "[session]") {
    Ready ready;
    ready.session().load_model(0, model_file("zamtube"));
    ready.settle();
    const Samples in = sine(4000);
    ready.processor->reset();
    const Samples before = ready.play(in);

    const juce::TemporaryFile bad(".safetensors"), text(".wav"), long_response(".wav"), silent(".wav");
    bad.getFile().replaceWithText("not a model");
    text.getFile().replaceWithText("not audio");
    write_audio(long_response.getFile().getFullPathName().toStdString(), AudioBuffer{8000, {Samples(8000 * 11, 0.1f)}, {}}, Subtype::pcm16);
    write_audio(silent.getFile().getFullPathName().toStdString(), AudioBuffer{48000, {Samples(100, 0.0f)}, {}}, Subtype::pcm16);
    for (const juce::File& file : {bad.getFile(), juce::File("/nowhere/x.safetensors"), juce::File("/tmp")}) {
        ready.session().load_model(0, file);
        ready.settle();
        CHECK(ready.session().model(0).problem.contains(file.getFileName()));
        CHECK(ready.session().model(0).content->file.path == model_file("zamtube").getFullPathName());
    }
    for (const juce::File& file : {text.getFile(), long_response.getFile(), silent.getFile(), juce::File("/nowhere/x.wav")}) {
        ready.session().load_cabinet(file);
        ready.settle();
        CHECK(ready.session().cabinet().problem.contains(file.getFileName()));
        CHECK(ready.session().cabinet().content == nullptr);
    }
    ready.processor->reset();
    CHECK((ready.play(in) == before));
    ready.session().dismiss_problems();
    CHECK(ready.session().model(0).problem.isEmpty());
}

TEST_CASE("of many problems the newest is told, and the others after it", "[session]") {
    Ready ready;
    const auto newest = [&] { return ready.session().newest_problem(); };
    CHECK(newest().isEmpty());
    ready.session().load_model(1, juce::File("/nowhere/first.safetensors"));
    ready.settle();
    CHECK(newest().contains("first"));
    ready.session().set_notice("second");
    CHECK(newest() == "second");
    ready.session().load_cabinet(juce::File("/nowhere/third.wav"));
    ready.settle();
    CHECK(newest().contains("third"));
    ready.session().load_model(0, juce::File("/nowhere/fourth.safetensors"));
    ready.settle();
    CHECK(newest().contains("fourth"));
    ready.session().load_model(1, juce::File("/nowhere/fifth.safetensors"));
    ready.settle();
    CHECK(newest().contains("fifth"));
    ready.processor->prepareToPlay(48000, 256);
    CHECK(newest().contains("fifth"));
    ready.session().load_model(1, model_file("scream"));
    ready.settle();
    CHECK(newest().contains("fourth"));
    ready.session().clear_model(0);
    CHECK(newest().contains("third"));
    ready.session().dismiss_problems();
    CHECK(newest().isEmpty());
}

TEST_CASE("the tail is what is heard when the input falls silent, and telling it takes no lock", "[session]") {
    Ready ready;
    CHECK(ready.processor->getTailLengthSeconds() == 0.0);
    for (const char* name : {"scream", "zamtube", "fuzzface", "opto", "zamcomp"}) {
        CAPTURE(name);
        ready.session().load_model(0, model_file(name));
        ready.settle();
        double tail_s = 0.0;
        CHECK(forbidden_calls([&] { tail_s = ready.processor->getTailLengthSeconds(); }) == std::vector<std::string>{});
        CHECK(tail_s <= 2.0);  // their slowest states last for minutes
        ready.processor->reset();
        const Samples loud = ready.play(sine(24000, 0.35)), silence = ready.play(Samples(24000 + static_cast<std::size_t>(48000.0 * tail_s), 0.0f));
        double drift = ready.play(Samples(1, 0.0f))[0], heard = 0.0;  // below and above 20 Hz
        for (std::size_t t = silence.size(); t-- > static_cast<std::size_t>(48000.0 * tail_s);) {
            drift += 0.0026 * (silence[t] - drift);
            heard = std::max(heard, std::abs(silence[t] - drift));
        }
        CHECK(heard <= 3e-4 * rms(loud));  // 90 dB below the loudest peak of noise, which is some 20 above a tone's rms
    }
    ready.session().clear_model(0);
    CHECK(ready.processor->getTailLengthSeconds() == 0.0);
}

TEST_CASE("a missing model is kept, and found again with its knobs as they were", "[session]") {
    plugin::State state;
    const auto capture = read_capture(model_file("zamcomp_knobs"));
    state.models[0] = capture->file;
    state.models[0].bytes.reset();
    state.models[0].path = "/nowhere/comp.safetensors";
    state.parameters = {{"a_control_1", 0.3f}, {"a_control_2", 0.9f}};
    Ready ready;
    ready.session().restore(state);
    CHECK(ready.session().model(0).problem.contains("comp"));
    CHECK(ready.session().state().models[0].sha256 == capture->file.sha256);
    ready.session().relink_model(0, model_file("zamcomp_knobs"));
    ready.settle();
    REQUIRE(ready.session().model(0).content);
    CHECK(ready.parameters().controls[0][0]->getValue() == 0.3f);
    CHECK(ready.parameters().controls[0][1]->getValue() == 0.9f);
}

TEST_CASE("a file that changed since is not loaded in silence", "[session]") {
    const juce::TemporaryFile file(".safetensors");
    model_file("scream").copyFileTo(file.getFile());
    plugin::State state;
    state.models[0] = read_capture(file.getFile())->file;
    state.models[0].bytes.reset();
    model_file("opto").copyFileTo(file.getFile());
    Ready ready;
    ready.session().restore(state);
    CHECK(ready.session().model(0).content == nullptr);
    CHECK(ready.session().model(0).problem.contains("no longer"));
}

TEST_CASE("a stereo model on a mono track is refused in words, and plays when the track is stereo", "[session]") {
    const juce::File stereo(std::string(SERPENT_TEST_DATA) + "/models/stereo_6_12_4_2.safetensors");
    plugin::State state;
    state.models[0] = read_capture(stereo)->file;
    Ready ready;
    ready.session().restore(state);
    CHECK(ready.session().model(0).problem.contains("2 channels"));
    juce::AudioProcessor::BusesLayout layout;
    layout.inputBuses.add(juce::AudioChannelSet::stereo());
    layout.outputBuses.add(juce::AudioChannelSet::stereo());
    REQUIRE(ready.processor->setBusesLayout(layout));
    ready.processor->prepareToPlay(48000, 256);
    CHECK(ready.session().model(0).content != nullptr);
}

TEST_CASE("the channel layouts are one or two, and one to two", "[session]") {
    Ready ready;
    const auto set = [](int n) { return juce::AudioChannelSet::canonicalChannelSet(n); };
    for (int in = 0; in <= 3; ++in)
        for (int out = 0; out <= 3; ++out) {
            juce::AudioProcessor::BusesLayout layout;
            layout.inputBuses.add(set(in));
            layout.outputBuses.add(set(out));
            CAPTURE(in, out);
            CHECK(ready.processor->checkBusesLayoutSupported(layout) == ((in == 1 && out == 1) || (in == 1 && out == 2) || (in == 2 && out == 2)));
        }
}
