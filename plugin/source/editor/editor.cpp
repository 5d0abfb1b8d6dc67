// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/editor.h"

#include <cmath>
#include <utility>

namespace serpent::plugin {

namespace {

constexpr int refresh_hz = 30, idle_refresh_hz = 8;
constexpr double idle_after_s = 2.0;
constexpr int frame_width = 16, frame_height = 64;  // of a host's window, around ours
constexpr double least_scale = 0.6, most_scale = 3.0;
constexpr int margin = 16, header_height = 56, status_height = 26, strip_height = 196, gap = 8;

} // namespace

Editor::Editor(Processor& owner)
    : AudioProcessorEditor(owner), processor_(owner), actions_(owner), header_(owner, actions_),
      model_(owner, actions_, [this] { show_info(); }), strip_(owner, actions_), status_(owner), banner_(owner, actions_),
      info_([this] { info_.setVisible(false); }), tooltips_(this, 700) {
    setLookAndFeel(&look_.getObject());
    setName("Serpent");
    setTitle("Serpent");
    actions_.set_scale = [this](double factor) { set_scale(factor); };
    actions_.scale = [this] { return scale(); };
    actions_.face = &face_;
    actions_.largest_scale = [this] { return largest_scale(); };
    face_.setFocusContainerType(juce::Component::FocusContainerType::keyboardFocusContainer);
    for (juce::Component* part : std::initializer_list<juce::Component*>{&header_, &model_, &strip_, &status_}) face_.addAndMakeVisible(part);
    face_.addChildComponent(banner_);
    face_.addChildComponent(info_);
    addAndMakeVisible(face_);
    face_.setBounds(0, 0, base_width, base_height);

    auto area = face_.getLocalBounds();
    header_.setBounds(area.removeFromTop(header_height).reduced(margin, 0));
    status_.setBounds(area.removeFromBottom(status_height).reduced(margin - 8, 0));
    area = area.reduced(margin, 0);
    info_.setBounds(area);
    strip_.setBounds(area.removeFromBottom(strip_height));
    area.removeFromBottom(gap);
    model_.setBounds(area);
    banner_.setBounds(area.removeFromBottom(50).reduced(12, 7));

    const int saved = owner.editor_width > 0 ? owner.editor_width.load() : settings_->editor_width();
    setResizable(true, true);
    getConstrainer()->setFixedAspectRatio(static_cast<double>(base_width) / base_height);
    setResizeLimits(juce::roundToInt(least_scale * base_width), juce::roundToInt(least_scale * base_height),
                    juce::roundToInt(most_scale * base_width), juce::roundToInt(most_scale * base_height));
    set_scale(saved > 0 ? static_cast<double>(saved) / base_width : 1.0);
    built_ = true;
    owner.changes.addChangeListener(this);
    addMouseListener(this, true);
    update();
    look_often();
}

Editor::~Editor() {
    stopTimer();
    processor_.changes.removeChangeListener(this);
    setLookAndFeel(nullptr);
}

double Editor::largest_scale() const {
    const auto& displays = juce::Desktop::getInstance().getDisplays();
    const auto* display = isShowing() ? displays.getDisplayForRect(getScreenBounds()) : displays.getPrimaryDisplay();
    if (!display) return most_scale;
    const double of_host = std::sqrt(std::abs(static_cast<double>(getTransform().getDeterminant())));  // on screens of high density
    const double fits = std::min(static_cast<double>(display->userArea.getWidth() - frame_width) / base_width,
                                 static_cast<double>(display->userArea.getHeight() - frame_height) / base_height) / of_host;
    return juce::jlimit(least_scale, most_scale, fits);
}

void Editor::set_scale(double factor) {
    const double scale = juce::jlimit(least_scale, largest_scale(), factor);
    setSize(juce::roundToInt(scale * base_width), juce::roundToInt(scale * base_height));
}

void Editor::resized() {
    const double factor = std::min(static_cast<double>(getWidth()) / base_width, static_cast<double>(getHeight()) / base_height);
    face_.setTransform(juce::AffineTransform::scale(static_cast<float>(factor)));
    if (!built_ || getWidth() < 1 || processor_.editor_width == getWidth()) return;
    processor_.editor_width = getWidth();
    settings_->set_editor_width(getWidth());
}

void Editor::paint(juce::Graphics& g) {
    g.setGradientFill(juce::ColourGradient::vertical(juce::Colour(0xff141a18), 0.0f, colour::night, static_cast<float>(getHeight())));
    g.fillAll();
}

void Editor::paintOverChildren(juce::Graphics& g) {
    if (!drop_) return;
    g.fillAll(colour::night.withAlpha(0.6f));
    g.setColour(colour::brass);
    g.drawRoundedRectangle(getLocalBounds().toFloat().reduced(6.0f), 10.0f, 2.5f);
    g.setFont(type(20.0f * static_cast<float>(scale()), Weight::strong));
    g.drawText("Drop a model, an impulse response or a preset", getLocalBounds(), juce::Justification::centred);
}

void Editor::update() {
    header_.update(), model_.update(), strip_.update(), banner_.update();
    const auto held = processor_.session().model(processor_.parameters().active_slot());
    if (info_.isVisible() && held.content) info_.show(*held.content);
}

bool Editor::look_at_levels(double seconds) {
    bool moved = header_.refresh();
    const Strip::Levels levels = strip_.refresh(seconds);
    moved = model_.refresh(levels.input_db, levels.output_db, seconds) || levels.moved || moved;
    status_.refresh(seconds);
    return moved;
}

void Editor::timerCallback() {
    const double now_s = 0.001 * juce::Time::getMillisecondCounterHiRes(), seconds = now_s - std::exchange(last_look_s_, now_s);
    const bool moved = look_at_levels(seconds);
    keep_focus_where_clicked();
    actions_.keep_keyboard_in_question();
    still_for_s_ = moved ? 0.0 : still_for_s_ + seconds;
    if (moved && getTimerInterval() > 1000 / refresh_hz) startTimerHz(refresh_hz);
    else if (still_for_s_ > idle_after_s && getTimerInterval() < 1000 / idle_refresh_hz) startTimerHz(idle_refresh_hz);
}

void Editor::look_often() {
    last_look_s_ = 0.001 * juce::Time::getMillisecondCounterHiRes();
    still_for_s_ = 0.0;
    startTimerHz(refresh_hz);
}

void Editor::show_info() {
    const auto held = processor_.session().model(processor_.parameters().active_slot());
    if (held.content) info_.show(*held.content);
}

void Editor::mouseUp(const juce::MouseEvent& event) {
    clicked_ = event.eventComponent;
    looks_since_click_ = 0;
    look_often();
}

bool Editor::keyPressed(const juce::KeyPress& key) {
    using juce::KeyPress, juce::ModifierKeys;
    if (key == KeyPress('z', ModifierKeys::commandModifier, 0)) processor_.edits().undo();
    else if (key == KeyPress('z', ModifierKeys::commandModifier | ModifierKeys::shiftModifier, 0) ||
             key == KeyPress('y', ModifierKeys::commandModifier, 0)) processor_.edits().redo();
    else return false;
    look_often();
    return true;
}

// When a click brings the window to the front, or a host's around it, JUCE on X11 first gives the keyboard to what was clicked,
// and then, as the window system's answer arrives, back to the one that had it before: past a value's text, too, that the click
// has opened.
void Editor::keep_focus_where_clicked() {
    if (!clicked_ || ++looks_since_click_ < 3) return;
    auto* label = dynamic_cast<juce::Label*>(clicked_.getComponent());
    juce::Component* wanted = label ? label->getCurrentTextEditor() : clicked_.getComponent();
    if (!label || looks_since_click_ >= 15) clicked_ = nullptr;  // after half a second the user may have gone elsewhere
    if (wanted && wanted->getWantsKeyboardFocus() && wanted->isShowing() && !wanted->hasKeyboardFocus(true) && !info_.isVisible() &&
        !wanted->isCurrentlyBlockedByAnotherModalComponent() && (label || hasKeyboardFocus(true)))
        wanted->grabKeyboardFocus();
}

void Editor::filesDropped(const juce::StringArray& files, int, int) {
    show_drop(false);
    actions_.open_dropped(files);
}

void Editor::textDropped(const juce::String& text, int x, int y) {
    const juce::String line = text.trim();
    filesDropped({line.startsWithIgnoreCase("file:") ? juce::URL(line).getLocalFile().getFullPathName() : line}, x, y);
}

void Editor::show_drop(bool over) {
    drop_ = over;
    repaint();
}

juce::AudioProcessorEditor* Processor::createEditor() { return new Editor(*this); }

} // namespace serpent::plugin
