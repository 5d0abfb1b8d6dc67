// SPDX-License-Identifier: GPL-3.0-or-later
// The window.
#pragma once

#include "editor/actions.h"
#include "editor/header.h"
#include "editor/info_page.h"
#include "editor/look.h"
#include "editor/model_panel.h"
#include "editor/strip.h"

namespace serpent::plugin {

class Editor : public juce::AudioProcessorEditor,
               public juce::FileDragAndDropTarget,
               public juce::TextDragAndDropTarget,
               private juce::ChangeListener,
               private juce::Timer {
public:
    static constexpr int base_width = 960, base_height = 600;

    explicit Editor(Processor& owner);
    ~Editor() override;

    void paint(juce::Graphics&) override;
    void paintOverChildren(juce::Graphics&) override;
    void resized() override;
    void mouseUp(const juce::MouseEvent&) override;

    bool keyPressed(const juce::KeyPress& key) override;

    // Whatever is dropped is taken, if only to say why it is of no use: JUCE on X11 offers nothing more to a window that has once
    // refused a drop.
    bool isInterestedInFileDrag(const juce::StringArray&) override { return true; }
    void fileDragEnter(const juce::StringArray&, int, int) override { show_drop(true); }
    void fileDragExit(const juce::StringArray&) override { show_drop(false); }
    void filesDropped(const juce::StringArray& files, int x, int y) override;
    bool isInterestedInTextDrag(const juce::String&) override { return true; }
    void textDragEnter(const juce::String&, int, int) override { show_drop(true); }
    void textDragExit(const juce::String&) override { show_drop(false); }
    void textDropped(const juce::String& text, int x, int y) override;

    double scale() const { return static_cast<double>(getWidth()) / base_width; }
    /// That fits the screen, with some room for a host's frame.
    double largest_scale() const;
    /// At most the largest. Kept for this session and the next new one.
    void set_scale(double factor);
    void show_info();
    /// What the timer does: shows what changed in the last `seconds`. Returns whether anything did.
    bool look_at_levels(double seconds);

private:
    void changeListenerCallback(juce::ChangeBroadcaster*) override { update(); }
    void timerCallback() override;
    void look_often();
    void keep_focus_where_clicked();
    void update();
    void show_drop(bool over);

    Processor& processor_;
    juce::SharedResourcePointer<Look> look_;
    juce::SharedResourcePointer<Settings> settings_;
    Actions actions_;
    juce::Component face_;  // everything at the base size, scaled as a whole
    Header header_;
    ModelPanel model_;
    Strip strip_;
    StatusLine status_;
    Banner banner_;
    InfoPage info_;
    juce::TooltipWindow tooltips_;
    bool drop_ = false, built_ = false;
    double last_look_s_ = 0.0, still_for_s_ = 0.0;
    juce::Component::SafePointer<juce::Component> clicked_;
    int looks_since_click_ = 0;
};

} // namespace serpent::plugin
