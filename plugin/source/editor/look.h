// SPDX-License-Identifier: GPL-3.0-or-later
// Colours, type and the drawing of controls.
#pragma once

#include <juce_gui_basics/juce_gui_basics.h>

#include <memory>

namespace serpent::plugin {

namespace colour {
inline const juce::Colour night{0xff0d1110}, panel{0xff161c1a}, raised{0xff1f2724}, edge{0xff2c3733}, track{0xff303b37};
inline const juce::Colour text{0xffe9ece6}, quiet{0xff97a39c}, faint{0xff7f8b85};
inline const juce::Colour brass{0xffe0b566}, brass_dark{0xff8f6f38};   // what one turns and chooses
inline const juce::Colour scale{0xff5fd6a0}, scale_dark{0xff2b7a5b};   // what sounds: levels, what is on
inline const juce::Colour amber{0xfff0a04b}, red{0xffec5f55};
} // namespace colour

enum class Weight { regular, strong };
juce::Font type(float height, Weight weight = Weight::regular);

/// A card that things stand on.
void draw_card(juce::Graphics& g, juce::Rectangle<float> area);

class Look : public juce::LookAndFeel_V4 {
public:
    Look();
    ~Look() override;

    /// On a component: a knob whose arc begins in the middle; a button without a frame; one that is a heading and opens a menu.
    static constexpr const char* bipolar = "bipolar";
    static constexpr const char* bare = "bare";
    static constexpr const char* title = "title";

    juce::Typeface::Ptr getTypefaceForFont(const juce::Font& font) override;
    juce::Font getTextButtonFont(juce::TextButton&, int height) override;
    juce::Font getPopupMenuFont() override;
    juce::Font getAlertWindowTitleFont() override { return type(18.0f, Weight::strong); }
    juce::Font getAlertWindowMessageFont() override { return type(14.0f); }
    juce::Font getAlertWindowFont() override { return type(14.5f); }
    int getAlertWindowButtonHeight() override { return 32; }
    juce::Font getLabelFont(juce::Label& label) override { return label.getFont(); }

    void drawRotarySlider(juce::Graphics&, int x, int y, int width, int height, float position, float start, float end, juce::Slider&) override;
    void drawButtonBackground(juce::Graphics&, juce::Button&, const juce::Colour&, bool over, bool down) override;
    void drawButtonText(juce::Graphics&, juce::TextButton&, bool over, bool down) override;
    void drawToggleButton(juce::Graphics&, juce::ToggleButton&, bool over, bool down) override;
    void drawPopupMenuBackgroundWithOptions(juce::Graphics&, int width, int height, const juce::PopupMenu::Options&) override;
    void drawAlertBox(juce::Graphics&, juce::AlertWindow&, const juce::Rectangle<int>& text_area, juce::TextLayout&) override;
    void drawTextEditorOutline(juce::Graphics&, int width, int height, juce::TextEditor&) override;
    void drawCornerResizer(juce::Graphics&, int width, int height, bool over, bool dragging) override;
    std::unique_ptr<juce::FocusOutline> createFocusOutlineForComponent(juce::Component&) override;

private:
    struct Keeper;
    std::unique_ptr<Keeper> keeper_;
};

} // namespace serpent::plugin
