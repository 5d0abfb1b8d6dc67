// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/window.h"

#include <poll.h>
#include <unistd.h>

#include <cstdio>

namespace serpent::test {

namespace {

/// 'c' when standard input is closed, 0 when nothing has come.
char asked() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 0) <= 0) return 0;
    char byte;
    return ::read(STDIN_FILENO, &byte, 1) <= 0 ? 'c' : byte;
}

std::unique_ptr<juce::AudioProcessorEditor> open(Hosted& hosted) {
    std::unique_ptr<juce::AudioProcessorEditor> editor(hosted.instance().createEditorIfNeeded());
    require(editor != nullptr, "no editor");
    editor->setName("Serpent");
    editor->addToDesktop(juce::ComponentPeer::windowHasTitleBar);
    editor->setTopLeftPosition(60, 60);
    editor->setVisible(true);
    std::printf("open %d %d\n", editor->getWidth(), editor->getHeight());
    return editor;
}

/// The model of slot A, by the state that the host would save.
juce::String model_name(Hosted& hosted) {
    const juce::MemoryBlock state = hosted.plugin_state();
    const auto xml = juce::AudioProcessor::getXmlFromBinary(state.getData(), static_cast<int>(state.getSize()));
    return xml ? plugin::from_xml(*xml).models[0].name : juce::String("no state");
}

} // namespace

int show_window(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("zamcomp_knobs")));
    hosted.prepare({48000, 512, 2, 2});
    auto editor = open(hosted);
    const Planar sound = music(2, 1600, 48000);
    std::vector<float> seen(static_cast<std::size_t>(hosted.instance().getParameters().size()), -1.0f);
    for (char order = 0; order != 'c'; order = asked()) {
        if (order == 'r') {  // at once, whatever is under way
            editor.reset();
            std::printf("without an editor\n");
            for (int i = 0; i < 10; ++i) hosted.play(sound, Blocks::of({512})), pump(30);
            std::printf("model %s\n", model_name(hosted).toRawUTF8());
            editor = open(hosted);
        }
        hosted.play(sound, Blocks::of({512}));
        pump(30);
        for (std::size_t i = 0; i < seen.size(); ++i) {
            auto* parameter = hosted.instance().getParameters()[static_cast<int>(i)];
            if (parameter->getValue() == seen[i]) continue;
            seen[i] = parameter->getValue();
            std::printf("%s %.4f\n", parameter->getName(64).toRawUTF8(), static_cast<double>(seen[i]));
        }
        std::fflush(stdout);
    }
    pump(100);
    editor.reset();
    std::puts("closed");
    return 0;
}

} // namespace serpent::test
