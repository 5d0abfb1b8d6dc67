// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/header.h"

#include <algorithm>
#include <cmath>

namespace serpent::plugin {

namespace {

/// The sign: a serpent, the instrument and the animal, as one stroke.
juce::Path sign(juce::Rectangle<float> area) {
    juce::Path p;
    p.startNewSubPath(0.02f, 0.78f);
    p.cubicTo(0.20f, 1.10f, 0.34f, 0.86f, 0.36f, 0.55f);
    p.cubicTo(0.38f, 0.20f, 0.56f, 0.10f, 0.64f, 0.42f);
    p.cubicTo(0.70f, 0.68f, 0.86f, 0.66f, 0.92f, 0.30f);
    p.applyTransform(juce::AffineTransform::scale(area.getWidth(), area.getHeight()).translated(area.getPosition()));
    return p;
}

juce::String kilohertz(double hz) {
    const double khz = hz / 1000.0;
    return rounded(khz, std::abs(khz - std::round(khz)) < 0.005 ? 0 : 1) + " kHz";
}

} // namespace

Header::Header(Processor& processor, Actions& actions)
    : processor_(processor), actions_(actions), previous_(IconButton::Icon::previous, "Previous preset"),
      next_(IconButton::Icon::next, "Next preset"), save_(IconButton::Icon::save, "Save the preset"),
      undo_(IconButton::Icon::undo, "Undo"), redo_(IconButton::Icon::redo, "Redo"), menu_(IconButton::Icon::menu, "Settings") {
    preset_.setName("Preset menu");
    preset_.setTooltip("Presets: the factory's and yours");
    preset_.setHasFocusOutline(true);
    preset_.onClick = [this] { actions_.preset_menu(preset_); };
    bypass_.setName("Bypass");
    bypass_.setTitle("Bypass");
    bypass_.setTooltip("Passes the input as it is, equally late");
    bypass_.setHasFocusOutline(true);
    bypass_.setClickingTogglesState(true);
    bypass_.setColour(juce::TextButton::buttonOnColourId, colour::amber);
    bypass_.onClick = [this] { set_by_user(*processor_.parameters().bypass, bypass_.getToggleState() ? 1.0f : 0.0f); };
    previous_.onClick = [this] { actions_.step_preset(-1); };
    next_.onClick = [this] { actions_.step_preset(1); };
    save_.onClick = [this] { actions_.save_preset(); };
    undo_.onClick = [this] { processor_.edits().undo(), show_edits(); };
    redo_.onClick = [this] { processor_.edits().redo(), show_edits(); };
    menu_.onClick = [this] { actions_.settings_menu(menu_); };
    for (juce::Component* part : std::initializer_list<juce::Component*>{&previous_, &preset_, &next_, &save_, &undo_, &redo_, &menu_,
                                                                         &bypass_})
        addAndMakeVisible(part);
    update();
}

void Header::update() {
    show_preset();
    refresh();
}

void Header::show_preset() {
    const juce::String name = processor_.session().preset_name();
    const bool modified = name.isNotEmpty() && processor_.session().preset_modified();
    preset_.setButtonText(name.isEmpty() ? "Presets" : modified ? name + " *" : name);
    preset_.setTitle("Preset: " + name + (modified ? ", modified" : ""));
}

bool Header::refresh() {
    show_edits();
    show_preset();
    const bool bypassed = processor_.parameters().bypass->on();
    if (bypassed == bypass_.getToggleState()) return false;
    bypass_.setToggleState(bypassed, juce::dontSendNotification);
    return true;
}

void Header::show_edits() {
    const auto show = [](IconButton& button, const juce::String& verb, const juce::String& what) {
        button.setEnabled(what.isNotEmpty());
        button.setTooltip(verb + (what.isEmpty() ? ": nothing yet" : ": " + what));
    };
    show(undo_, "Undo (Ctrl+Z)", processor_.edits().next_undo());
    show(redo_, "Redo (Ctrl+Shift+Z)", processor_.edits().next_redo());
}

void Header::paint(juce::Graphics& g) {
    auto area = getLocalBounds().toFloat().reduced(4.0f, 10.0f);
    const auto mark = area.removeFromLeft(44.0f).reduced(0.0f, 3.0f);
    g.setGradientFill(juce::ColourGradient::horizontal(colour::brass_dark, mark.getX(), colour::brass, mark.getRight()));
    g.strokePath(sign(mark), juce::PathStrokeType(5.0f, juce::PathStrokeType::curved, juce::PathStrokeType::rounded));
    g.setColour(colour::scale);
    g.fillEllipse(mark.getX() + 0.92f * mark.getWidth() - 3.0f, mark.getY() + 0.30f * mark.getHeight() - 5.0f, 6.5f, 6.5f);
    area.removeFromLeft(12.0f);
    g.setColour(colour::text);
    g.setFont(type(23.0f, Weight::strong));
    g.drawText("Serpent", area.withWidth(130.0f), juce::Justification::centredLeft);
}

void Header::resized() {
    auto area = getLocalBounds().reduced(4, 12);
    bypass_.setBounds(area.removeFromRight(84));
    area.removeFromRight(8);
    menu_.setBounds(area.removeFromRight(32));
    area.removeFromRight(8);
    for (IconButton* button : {&redo_, &undo_}) button->setBounds(area.removeFromRight(30));
    auto middle = getLocalBounds().reduced(0, 12).withSizeKeepingCentre(400, getHeight() - 24);
    previous_.setBounds(middle.removeFromLeft(30));
    save_.setBounds(middle.removeFromRight(32));
    next_.setBounds(middle.removeFromRight(30));
    preset_.setBounds(middle.reduced(4, 0));
}

// --- the bottom line ------------------------------------------------------------------------------------------------------

void StatusLine::refresh(double seconds) {
    since_look_s_ += seconds;
    if (since_look_s_ < 0.5) return;  // figures that change faster cannot be read
    since_look_s_ = 0.0;
    const double host_hz = processor_.sample_rate_hz();
    const auto held = processor_.session().model(processor_.parameters().active_slot());
    juce::String rates;
    if (held.content) {
        const double model_hz = held.content->model->config.sample_rate;
        rates << "Model " << kilohertz(model_hz);
        if (host_hz > 0.0 && host_hz != model_hz) rates << (processor_.session().resamples() ? ", resampled" : ", scaled");
    }
    if (host_hz > 0.0) rates << (rates.isEmpty() ? "" : "   ") << "Host " << kilohertz(host_hz);
    if (processor_.session().oversampling() > 1) rates << "   Oversampling " << processor_.session().oversampling() << "x";
    const int latency = processor_.getLatencySamples();
    rates << "   Latency " << (latency == 0 || !(host_hz > 0.0) ? juce::String("0") : juce::String(1000.0 * latency / host_hz, 1) + " ms");
    const juce::String load = "Model CPU " + juce::String(100.0 * processor_.chain().models.load(), 1) + " %";
    const juce::String guard = look_at_guard();
    if (rates == rates_ && load == load_ && guard == guard_) return;
    rates_ = rates, load_ = load, guard_ = guard;
    repaint();
}

/// Shown for some seconds, so that a single peak is seen.
juce::String StatusLine::look_at_guard() {
    constexpr int looks_shown = 6;
    looks_since_guarded_ = processor_.chain().take_guarded() ? 0 : std::min(looks_since_guarded_ + 1, looks_shown);
    if (!processor_.parameters().guard->on()) return "Output guard off";
    return looks_since_guarded_ < looks_shown ? "Output guard: held at +12 dBFS" : "";
}

void StatusLine::paint(juce::Graphics& g) {
    g.setFont(type(12.0f));
    g.setColour(colour::quiet);
    const auto area = getLocalBounds().reduced(8, 0);
    g.drawText(rates_, area, juce::Justification::centredLeft);
    g.drawText(load_, area.withTrimmedRight(18), juce::Justification::centredRight);
    g.setColour(colour::amber);
    g.drawText(guard_, area.withTrimmedRight(150), juce::Justification::centredRight);
}

// --- problems -------------------------------------------------------------------------------------------------------------

Banner::Banner(Processor& processor, Actions& actions) : processor_(processor), close_(IconButton::Icon::close, "Dismiss the message") {
    text_.setFont(type(13.0f));
    text_.setColour(juce::Label::textColourId, colour::text);
    text_.setMinimumHorizontalScale(0.7f);
    text_.setName("Message");
    locate_.setName("Locate the missing file");
    locate_.setTitle("Locate the missing file");
    locate_.setHasFocusOutline(true);
    locate_.onClick = [&actions] { actions.locate_missing(); };
    close_.onClick = [this] { processor_.session().dismiss_problems(); };
    for (juce::Component* part : std::initializer_list<juce::Component*>{&text_, &locate_, &close_}) addAndMakeVisible(part);
    update();
}

void Banner::update() {
    const juce::String problem = processor_.session().newest_problem();
    const auto missing = [](const auto& held) { return !held.content && !held.wanted.empty(); };
    bool some_missing = missing(processor_.session().cabinet());
    for (int slot = 0; slot < slot_count; ++slot) some_missing = some_missing || missing(processor_.session().model(slot));
    text_.setText(problem, juce::dontSendNotification);
    text_.setTitle(problem);
    text_.setTooltip(problem);
    locate_.setVisible(some_missing);
    setVisible(problem.isNotEmpty());
    resized();
}

void Banner::paint(juce::Graphics& g) {
    const auto area = getLocalBounds().toFloat();
    g.setColour(juce::Colour(0xff3a2a17));
    g.fillRoundedRectangle(area, 6.0f);
    g.setColour(colour::amber);
    g.drawRoundedRectangle(area.reduced(0.5f), 6.0f, 1.0f);
    g.fillRoundedRectangle(area.withWidth(4.0f), 2.0f);
}

void Banner::resized() {
    auto area = getLocalBounds().reduced(6, 4);
    close_.setBounds(area.removeFromRight(28));
    if (locate_.isVisible()) locate_.setBounds(area.removeFromRight(92));
    text_.setBounds(area.withTrimmedLeft(6));
}

} // namespace serpent::plugin
