// SPDX-License-Identifier: GPL-3.0-or-later
// Captures in the .nam format in the plugin: loaded, dropped, stepped through, kept in the session, beside a model of Serpent's own.
#include "editor/editor.h"
#include "processor_fixture.h"
#include "serpent/nam.h"
#include "serpent/stream.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::plugin;
using namespace serpent::test;

namespace {

juce::File capture_file(const std::string& name) { return juce::File(std::string(SERPENT_TEST_DATA) + "/nam/" + name + ".nam"); }

/// A folder with a capture and a model in it.
struct Folder {
    juce::File at = juce::File::createTempFile("captures");
    Folder() {
        at.createDirectory();
        capture_file("kernels").copyFileTo(at.getChildFile("a.nam"));
        model_file("scream").copyFileTo(at.getChildFile("b.safetensors"));
        capture_file("lstm").copyFileTo(at.getChildFile("c.nam"));
    }
    ~Folder() { at.deleteRecursively(); }
};

juce::Button* button(juce::Component& root, const juce::String& name) {
    for (juce::Component* child : root.getChildren()) {
        if (auto* found = dynamic_cast<juce::Button*>(child); found && found->getName() == name) return found;
        if (auto* found = button(*child, name)) return found;
    }
    return nullptr;
}

Samples played_alone(const juce::File& file, const Samples& in) {
    Stream stream(std::make_shared<const Model>(Model::load(file.getFullPathName().toStdString())));
    Samples out = in;
    float* channel = out.data();
    stream.process(&channel, &channel, static_cast<int>(out.size()));
    return out;
}

} // namespace

TEST_CASE("a capture is dropped, plays as in a Stream, and steps with its folder's models", "[nam]") {
    const Folder folder;
    Ready ready;
    Editor editor(*ready.processor);
    editor.filesDropped({folder.at.getChildFile("a.nam").getFullPathName()}, 0, 0);
    ready.settle();
    REQUIRE(ready.session().model(0).content);
    REQUIRE(ready.session().model(0).content->model->nam);
    CHECK(ready.session().model(0).problem.isEmpty());
    ready.processor->reset();
    const Samples in = sine(4096);
    CHECK(ready.play(in) == played_alone(folder.at.getChildFile("a.nam"), in));
    CHECK(ready.processor->getLatencySamples() == 0);

    juce::Button* next = button(editor, "Next model");
    REQUIRE(next);
    for (const char* name : {"b.safetensors", "c.nam", "a.nam"}) {
        next->onClick();
        ready.settle();
        REQUIRE(ready.session().model(0).content);
        CHECK(ready.session().model(0).content->file.path.endsWith(name));
    }
}

TEST_CASE("a session carries its captures, and plays them at the host's rate", "[nam]") {
    juce::MemoryBlock saved;
    const Samples in = sine(4096);
    Samples expected;
    {
        const juce::TemporaryFile file(".nam");
        capture_file("two_arrays").copyFileTo(file.getFile());
        Ready ready(44100.0);
        ready.session().load_model(0, file.getFile());
        ready.session().load_model(1, model_file("scream"));
        ready.settle();
        REQUIRE(ready.session().model(0).content);
        ready.processor->getStateInformation(saved);
        ready.processor->reset();
        expected = ready.play(in);
        Ready::pump(300);  // the host is told by a timer
        CHECK(ready.processor->getLatencySamples() > 0);
        CHECK(rms(expected, 1000) > 1e-4);
    }
    Ready again(44100.0);
    again.processor->setStateInformation(saved.getData(), static_cast<int>(saved.getSize()));
    again.settle();
    REQUIRE(again.session().model(0).content);
    CHECK(again.session().model(0).content->model->nam);
    CHECK(again.session().model(1).content);
    again.processor->reset();
    CHECK(again.play(in) == expected);
}

TEST_CASE("a faulty capture says what is wrong and leaves what plays", "[nam]") {
    const juce::TemporaryFile file(".nam");
    file.getFile().replaceWithText(capture_file("kernels").loadFileAsString().replace("\"kernel_sizes\"", "\"kernel_shapes\""));
    Ready ready;
    ready.session().load_model(0, model_file("scream"));
    ready.settle();
    ready.session().load_model(0, file.getFile());
    ready.settle();
    CHECK(ready.session().model(0).problem.contains("kernel_sizes"));
    CHECK(ready.session().model(0).content->title() == "Scream overdrive");
}

TEST_CASE("a capture too costly to measure is loaded at once, its loudness not known and its tail that of its reach", "[nam]") {
    // 1024 channels in as many groups: 15 million multiplications a sample, of a few thousand weights.
    const juce::String each = "{\"active\": true, \"groups\": 1024}";
    juce::String text = "{\"version\": \"0.7.0\", \"architecture\": \"WaveNet\", \"sample_rate\": 48000, \"config\": {\"layers\": [{\"input_size\": 1, "
                        "\"condition_size\": 1, \"channels\": 1024, \"dilations\": [1, 1, 1], \"kernel_size\": 4, \"head_size\": 1, "
                        "\"head_bias\": false, \"activation\": \"Tanh\", \"groups_input\": 1024, \"layer1x1\": " + each + "}]}, \"weights\": [0.001";
    const int weights = 1024 + 3 * (4 * 1024 + 1024 + 1024 + 1024 + 1024) + 1024 + 1;
    text << juce::String::repeatedString(",0.001", weights - 1) << "]}";
    const juce::MemoryBlock bytes(text.toRawUTF8(), text.getNumBytesAsUTF8());
    const double begin_ms = juce::Time::getMillisecondCounterHiRes();
    const auto capture = make_capture({"costly", {}, {}, {}}, bytes);
    CHECK(juce::Time::getMillisecondCounterHiRes() - begin_ms < 20000.0);  // playing two seconds of it takes minutes
    CHECK_FALSE(capture->loudness_known);
    CHECK_FALSE(capture->loudness_measured);
    CHECK(capture->loudness_db == -18.0);
    CHECK(capture->tail_s == capture->memory_s);
    CHECK(read_capture(capture_file("kernels"))->loudness_known);
}
