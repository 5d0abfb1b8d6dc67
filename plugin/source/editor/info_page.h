// SPDX-License-Identifier: GPL-3.0-or-later
// All that is known about the model: where it is from, what it may be used for, how large and how good it is.
#pragma once

#include "editor/model_panel.h"
#include "library/capture.h"

#include <functional>
#include <memory>
#include <vector>

namespace serpent::plugin {

class InfoPage : public juce::Component {
public:
    explicit InfoPage(std::function<void()> close);
    void show(const Capture& capture);
    void paint(juce::Graphics&) override;
    void resized() override;
    bool keyPressed(const juce::KeyPress& key) override;

private:
    struct Row {
        juce::String name, value;
    };
    static std::vector<Row> rows_about(const Capture& capture);

    juce::String title_;
    std::vector<Row> rows_;
    juce::Label text_;  // for screen readers
    std::function<void()> close_;
    IconButton close_button_;
};

} // namespace serpent::plugin
