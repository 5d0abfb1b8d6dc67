// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/look.h"

#include "factory_data.h"

namespace serpent::plugin {

namespace {

constexpr float card_radius = 8.0f;

/// The typefaces that come with the build, if they do. They go before JUCE does, which a static would not.
struct Faces {
    Faces() {
        for (int i = 0; i < factory_data::namedResourceListSize; ++i) {
            const char* name = factory_data::namedResourceList[i];
            const juce::String file = factory_data::getNamedResourceOriginalFilename(name);
            int size = 0;
            const char* data = factory_data::getNamedResource(name, size);
            if (file == "Inter-Regular.otf") regular = juce::Typeface::createSystemTypefaceFor(data, static_cast<std::size_t>(size));
            if (file == "Inter-SemiBold.otf") strong = juce::Typeface::createSystemTypefaceFor(data, static_cast<std::size_t>(size));
        }
    }
    juce::Typeface::Ptr regular, strong;
};

/// Null: the system's.
juce::Typeface::Ptr typeface(Weight weight) {
    const juce::SharedResourcePointer<Faces> faces;
    return weight == Weight::strong ? faces->strong : faces->regular;
}

} // namespace

juce::Font type(float height, Weight weight) {
    if (const auto face = typeface(weight)) return juce::Font(face).withHeight(height);
    return juce::Font(height, weight == Weight::strong ? juce::Font::bold : juce::Font::plain);
}

void draw_card(juce::Graphics& g, juce::Rectangle<float> area) {
    g.setGradientFill(juce::ColourGradient::vertical(colour::raised.interpolatedWith(colour::panel, 0.55f), area.getY(), colour::panel,
                                                     area.getBottom()));
    g.fillRoundedRectangle(area, card_radius);
    g.setColour(colour::edge);
    g.drawRoundedRectangle(area.reduced(0.5f), card_radius, 1.0f);
}

struct Look::Keeper {
    juce::SharedResourcePointer<Faces> faces;  // made once for all of an editor's life
};

Look::~Look() = default;

Look::Look() : keeper_(std::make_unique<Keeper>()) {
    using juce::PopupMenu, juce::TextButton, juce::Label, juce::TextEditor, juce::Slider;
    setColour(PopupMenu::backgroundColourId, colour::raised);
    setColour(PopupMenu::textColourId, colour::text);
    setColour(PopupMenu::headerTextColourId, colour::brass);
    setColour(PopupMenu::highlightedBackgroundColourId, colour::brass);
    setColour(PopupMenu::highlightedTextColourId, colour::night);
    setColour(TextButton::buttonColourId, colour::raised);
    setColour(TextButton::buttonOnColourId, colour::brass);
    setColour(TextButton::textColourOffId, colour::text);
    setColour(TextButton::textColourOnId, colour::night);
    setColour(Label::textColourId, colour::text);
    setColour(Label::backgroundWhenEditingColourId, colour::night);
    setColour(Label::textWhenEditingColourId, colour::text);
    setColour(Label::outlineWhenEditingColourId, colour::brass);
    setColour(TextEditor::backgroundColourId, colour::night);
    setColour(TextEditor::textColourId, colour::text);
    setColour(TextEditor::highlightColourId, colour::brass_dark);
    setColour(TextEditor::highlightedTextColourId, colour::text);
    setColour(TextEditor::focusedOutlineColourId, colour::brass);
    setColour(TextEditor::outlineColourId, colour::edge);
    setColour(juce::AlertWindow::textColourId, colour::text);
    setColour(juce::CaretComponent::caretColourId, colour::brass);
    setColour(juce::TooltipWindow::backgroundColourId, colour::raised);
    setColour(juce::TooltipWindow::textColourId, colour::text);
    setColour(juce::TooltipWindow::outlineColourId, colour::edge);
    setColour(juce::ScrollBar::thumbColourId, colour::faint);
    setColour(juce::ResizableWindow::backgroundColourId, colour::night);
}

juce::Typeface::Ptr Look::getTypefaceForFont(const juce::Font& font) {
    if (font.getTypefaceName() == juce::Font::getDefaultSansSerifFontName())
        if (const auto face = typeface(font.isBold() ? Weight::strong : Weight::regular)) return face;
    return LookAndFeel_V4::getTypefaceForFont(font);
}

juce::Font Look::getTextButtonFont(juce::TextButton&, int height) { return type(std::min(14.0f, static_cast<float>(height) * 0.5f)); }
juce::Font Look::getPopupMenuFont() { return type(14.5f); }

void Look::drawRotarySlider(juce::Graphics& g, int x, int y, int width, int height, float position, float start, float end,
                            juce::Slider& slider) {
    const auto bounds = juce::Rectangle<int>(x, y, width, height).toFloat();
    const float size = std::min(bounds.getWidth(), bounds.getHeight());
    const auto centre = bounds.getCentre();
    const float thickness = std::max(2.5f, 0.06f * size), radius = 0.5f * size - std::max(3.0f, 0.5f * thickness + 1.0f);
    const float angle = start + position * (end - start);
    const bool from_middle = slider.getProperties().contains(bipolar);
    const bool enabled = slider.isEnabled(), active = slider.isMouseOverOrDragging();
    const auto arc = [&](float from, float to) {
        juce::Path path;
        path.addCentredArc(centre.x, centre.y, radius, radius, 0.0f, from, to, true);
        return path;
    };
    const juce::PathStrokeType stroke(thickness, juce::PathStrokeType::curved, juce::PathStrokeType::rounded);
    g.setColour(colour::track);
    g.strokePath(arc(start, end), stroke);
    if (enabled) {
        const float from = from_middle ? 0.5f * (start + end) : start;
        g.setColour(active ? colour::brass.brighter(0.15f) : colour::brass);
        g.strokePath(arc(std::min(from, angle), std::max(from, angle)), stroke);
    }
    if (size > 72.0f)  // marks at the tenths, where there is room
        for (int i = 0; i <= 10; ++i) {
            const float a = start + 0.1f * static_cast<float>(i) * (end - start);
            const auto dot = centre.getPointOnCircumference(radius - thickness - 1.0f, a);
            g.setColour(colour::faint.withAlpha(0.8f));
            g.fillEllipse(juce::Rectangle<float>(2.0f, 2.0f).withCentre(dot));
        }
    const float cap = radius - (size > 72.0f ? 2.3f : 1.9f) * thickness;
    const auto face = juce::Rectangle<float>(2.0f * cap, 2.0f * cap).withCentre(centre);
    g.setColour(colour::night.withAlpha(0.6f));
    g.fillEllipse(face.translated(0.0f, 2.0f).expanded(1.0f));
    g.setGradientFill(juce::ColourGradient::vertical(juce::Colour(active ? 0xff46534d : 0xff3c4843), face.getY(), juce::Colour(0xff222b28), face.getBottom()));
    g.fillEllipse(face);
    g.setColour(juce::Colour(0xff55635c).withAlpha(0.8f));
    g.drawEllipse(face.reduced(0.5f), 1.0f);
    juce::Path pointer;
    pointer.addRoundedRectangle(-0.055f * cap - 0.6f, -cap + 2.5f, 0.11f * cap + 1.2f, 0.42f * cap, 1.2f);
    g.setColour(enabled ? colour::text : colour::faint);
    g.fillPath(pointer, juce::AffineTransform::rotation(angle).translated(centre));
}

void Look::drawButtonBackground(juce::Graphics& g, juce::Button& button, const juce::Colour& base, bool over, bool down) {
    const auto area = button.getLocalBounds().toFloat().reduced(0.5f);
    const float radius = std::min(6.0f, 0.5f * area.getHeight());
    const bool quiet = button.getProperties().contains(bare) && !button.getToggleState();
    juce::Colour fill = quiet ? base.withAlpha(0.0f) : base;
    if (over) fill = quiet ? colour::raised : fill.brighter(0.08f);
    if (down) fill = fill.brighter(0.15f);
    g.setColour(button.isEnabled() ? fill : fill.withMultipliedAlpha(0.4f));
    g.fillRoundedRectangle(area, radius);
    if (quiet) return;
    g.setColour(button.getToggleState() ? colour::brass : colour::edge);
    g.drawRoundedRectangle(area, radius, 1.0f);
}

void Look::drawButtonText(juce::Graphics& g, juce::TextButton& button, bool over, bool down) {
    if (!button.getProperties().contains(title)) return LookAndFeel_V4::drawButtonText(g, button, over, down);
    auto area = button.getLocalBounds().toFloat().withTrimmedLeft(6.0f);
    const juce::Font font = type(18.0f, Weight::strong);
    g.setFont(font);
    g.setColour(button.findColour(juce::TextButton::textColourOffId));
    const float width = std::min(font.getStringWidthFloat(button.getButtonText()) + 2.0f, area.getWidth() - 18.0f);
    g.drawFittedText(button.getButtonText(), area.withWidth(width).toNearestInt(), juce::Justification::centredLeft, 1, 0.8f);
    const auto at = juce::Point<float>(area.getX() + width + 9.0f, area.getCentreY() + 1.0f);
    juce::Path arrow;
    arrow.startNewSubPath(at.translated(-4.0f, -2.0f));
    arrow.lineTo(at.translated(0.0f, 2.0f));
    arrow.lineTo(at.translated(4.0f, -2.0f));
    g.setColour(over ? colour::text : colour::quiet);
    g.strokePath(arrow, juce::PathStrokeType(1.6f, juce::PathStrokeType::curved, juce::PathStrokeType::rounded));
}

void Look::drawToggleButton(juce::Graphics& g, juce::ToggleButton& button, bool over, bool) {
    auto area = button.getLocalBounds().toFloat();
    const bool on = button.getToggleState();
    const auto lamp = area.removeFromLeft(area.getHeight()).withSizeKeepingCentre(11.0f, 11.0f);
    if (on) {
        g.setGradientFill(juce::ColourGradient(colour::scale.withAlpha(0.45f), lamp.getCentre(), colour::scale.withAlpha(0.0f),
                                               lamp.getCentre().translated(10.0f, 0.0f), true));
        g.fillEllipse(lamp.expanded(5.0f));
    }
    g.setColour(on ? colour::scale : colour::track);
    g.fillEllipse(lamp);
    g.setColour(on ? colour::scale.brighter(0.5f) : colour::faint.withAlpha(over ? 1.0f : 0.6f));
    g.drawEllipse(lamp, 1.0f);
    g.setColour(on ? colour::text : over ? colour::text.withAlpha(0.8f) : colour::quiet);
    g.setFont(type(13.0f, Weight::strong));
    g.drawFittedText(button.getButtonText(), area.toNearestInt(), juce::Justification::centredLeft, 1);
}

void Look::drawPopupMenuBackgroundWithOptions(juce::Graphics& g, int width, int height, const juce::PopupMenu::Options&) {
    g.fillAll(colour::raised);
    g.setColour(colour::edge.brighter(0.2f));
    g.drawRect(0, 0, width, height);
}

void Look::drawAlertBox(juce::Graphics& g, juce::AlertWindow& box, const juce::Rectangle<int>&, juce::TextLayout& text) {
    draw_card(g, box.getLocalBounds().toFloat());
    g.setColour(colour::brass);
    g.drawRoundedRectangle(box.getLocalBounds().toFloat().reduced(0.5f), card_radius, 1.0f);
    text.draw(g, box.getLocalBounds().withTop(24).toFloat());
}

/// JUCE leaves it out where a question asks for a text.
void Look::drawTextEditorOutline(juce::Graphics& g, int width, int height, juce::TextEditor& editor) {
    g.setColour(findColour(editor.hasKeyboardFocus(true) ? juce::TextEditor::focusedOutlineColourId : juce::TextEditor::outlineColourId));
    g.drawRect(0, 0, width, height);
}

void Look::drawCornerResizer(juce::Graphics& g, int width, int height, bool over, bool) {
    g.setColour(over ? colour::brass : colour::faint);
    const auto w = static_cast<float>(width), h = static_cast<float>(height);
    for (const float k : {0.3f, 0.6f}) g.drawLine(w * k + 2.0f, h - 3.0f, w - 3.0f, h * k + 2.0f, 1.2f);
}

std::unique_ptr<juce::FocusOutline> Look::createFocusOutlineForComponent(juce::Component&) {
    struct Outline : juce::FocusOutline::OutlineWindowProperties {
        juce::Rectangle<int> getOutlineBounds(juce::Component& component) override { return component.getScreenBounds(); }
        void drawOutline(juce::Graphics& g, int width, int height) override {
            g.setColour(colour::brass.withAlpha(0.9f));
            g.drawRoundedRectangle(juce::Rectangle<int>(width, height).toFloat().reduced(1.0f), 5.0f, 1.5f);
        }
    };
    return std::make_unique<juce::FocusOutline>(std::make_unique<Outline>());
}

} // namespace serpent::plugin
