// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/window.h"

#include <poll.h>
#include <unistd.h>

#include <cstdio>

namespace serpent::test {

namespace {

bool input_closed() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 0) <= 0) return false;
    char byte;
    return ::read(STDIN_FILENO, &byte, 1) <= 0;
}

} // namespace

int show_window(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("zamcomp_knobs")));
    hosted.prepare({48000, 512, 2, 2});
    std::unique_ptr<juce::AudioProcessorEditor> editor(hosted.instance().createEditorIfNeeded());
    if (!editor) return 1;
    editor->setName("Serpent");
    editor->addToDesktop(juce::ComponentPeer::windowHasTitleBar);
    editor->setTopLeftPosition(60, 60);
    editor->setVisible(true);
    const Planar sound = music(2, 1600, 48000);
    std::vector<float> seen(static_cast<std::size_t>(hosted.instance().getParameters().size()), -1.0f);
    std::printf("open %d %d\n", editor->getWidth(), editor->getHeight());
    while (!input_closed()) {
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
