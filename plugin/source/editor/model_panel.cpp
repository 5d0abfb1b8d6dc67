// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/model_panel.h"

#include <algorithm>

namespace serpent::plugin {

namespace {

constexpr int padding = 16, gap = 8;

juce::Path drawn(IconButton::Icon icon) {
    using Icon = IconButton::Icon;
    juce::Path p;
    const auto line = [&](std::initializer_list<juce::Point<float>> points) {
        bool first = true;
        for (const auto& point : points) first ? p.startNewSubPath(point) : p.lineTo(point), first = false;
    };
    switch (icon) {
        case Icon::previous: line({{0.62f, 0.2f}, {0.32f, 0.5f}, {0.62f, 0.8f}}); break;
        case Icon::next: line({{0.38f, 0.2f}, {0.68f, 0.5f}, {0.38f, 0.8f}}); break;
        case Icon::close: line({{0.25f, 0.25f}, {0.75f, 0.75f}}), line({{0.75f, 0.25f}, {0.25f, 0.75f}}); break;
        case Icon::menu: for (const float y : {0.28f, 0.5f, 0.72f}) line({{0.18f, y}, {0.82f, y}}); break;
        case Icon::folder:
            line({{0.14f, 0.78f}, {0.14f, 0.24f}, {0.4f, 0.24f}, {0.5f, 0.36f}, {0.86f, 0.36f}, {0.86f, 0.78f}});
            p.closeSubPath();
            break;
        case Icon::save: line({{0.5f, 0.14f}, {0.5f, 0.6f}}), line({{0.3f, 0.42f}, {0.5f, 0.62f}, {0.7f, 0.42f}}),
            line({{0.16f, 0.62f}, {0.16f, 0.84f}, {0.84f, 0.84f}, {0.84f, 0.62f}}); break;
        case Icon::undo: line({{0.34f, 0.14f}, {0.14f, 0.36f}, {0.36f, 0.54f}}), line({{0.16f, 0.36f}, {0.58f, 0.36f}}),
            p.cubicTo(0.92f, 0.36f, 0.92f, 0.82f, 0.58f, 0.82f), p.lineTo(0.34f, 0.82f); break;
        case Icon::redo: line({{0.66f, 0.14f}, {0.86f, 0.36f}, {0.64f, 0.54f}}), line({{0.84f, 0.36f}, {0.42f, 0.36f}}),
            p.cubicTo(0.08f, 0.36f, 0.08f, 0.82f, 0.42f, 0.82f), p.lineTo(0.66f, 0.82f); break;
        case Icon::copy: line({{0.64f, 0.32f}, {0.64f, 0.14f}, {0.14f, 0.14f}, {0.14f, 0.66f}, {0.34f, 0.66f}}),
            p.addRectangle(0.36f, 0.34f, 0.5f, 0.52f); break;
        case Icon::info:
            p.addEllipse(0.14f, 0.14f, 0.72f, 0.72f);
            line({{0.5f, 0.46f}, {0.5f, 0.68f}}), line({{0.5f, 0.31f}, {0.5f, 0.33f}});
            break;
    }
    return p;
}

} // namespace

IconButton::IconButton(Icon icon, const juce::String& accessible_name) : Button(accessible_name), icon_(icon) {
    setTitle(accessible_name);
    setTooltip(accessible_name);
    setWantsKeyboardFocus(true);
    setHasFocusOutline(true);
}

void IconButton::paintButton(juce::Graphics& g, bool over, bool down) {
    const auto area = getLocalBounds().toFloat();
    if (over || down) {
        g.setColour(colour::raised.brighter(down ? 0.15f : 0.05f));
        g.fillRoundedRectangle(area, 5.0f);
    }
    const float size = std::min(18.0f, std::min(area.getWidth(), area.getHeight()) - 6.0f);
    const auto box = juce::Rectangle<float>(size, size).withCentre(area.getCentre());
    g.setColour(!isEnabled() ? colour::faint : over ? colour::text : colour::quiet);
    g.strokePath(drawn(icon_), juce::PathStrokeType(1.6f, juce::PathStrokeType::curved, juce::PathStrokeType::rounded),
                 juce::AffineTransform::scale(size).translated(box.getPosition()));
}

ModelPanel::ModelPanel(Processor& processor, Actions& actions, std::function<void()> show_info)
    : processor_(processor), actions_(actions),
      model_on_(*processor.parameters().model_on, "Model", "Model on", "Off: the sound passes this part unchanged"),
      match_(*processor.parameters().match, "Match A/B", "Match loudness of A and B", "Plays B as loud as A, so that louder does not seem better"),
      normalise_(*processor.parameters().normalise, "Normalise", "Normalise loudness", "Plays every model at the same loudness"),
      copy_(IconButton::Icon::copy, "Copy to the other slot"),
      previous_(IconButton::Icon::previous, "Previous model"), next_(IconButton::Icon::next, "Next model"),
      folder_(IconButton::Icon::folder, "Load a model"), info_(IconButton::Icon::info, "About this model") {
    for (auto* button : {&slot_a_, &slot_b_}) {
        const bool a = button == &slot_a_;
        button->setTitle(a ? "Slot A" : "Slot B");
        button->setName(a ? "Slot A" : "Slot B");
        button->setTooltip(a ? "Play the model in slot A" : "Play the model in slot B");
        button->setConnectedEdges(a ? juce::Button::ConnectedOnRight : juce::Button::ConnectedOnLeft);
        button->setHasFocusOutline(true);
        button->onClick = [this, a] { choose_slot(a ? 0 : 1); };
        addAndMakeVisible(button);
    }
    name_.setName("Model menu");
    name_.setTooltip("Models: load, recent, those that come with Serpent");
    name_.getProperties().set(Look::bare, true);
    name_.getProperties().set(Look::title, true);
    name_.setHasFocusOutline(true);
    name_.onClick = [this] { actions_.model_menu(name_); };
    about_.setFont(type(13.0f));
    about_.setColour(juce::Label::textColourId, colour::quiet);
    about_.setMinimumHorizontalScale(0.85f);
    copy_.onClick = [this] { actions_.copy_slot(); };
    previous_.onClick = [this] { actions_.step_model(-1); };
    next_.onClick = [this] { actions_.step_model(1); };
    folder_.onClick = [this] { actions_.choose_model(); };
    info_.onClick = std::move(show_info);
    for (juce::Component* part : std::initializer_list<juce::Component*>{&model_on_, &match_, &normalise_, &name_, &about_, &copy_, &previous_,
                                                                         &next_, &folder_, &info_, &history_})
        addAndMakeVisible(part);
    for (Knob& knob : knobs_) addChildComponent(knob);
    update();
}

void ModelPanel::choose_slot(int slot) {
    set_by_user(*processor_.parameters().slot, static_cast<float>(slot));
    update();
}

void ModelPanel::attach_knobs() {
    knobs_shown_ = 0;
    const auto& controls = processor_.parameters().controls[static_cast<std::size_t>(shown_slot_)];
    for (std::size_t i = 0; i < knobs_.size(); ++i) {
        const bool used = controls[i]->used();
        knobs_[i].setVisible(used);
        if (!used) continue;
        const juce::String name = juce::String::fromUTF8(controls[i]->control().name.c_str());
        const Control control = controls[i]->control();
        const juce::String unit = juce::String::fromUTF8((" " + control.unit).c_str()).trimEnd();
        knobs_[i].attach(*controls[i], name, name + " of model " + (shown_slot_ == 0 ? "A" : "B"),
                         name + " of the device: " + juce::String(control.min) + " to " + juce::String(control.max) + unit);
        knobs_[i].set_bipolar(control.min < 0.0f && control.max == -control.min);
        ++knobs_shown_;
    }
    resized();
}

void ModelPanel::update() {
    shown_slot_ = processor_.parameters().active_slot();
    slot_a_.setToggleState(shown_slot_ == 0, juce::dontSendNotification);
    slot_b_.setToggleState(shown_slot_ == 1, juce::dontSendNotification);
    copy_.setTooltip(shown_slot_ == 0 ? "Copy A to B: the model and its knobs" : "Copy B to A: the model and its knobs");
    const auto held = processor_.session().model(shown_slot_);
    juce::String title = "Empty: click, or drop a model here", about = "The sound passes unchanged";
    if (held.content) {
        const Metadata& metadata = held.content->model->metadata;
        const std::string& line = metadata.description.empty() ? metadata.gear : metadata.description;
        title = held.content->title();
        about = juce::String::fromUTF8(line.c_str());
    } else if (!held.wanted.empty()) {
        title = held.wanted.name;
        about = "Missing: the sound passes unchanged until it is located";
    }
    if (held.loading) about = "Loading...";
    name_.setButtonText(title);
    name_.setTitle("Model: " + title);
    name_.setColour(juce::TextButton::textColourOffId, held.content ? colour::text : held.wanted.empty() ? colour::quiet : colour::amber);
    about_.setText(about, juce::dontSendNotification);
    info_.setEnabled(held.content != nullptr);
    copy_.setEnabled(held.content || !held.wanted.empty());
    attach_knobs();
    repaint();
}

bool ModelPanel::refresh(float input_db, float output_db, double seconds) {
    bool moved = shown_slot_ != processor_.parameters().active_slot();
    if (moved) update();
    for (Switch* part : {&model_on_, &match_, &normalise_}) moved = part->refresh() || moved;
    for (Knob& knob : knobs_)
        if (knob.isVisible()) moved = knob.refresh() || moved;
    return history_.add(input_db, output_db, seconds) || moved;
}

void ModelPanel::paint(juce::Graphics& g) {
    draw_card(g, getLocalBounds().toFloat());
    auto key = history_.getBounds().translated(0, -22).withHeight(16);
    g.setFont(type(11.5f));
    const auto entry = [&](const juce::String& text, juce::Colour c, int width) {
        auto area = key.removeFromRight(width);
        g.setColour(c);
        g.fillRoundedRectangle(area.removeFromLeft(14).toFloat().withSizeKeepingCentre(12.0f, 3.0f), 1.5f);
        g.setColour(colour::quiet);
        g.drawText(text, area.withTrimmedLeft(5), juce::Justification::centredLeft);
    };
    entry("Output", colour::scale, 60);
    key.removeFromRight(8);
    entry("Input", colour::brass, 54);
    g.setColour(colour::faint);
    g.drawText("Level in dBFS, the last 8 s", key.withTrimmedLeft(30), juce::Justification::centredLeft);
}

void ModelPanel::resized() {
    auto area = getLocalBounds().reduced(padding);
    auto top = area.removeFromTop(44);
    auto slots = top.removeFromLeft(80).withSizeKeepingCentre(80, 32);
    slot_a_.setBounds(slots.removeFromLeft(40));
    slot_b_.setBounds(slots);
    top.removeFromLeft(4);
    copy_.setBounds(top.removeFromLeft(28).withSizeKeepingCentre(28, 32));
    top.removeFromLeft(gap);
    for (IconButton* button : {&previous_, &next_}) button->setBounds(top.removeFromLeft(28).withSizeKeepingCentre(28, 32));
    top.removeFromLeft(4);
    for (Switch* part : {&normalise_, &match_}) part->setBounds(top.removeFromRight(112).withSizeKeepingCentre(112, 30));
    model_on_.setBounds(top.removeFromRight(84).withSizeKeepingCentre(84, 30));
    top.removeFromRight(gap);
    for (IconButton* button : {&info_, &folder_}) button->setBounds(top.removeFromRight(30).withSizeKeepingCentre(30, 32));
    top.removeFromRight(4);
    name_.setBounds(top.removeFromTop(25));
    about_.setBounds(top.withTrimmedLeft(1));
    area.removeFromTop(gap);

    const auto shown = static_cast<int>(knobs_shown_);
    if (shown > 0) {
        const int columns = shown <= 3 ? shown : shown == 4 ? 2 : shown <= 6 ? 3 : 4, rows = (shown + columns - 1) / columns;
        const int width = rows == 1 ? 132 : 88;
        auto grid = area.removeFromLeft(columns * width);
        area.removeFromLeft(gap);
        int at = 0;
        for (Knob& knob : knobs_) {
            if (!knob.isVisible()) continue;
            const int row = at / columns, column = at % columns;
            const int height = grid.getHeight() / rows;
            knob.setBounds(juce::Rectangle<int>(grid.getX() + column * width, grid.getY() + row * height, width, height)
                               .withSizeKeepingCentre(width - 16, std::min(height - 4, 158)));
            ++at;
        }
    }
    area.removeFromTop(24);
    history_.setBounds(area);
}

} // namespace serpent::plugin
