// SPDX-License-Identifier: GPL-3.0-or-later
// The editor drawn without a display: pictures to look at, names to be read out, and no control that cannot be reached.
#include "editor/editor.h"
#include "processor_fixture.h"
#include "serpent/audio_file.h"

#include <catch2/catch.hpp>

#include <set>

using namespace serpent::plugin;
using namespace serpent::test;

namespace {

void for_each(juce::Component& component, const std::function<void(juce::Component&)>& see) {
    for (juce::Component* child : component.getChildren()) {
        see(*child);
        for_each(*child, see);
    }
}

juce::Component* named(juce::Component& root, const juce::String& name) {
    juce::Component* found = nullptr;
    for_each(root, [&](juce::Component& c) { if (!found && c.getName() == name && !dynamic_cast<Knob*>(&c)) found = &c; });
    return found;
}

/// Written where the build keeps its pictures.
juce::Image picture(Editor& editor, const juce::String& name) {
    Ready::pump(60);
    const juce::Image image = editor.createComponentSnapshot(editor.getLocalBounds(), true, 1.0f);
    const juce::File folder(SERPENT_PICTURES);
    folder.createDirectory();
    const juce::File file = folder.getChildFile(name + ".png");
    file.deleteFile();
    juce::FileOutputStream stream(file);
    REQUIRE(juce::PNGImageFormat().writeImageToStream(image, stream));
    return image;
}

/// How many different colours a picture has: an editor that draws nothing has few.
std::size_t colours(const juce::Image& image) {
    std::set<juce::uint32> seen;
    for (int y = 0; y < image.getHeight(); y += 3)
        for (int x = 0; x < image.getWidth(); x += 3) seen.insert(image.getPixelAt(x, y).getARGB());
    return seen.size();
}

void play_a_while(Ready& ready, Editor& editor) {
    for (int i = 0; i < 240; ++i) {  // 8 s of sound in a hurry: as many looks at the levels as the timer would take
        ready.play(sine(1600, i % 60 < 25 ? 0.4 : 0.05 * std::exp(-0.02 * (i % 60))));
        editor.look_at_levels(1.0 / 30.0);
    }
}

} // namespace

TEST_CASE("pictures of the editor at 100 % and 200 %", "[editor]") {
    Ready ready;
    ready.session().load_model(0, model_file("zamcomp_knobs"));
    ready.session().load_model(1, model_file("scream"));
    ready.settle();
    ready.processor->editor_width = Editor::base_width;
    Editor editor(*ready.processor);
    CHECK(editor.getWidth() == Editor::base_width);
    for (auto* toggle : {ready.parameters().gate_on, ready.parameters().eq_on}) toggle->setValue(1.0f);
    Parameters& p = ready.parameters();
    p.eq_low_db->setValue(0.65f), p.eq_mid_db->setValue(0.4f), p.eq_high_db->setValue(0.6f);
    ready.session().set_preset(0, "Compressor, Two Knobs");
    play_a_while(ready, editor);
    CHECK(colours(picture(editor, "editor_100")) > 200);
    editor.set_scale(2.0);
    CHECK(editor.getWidth() == 2 * Editor::base_width);
    CHECK(ready.processor->editor_width == 2 * Editor::base_width);
    CHECK(colours(picture(editor, "editor_200")) > 200);
    editor.set_scale(1.0);
    editor.show_info();
    picture(editor, "editor_info");
}

TEST_CASE("pictures of a model without knobs, and of a missing one", "[editor]") {
    Ready ready;
    ready.session().load_model(0, model_file("zamtube"));
    ready.settle();
    ready.processor->editor_width = Editor::base_width;
    Editor editor(*ready.processor);
    play_a_while(ready, editor);
    picture(editor, "editor_no_knobs");
    State state = ready.session().state();
    state.models[0].bytes.reset();
    state.models[0].path = "/captures/gone.safetensors";
    ready.session().restore(state);
    picture(editor, "editor_missing");
}

TEST_CASE("pictures of a model with eight knobs and long texts", "[editor]") {
    serpent::Model model = serpent::Model::load(model_file("zamcomp_knobs").getFullPathName().toStdString());
    model.metadata.name = "A valve amplifier with a name that is far too long for the line that it is to stand on";
    model.metadata.description = model.metadata.name + ", and a description that does not fit either, however wide the window is made";
    const serpent::Control first = model.config.controls[0];
    model.config.controls.clear();
    for (const char* name : {"Gain", "Bass", "Middle", "Treble", "Presence", "Resonance", "Master volume", "Attack of the compressor"}) {
        model.config.controls.push_back(first);
        model.config.controls.back().name = name;
    }
    lay_out(model.config, model.weights, [](const serpent::TensorRef& t) { return !t.data.empty(); });
    const juce::TemporaryFile file(".safetensors");
    model.save(file.getFile().getFullPathName().toStdString());
    Ready ready;
    ready.session().load_model(0, file.getFile());
    ready.settle();
    REQUIRE(ready.session().model(0).content);
    CHECK(ready.parameters().controls[0][7]->used());
    ready.processor->editor_width = Editor::base_width;
    Editor editor(*ready.processor);
    play_a_while(ready, editor);
    CHECK(named(editor, "Attack of the compressor of model A"));
    picture(editor, "editor_eight_knobs");
    editor.set_scale(2.0);
    picture(editor, "editor_eight_knobs_200");
}

TEST_CASE("every control has a name for screen readers and takes the keyboard", "[editor]") {
    Ready ready;
    ready.session().load_model(0, model_file("zamcomp_knobs"));
    ready.settle();
    set_by_user(*ready.parameters().mix, 0.1f), set_by_user(*ready.parameters().input_db, 0.1f);
    ready.processor->edits().undo();  // so that there is something to undo and to redo
    Editor editor(*ready.processor);
    int controls = 0;
    for_each(editor, [&](juce::Component& component) {
        const bool control = dynamic_cast<juce::Button*>(&component) || dynamic_cast<juce::Slider*>(&component);
        if (!control || !component.isVisible() || !component.getParentComponent()->isVisible()) return;
        ++controls;
        CAPTURE(component.getName().toStdString());
        CHECK((component.getTitle().isNotEmpty() || component.getName().isNotEmpty()));
        CHECK(component.getWantsKeyboardFocus());
        const auto* tip = dynamic_cast<juce::TooltipClient*>(&component);
        REQUIRE(tip);
        CHECK(const_cast<juce::TooltipClient*>(tip)->getTooltip().isNotEmpty());
    });
    CHECK(controls >= 30);
}

TEST_CASE("controls and parameters follow each other", "[editor]") {
    Ready ready;
    Editor editor(*ready.processor);
    auto* mix = dynamic_cast<juce::Slider*>(named(editor, "Mix"));
    REQUIRE(mix);
    mix->setValue(0.25, juce::sendNotificationSync);
    CHECK(ready.parameters().mix->getValue() == 0.25f);
    ready.parameters().mix->setValue(0.75f);
    for (int i = 0; i < 100 && mix->getValue() != 0.75; ++i) Ready::pump(10);
    CHECK(mix->getValue() == 0.75);
    CHECK(mix->keyPressed(juce::KeyPress(juce::KeyPress::downKey)));
    CHECK(ready.parameters().mix->getValue() < 0.75f);
    auto* gate = dynamic_cast<juce::Button*>(named(editor, "Gate on"));
    REQUIRE(gate);
    gate->triggerClick();
    for (int i = 0; i < 100 && !ready.parameters().gate_on->on(); ++i) Ready::pump(10);
    CHECK(ready.parameters().gate_on->on());
}

TEST_CASE("an editor may close while its model loads", "[editor]") {
    Ready ready;
    for (int i = 0; i < 20; ++i) {
        auto editor = std::make_unique<Editor>(*ready.processor);
        ready.session().load_model(0, model_file(i % 2 ? "scream" : "zamcomp_knobs"));
        Ready::pump(i % 3);
    }
    ready.settle();
    CHECK(ready.session().model(0).content);
}

TEST_CASE("files dropped on the window", "[editor]") {
    Ready ready;
    Editor editor(*ready.processor);
    const juce::TemporaryFile impulse(".wav"), broken(".safetensors"), broken_impulse(".wav");
    serpent::write_audio(impulse.getFile().getFullPathName().toStdString(), serpent::AudioBuffer{48000, {sine(256)}, serpent::Subtype::float32},
                         serpent::Subtype::float32);
    for (const auto* file : {&broken, &broken_impulse}) REQUIRE(file->getFile().replaceWithText("neither a model nor a sound"));
    const juce::String model = model_file("scream").getFullPathName();

    const auto drop = [&](const juce::StringArray& files) {
        editor.fileDragEnter(files, 300, 200);
        editor.filesDropped(files, 300, 200);
        ready.settle();
    };
    drop({model});
    REQUIRE(ready.session().model(0).content);
    CHECK(ready.session().model(0).content->file.path == model);
    drop({impulse.getFile().getFullPathName()});
    REQUIRE(ready.session().cabinet().content);
    CHECK(ready.session().cabinet().content->file.path == impulse.getFile().getFullPathName());

    // What cannot be used says so and leaves what plays.
    drop({broken.getFile().getFullPathName()});
    CHECK(ready.session().model(0).problem.contains(broken.getFile().getFileName()));
    REQUIRE(ready.session().model(0).content);
    CHECK(ready.session().model(0).content->file.path == model);
    drop({broken_impulse.getFile().getFullPathName()});
    CHECK(ready.session().cabinet().problem.contains(broken_impulse.getFile().getFileName()));
    CHECK(ready.session().cabinet().content);
    drop({"/gone/away.serpentpreset"});
    CHECK(ready.session().notice().contains("away.serpentpreset"));
    drop({"/gone/away.safetensors"});
    CHECK(ready.session().model(0).problem.contains("away.safetensors"));
    drop({});
    CHECK(ready.session().model(0).content->file.path == model);
}

TEST_CASE("what cannot be used is taken too, says why, and leaves the window open for the next", "[editor]") {
    Ready ready;
    Editor editor(*ready.processor);
    const juce::String model = model_file("zamcomp_knobs").getFullPathName();
    const auto drop = [&](const juce::StringArray& files) {
        REQUIRE(editor.isInterestedInFileDrag(files));  // JUCE on X11 offers nothing more to what once refused
        editor.fileDragEnter(files, 300, 200);
        editor.filesDropped(files, 300, 200);
        ready.settle();
        return ready.session().notice();
    };
    CHECK(drop({"/pictures/amplifier.png"}).contains("\"amplifier.png\" cannot be used here"));
    CHECK(drop({SERPENT_ASSETS}).contains("is a folder"));
    CHECK(drop({model, model}).contains("one file at a time"));
    REQUIRE(editor.isInterestedInTextDrag("words"));
    editor.textDropped("words", 300, 200);
    CHECK(ready.session().notice().contains("Drop a file"));
    editor.textDropped(juce::URL(juce::File(model)).toString(false) + "\r\n", 300, 200);
    ready.settle();
    REQUIRE(ready.session().model(0).content);
    CHECK(ready.session().model(0).content->file.path == model);
    drop({"/pictures/amplifier.png"});
    ready.parameters().slot->setValue(1.0f);
    drop({model});
    CHECK(ready.session().model(1).content);
}

TEST_CASE("an editor that shows what stands still draws nothing anew", "[editor]") {
    Ready ready;
    ready.session().load_model(0, model_file("zamcomp_knobs"));
    ready.settle();
    Editor editor(*ready.processor);
    const auto looks_moved = [&](int looks, double amplitude) {
        int moved = 0;
        for (int i = 0; i < looks; ++i) {
            ready.play(sine(1600, amplitude));
            moved += editor.look_at_levels(1.0 / 30.0) ? 1 : 0;
        }
        return moved;
    };
    CHECK(looks_moved(60, 0.5) == 60);
    looks_moved(400, 0.0);  // the levels fall, and the history runs out of the picture
    CHECK(looks_moved(30, 0.0) == 0);
    ready.parameters().mix->setValue(0.3f);
    CHECK(looks_moved(1, 0.0) == 1);
    CHECK(looks_moved(30, 0.0) == 0);
    CHECK(looks_moved(1, 0.5) == 1);  // also after an overload, whose lamp stays lit
    ready.play(sine(1600, 8.0));
    looks_moved(400, 0.0);
    CHECK(looks_moved(30, 0.0) == 0);
}

TEST_CASE("the bottom line says that the output guard works, for some seconds, and that it is off", "[editor]") {
    Ready ready;
    Editor editor(*ready.processor);
    StatusLine* line = nullptr;
    for_each(editor, [&](juce::Component& c) { line = line ? line : dynamic_cast<StatusLine*>(&c); });
    REQUIRE(line);
    const auto shown_after = [&](double amplitude) {
        ready.play(sine(4800, amplitude));
        editor.look_at_levels(1.0);
        return line->guard();
    };
    CHECK(shown_after(1.0).isEmpty());
    CHECK(shown_after(10.0).contains("+12 dBFS"));
    picture(editor, "editor_guard");
    for (int i = 0; i < 2; ++i) CHECK(shown_after(1.0).contains("+12 dBFS"));
    for (int i = 0; i < 20; ++i) shown_after(1.0);  // its gain takes a second to be 1 again
    CHECK(shown_after(1.0).isEmpty());
    ready.parameters().guard->setValue(0.0f);
    CHECK(shown_after(10.0).contains("off"));
}
