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
        // JUCE's own LV2 host posts messages to the frame around the editor and does not take them back when it goes.
        pump(i % 10 == 0 || subject.format == Format::lv2 ? 60 : 5);
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
}

} // namespace

std::vector<Check> editor_checks() {
    return {
        {"editor: opened and closed a hundred times", open_and_close},
        {"editor: any size", resized},
    };
}

} // namespace serpent::test
