// SPDX-License-Identifier: GPL-3.0-or-later
// Undo, redo, and the copy from one slot to the other.
#include "editor/editor.h"
#include "processor_fixture.h"

#include <catch2/catch.hpp>

using namespace serpent::plugin;
using namespace serpent::test;

TEST_CASE("what the hand turned is taken back and brought back, and what the host set is not", "[edits]") {
    Ready ready;
    Parameters& p = ready.parameters();
    Edits& edits = ready.processor->edits();
    CHECK(edits.next_undo().isEmpty());
    const float input = p.input_db->getValue();
    set_by_user(*p.input_db, 0.7f);
    p.output_db->setValueNotifyingHost(0.9f);  // automation
    set_by_user(*p.mix, 0.25f);
    set_by_user(*p.mix, 0.5f);  // at once: one edit with the last
    CHECK(edits.next_undo() == "Mix");
    edits.undo();
    CHECK(p.mix->getValue() == 1.0f);
    CHECK(edits.next_redo() == "Mix");
    edits.undo();
    CHECK(p.input_db->getValue() == input);
    CHECK(edits.next_undo().isEmpty());
    edits.undo();
    edits.redo(), edits.redo(), edits.redo();
    CHECK(p.input_db->getValue() == 0.7f);
    CHECK(p.mix->getValue() == 0.5f);
    CHECK(p.output_db->getValue() == 0.9f);

    set_by_user(*p.mix, 0.5f);  // nothing changed: no edit
    edits.undo();
    CHECK(p.mix->getValue() == 1.0f);
}

TEST_CASE("a model and a preset are taken back whole", "[edits]") {
    Ready ready;
    Edits& edits = ready.processor->edits();
    Editor editor(*ready.processor);
    const juce::StringArray comp{model_file("zamcomp_knobs").getFullPathName()}, scream{model_file("scream").getFullPathName()};
    const auto name = [&] {
        const auto held = ready.session().model(0);
        return held.content ? held.content->file.name : juce::String();
    };
    const auto drop = [&](const juce::StringArray& files) { editor.filesDropped(files, 0, 0), ready.settle(); };
    drop(comp);
    auto* knob = ready.parameters().controls[0][0];
    set_by_user(*knob, 0.9f);
    drop(scream);
    CHECK(name() == "scream");
    CHECK(edits.next_undo() == "model scream");
    edits.undo(), ready.settle();
    CHECK(name() == "zamcomp_knobs");
    CHECK(knob->getValue() == 0.9f);
    CHECK(knob->used());
    edits.redo(), ready.settle();
    CHECK(name() == "scream");
    edits.undo(), edits.undo(), ready.settle();
    CHECK(name() == "zamcomp_knobs");
    CHECK(knob->getValue() == knob->getDefaultValue());
    CHECK(editor.keyPressed(juce::KeyPress('z', juce::ModifierKeys::commandModifier, 0)));
    ready.settle();
    CHECK(name().isEmpty());
    CHECK(editor.keyPressed(juce::KeyPress('y', juce::ModifierKeys::commandModifier, 0)));
    ready.settle();
    CHECK(name() == "zamcomp_knobs");

    juce::MemoryBlock session;
    ready.processor->getStateInformation(session);
    ready.processor->setStateInformation(session.getData(), static_cast<int>(session.getSize()));
    CHECK(edits.next_undo().isEmpty());  // they were another session's
    CHECK(edits.next_redo().isEmpty());
}

TEST_CASE("A is copied to B, knobs and all", "[edits]") {
    Ready ready;
    ready.session().load_model(0, model_file("zamcomp_knobs"));
    ready.settle();
    auto& controls = ready.parameters().controls;
    set_by_user(*controls[0][0], 0.9f), set_by_user(*controls[0][1], 0.2f);
    const Samples in = sine(24000);
    ready.play(in);
    const Samples a = ready.play(in);
    ready.session().copy_model(0, 1);
    ready.settle();
    REQUIRE(ready.session().model(1).content);
    CHECK(ready.session().model(1).content->file.name == "zamcomp_knobs");
    CHECK(ready.session().model(1).content->file.sha256 == ready.session().model(0).content->file.sha256);
    CHECK(controls[1][0]->getValue() == 0.9f);
    CHECK(controls[1][1]->getValue() == 0.2f);
    CHECK(controls[1][0]->getName(100) == "B " + juce::String(controls[0][0]->control().name));
    CHECK(controls[0][0]->getValue() == 0.9f);
    ready.parameters().slot->setValue(1.0f);
    for (int i = 0; i < 8; ++i) ready.play(in);  // both settle
    const Samples b = ready.play(in);
    CHECK(rms(b) == Approx(rms(a)).epsilon(0.02));
    ready.session().copy_model(0, 0);  // of no use, and no harm
    ready.session().clear_model(0);
    ready.session().copy_model(0, 1);
    ready.settle();
    CHECK_FALSE(ready.session().model(1).content);
}
