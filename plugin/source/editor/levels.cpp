// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/levels.h"

#include <algorithm>
#include <cmath>

namespace serpent::plugin {

namespace {

constexpr float bottom_db = -60.0f, top_db = 6.0f;
constexpr float fall_db_per_s = 26.0f;
constexpr float least_step_db = 0.1f;  // that is drawn: a third of a pixel at 200 %
constexpr double hold_s = 1.5;
constexpr float bars_width = 16.0f;
constexpr float gutter = 30.0f;  // for the history's scale
constexpr double points_per_s = 30.0;
constexpr std::size_t history_points = 240;  // 8 s

float decibels(float gain) { return juce::Decibels::gainToDecibels(gain, bottom_db); }

} // namespace

LevelMeter::LevelMeter(Meter& meter, const juce::String& name) : meter_(meter) {
    peak_db_.fill(bottom_db), rms_db_.fill(bottom_db), held_db_.fill(bottom_db), drawn_db_.fill(3.0f * bottom_db);
    loudest_db_ = bottom_db;
    setName(name);
    setTitle(name);
    setTooltip("RMS (bright), peak and the recent peak; below, the highest peak in dBFS. The lamp says that it went over 0; click to forget both.");
    setWantsKeyboardFocus(true);
    setHasFocusOutline(true);
}

bool LevelMeter::keyPressed(const juce::KeyPress& key) {
    if (key != juce::KeyPress::spaceKey && key != juce::KeyPress::returnKey) return false;
    forget();
    return true;
}

std::unique_ptr<juce::AccessibilityHandler> LevelMeter::createAccessibilityHandler() {
    return std::make_unique<juce::AccessibilityHandler>(*this, juce::AccessibilityRole::label);
}

void LevelMeter::forget() {
    meter_.forget_clip();
    held_db_.fill(bottom_db);
    loudest_db_ = bottom_db;
    repaint();
}

bool LevelMeter::refresh(double seconds) {
    bool moved = false, louder = false;
    for (std::size_t c = 0; c < most_channels; ++c) {
        const float peak = decibels(meter_.take_peak(c));
        louder = louder || peak > loudest_db_;
        loudest_db_ = std::max(loudest_db_, peak);
        const float fallen = peak_db_[c] - fall_db_per_s * static_cast<float>(seconds);
        peak_db_[c] = std::max({peak, fallen, bottom_db});
        rms_db_[c] = std::max(bottom_db, decibels(meter_.rms(c)));
        held_for_s_[c] += seconds;
        if (peak_db_[c] >= held_db_[c] || held_for_s_[c] > hold_s) held_db_[c] = peak_db_[c], held_for_s_[c] = 0.0;
        const float now = peak_db_[c] + rms_db_[c] + held_db_[c];
        if (std::abs(drawn_db_[c] - now) <= least_step_db) continue;
        drawn_db_[c] = now;
        moved = true;
    }
    if (louder || channels_ != meter_.channels() || clipped_ != meter_.clipped()) {
        channels_ = meter_.channels(), clipped_ = meter_.clipped();
        repaint();
        return true;
    }
    if (moved) repaint(bars().getSmallestIntegerContainer());  // without the scale's text, which costs the most
    return moved;
}

juce::Rectangle<float> LevelMeter::bars() const {
    return getLocalBounds().toFloat().withTrimmedTop(12.0f).withTrimmedBottom(17.0f).withTrimmedLeft(static_cast<float>(getWidth()) - bars_width);
}

float LevelMeter::y_of(float db) const {
    const auto area = bars();
    return area.getY() + area.getHeight() * (1.0f - (std::clamp(db, bottom_db, top_db) - bottom_db) / (top_db - bottom_db));
}

void LevelMeter::paint_bar(juce::Graphics& g, std::size_t channel, juce::Rectangle<float> bar) const {
    g.setColour(colour::night);
    g.fillRoundedRectangle(bar, 2.0f);
    const juce::ColourGradient full(colour::scale, 0.0f, y_of(-18.0f), colour::amber, 0.0f, y_of(-2.0f), false);
    const auto fill = [&](float db, float alpha) {
        auto gradient = full;
        gradient.multiplyOpacity(alpha);
        g.setGradientFill(gradient);
        g.fillRoundedRectangle(bar.withTop(y_of(db)), 2.0f);
    };
    if (peak_db_[channel] > bottom_db) fill(peak_db_[channel], 0.4f);
    if (rms_db_[channel] > bottom_db) fill(rms_db_[channel], 1.0f);
    const float held = held_db_[channel];
    if (held <= bottom_db + 0.5f) return;
    g.setColour(held > 0.0f ? colour::red : colour::text);
    g.fillRect(bar.withTop(y_of(held) - 0.75f).withHeight(1.5f));
}

void LevelMeter::paint(juce::Graphics& g) {
    const int channels = std::clamp(meter_.channels(), 1, static_cast<int>(most_channels));
    const auto area = bars();
    const float gap = 2.0f, width = (area.getWidth() - gap * static_cast<float>(channels - 1)) / static_cast<float>(channels);
    g.setColour(meter_.clipped() ? colour::red : colour::track);
    g.fillRoundedRectangle(area.withY(2.0f).withHeight(6.0f), 2.5f);
    for (int c = 0; c < channels; ++c)
        paint_bar(g, static_cast<std::size_t>(c), area.withX(area.getX() + static_cast<float>(c) * (width + gap)).withWidth(width));
    g.setFont(type(9.5f));
    for (const float db : {0.0f, -12.0f, -24.0f, -36.0f, -48.0f}) {
        g.setColour(colour::night.withAlpha(0.75f));
        g.fillRect(area.withTop(y_of(db) - 0.5f).withHeight(1.0f));
        g.setColour(colour::faint);
        g.drawText(juce::String(juce::roundToInt(-db)), juce::Rectangle<float>(0.0f, y_of(db) - 6.0f, area.getX() - 4.0f, 12.0f),
                   juce::Justification::centredRight, false);
    }
    g.setFont(type(10.5f, Weight::strong));
    g.setColour(loudest_db_ > 0.0f ? colour::red : colour::quiet);
    g.drawText(loudest_db_ <= bottom_db ? juce::String("-inf") : juce::String(loudest_db_, 1), getLocalBounds().removeFromBottom(14),
               juce::Justification::centredRight, false);
}

History::History() {
    setName("Level history");
    setTitle("Level history of input and output");
    setInterceptsMouseClicks(false, false);
    points_.assign(history_points, {bottom_db, bottom_db});
    level_points_ = history_points;
}

bool History::add(float input_db, float output_db, double seconds) {
    owed_points_ = std::min(owed_points_ + points_per_s * seconds, static_cast<double>(history_points));
    const auto alike = [](float a, float b) { return std::abs(a - b) <= least_step_db; };
    const Point& last = points_.back();
    if (!alike(input_db, last.input_db) || !alike(output_db, last.output_db)) level_points_ = 0;
    if (level_points_ >= history_points) {
        owed_points_ = 0.0;
        return false;
    }
    // While it is level the first of the points goes on, so that a slow drift is seen once it is a step.
    const Point next = level_points_ > 0 ? last : Point{input_db, output_db};
    for (; owed_points_ >= 1.0; owed_points_ -= 1.0) {
        points_.pop_front();
        points_.push_back(next);
        ++level_points_;
    }
    repaint(plot().getSmallestIntegerContainer());
    return true;
}

juce::Rectangle<float> History::plot() const { return getLocalBounds().toFloat().withTrimmedLeft(gutter).withTrimmedTop(6.0f); }

void History::paint(juce::Graphics& g) {
    const auto area = plot();
    const auto y_of = [&](float db) { return area.getBottom() - area.getHeight() * (std::clamp(db, bottom_db, 0.0f) - bottom_db) / -bottom_db; };
    const auto x_of = [&](std::size_t i) { return area.getX() + area.getWidth() * static_cast<float>(i) / static_cast<float>(history_points - 1); };
    g.setColour(colour::night.withAlpha(0.45f));
    g.fillRoundedRectangle(area, 4.0f);
    g.setFont(type(10.5f));
    for (const float db : {0.0f, -12.0f, -24.0f, -36.0f, -48.0f}) {
        g.setColour(colour::edge.withAlpha(0.55f));
        if (db < 0.0f) g.fillRect(area.getX(), y_of(db), area.getWidth(), 1.0f);
        g.setColour(colour::faint);
        g.drawText(juce::String(juce::roundToInt(db)), juce::Rectangle<float>(0.0f, y_of(db) - 6.0f, gutter - 7.0f, 12.0f),
                   juce::Justification::centredRight, false);
    }
    for (int s = 2; s < 8; s += 2) {
        g.setColour(colour::edge.withAlpha(0.4f));
        g.fillRect(x_of(history_points - 1 - static_cast<std::size_t>(points_per_s * s)), area.getY(), 1.0f, area.getHeight());
    }
    const auto curve = [&](float Point::*level) {
        juce::Path path;
        for (std::size_t i = 0; i < points_.size(); ++i) {
            const juce::Point<float> p(x_of(i), y_of(points_[i].*level));
            if (i == 0) path.startNewSubPath(p);
            else path.lineTo(p);
        }
        return path;
    };
    const juce::Graphics::ScopedSaveState clipped(g);
    g.reduceClipRegion(area.toNearestInt());
    juce::Path below = curve(&Point::output_db);
    below.lineTo(area.getBottomRight());
    below.lineTo(area.getBottomLeft());
    below.closeSubPath();
    g.setGradientFill(juce::ColourGradient::vertical(colour::scale.withAlpha(0.34f), area.getY(), colour::scale.withAlpha(0.02f), area.getBottom()));
    g.fillPath(below);
    g.setColour(colour::brass.withAlpha(0.9f));
    g.strokePath(curve(&Point::input_db), juce::PathStrokeType(1.3f));
    g.setColour(colour::scale);
    g.strokePath(curve(&Point::output_db), juce::PathStrokeType(1.8f));
}

} // namespace serpent::plugin
