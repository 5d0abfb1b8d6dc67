// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/checks.h"

#include <atomic>
#include <thread>

namespace serpent::test {

namespace {

std::unique_ptr<juce::AudioProcessorEditor> open(Hosted& hosted) {
    std::unique_ptr<juce::AudioProcessorEditor> editor(hosted.instance().createEditorIfNeeded());
    require(editor != nullptr, "no editor");
    editor->addToDesktop(juce::ComponentPeer::windowHasTitleBar);
    editor->setVisible(true);
    return editor;
}

/// JUCE's own LV2 host answers every change of the window's size with a message to the frame around the editor, and does not take
/// it back when the frame goes. So: ask the display something, for its events to arrive before the answer; let them become
/// messages; and wait for one of ours behind those.
void settle() {
    pump(20);
    juce::Desktop::getMousePosition();
    pump(20);
    bool done = false;
    juce::MessageManager::callAsync([&] { done = true; });
    while (!done) pump(1);
}

/// A hundred times, while another thread plays and models change.
void open_and_close(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.prepare({48000, 128, 2, 2});
    std::atomic<bool> stop{false};
    std::thread player([&] {
        const Planar in = music(2, 4800, 48000);
        while (!stop) hosted.play(in, Blocks::random(128, 1));
    });
    for (int i = 0; i < 100; ++i) {
        auto editor = open(hosted);
        if (i % 3 == 0) hosted.set_state(state_with(subject.model(i % 2 ? "scream" : "zamcomp_knobs")));
        pump(i % 10 == 0 ? 60 : 5);
        if (subject.format == Format::lv2) settle();
    }
    stop = true;
    player.join();
}

void resized(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.prepare({48000, 128, 2, 2});
    auto editor = open(hosted);
    pump(50);
    for (const auto& [width, height] : {std::pair{640, 400}, {3000, 300}, {200, 2000}, {1920, 1200}, {1, 1}}) {
        editor->setSize(width, height);
        pump(20);
    }
    if (subject.format == Format::lv2) settle();
}

/// A session from a larger screen.
void fits_the_screen(const Subject& subject) {
    Hosted hosted = subject.load();
    const juce::MemoryBlock state = hosted.plugin_state();
    auto xml = juce::AudioProcessor::getXmlFromBinary(state.getData(), static_cast<int>(state.getSize()));
    xml->setAttribute("editor_width", 2880);
    juce::MemoryBlock large;
    juce::AudioProcessor::copyXmlToBinary(*xml, large);
    hosted.set_plugin_state(large);
    auto editor = open(hosted);
    const auto screen = juce::Desktop::getInstance().getDisplays().getPrimaryDisplay()->userArea;
    require(editor->getWidth() > 960, "the size of the session is not restored");
    require(editor->getWidth() <= screen.getWidth() && editor->getHeight() <= screen.getHeight(), "the window is larger than the screen");
    if (subject.format == Format::lv2) settle();
}

} // namespace

std::vector<Check> editor_checks() {
    return {
        {"editor: opened and closed a hundred times", open_and_close},
        {"editor: any size", resized},
        {"editor: not larger than the screen", fits_the_screen},
    };
}

} // namespace serpent::test
