// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/levels.h"

#include <algorithm>
#include <cmath>

namespace serpent::plugin {

namespace {

constexpr float bottom_db = -60.0f, top_db = 6.0f;
constexpr float fall_db_per_s = 26.0f;
constexpr double hold_s = 1.5;
constexpr std::size_t history_points = 240;  // 8 s of 30 a second

float decibels(float gain) { return juce::Decibels::gainToDecibels(gain, bottom_db); }

} // namespace

LevelMeter::LevelMeter(Meter& meter, const juce::String& name) : meter_(meter) {
    peak_db_.fill(bottom_db), rms_db_.fill(bottom_db), held_db_.fill(bottom_db);
    setName(name);
    setTitle(name);
    setTooltip("Peak, RMS (bright) and the recent peak. The lamp says that it went over 0 dBFS; click to put it out.");
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
    repaint();
}

float LevelMeter::refresh(double seconds) {
    float loudest = bottom_db;
    bool moved = false;
    for (std::size_t c = 0; c < most_channels; ++c) {
        const float before = peak_db_[c] + rms_db_[c] + held_db_[c];
        const float fallen = peak_db_[c] - fall_db_per_s * static_cast<float>(seconds);
        peak_db_[c] = std::max({decibels(meter_.take_peak(c)), fallen, bottom_db});
        rms_db_[c] = std::max(bottom_db, decibels(meter_.rms(c)));
        held_for_s_[c] += seconds;
        if (peak_db_[c] >= held_db_[c] || held_for_s_[c] > hold_s) held_db_[c] = peak_db_[c], held_for_s_[c] = 0.0;
        loudest = std::max(loudest, rms_db_[c]);
        moved = moved || std::abs(before - (peak_db_[c] + rms_db_[c] + held_db_[c])) > 0.05f;
    }
    if (moved || meter_.clipped()) repaint();
    return loudest;
}

float LevelMeter::y_of(float db) const {
    const auto h = static_cast<float>(getHeight()) - 14.0f;
    return 12.0f + h * (1.0f - (std::clamp(db, bottom_db, top_db) - bottom_db) / (top_db - bottom_db));
}

void LevelMeter::paint(juce::Graphics& g) {
    const int channels = std::clamp(meter_.channels(), 1, static_cast<int>(most_channels));
    const auto width = static_cast<float>(getWidth());
    const float gap = 2.0f, bar = (width - gap * static_cast<float>(channels - 1)) / static_cast<float>(channels);
    g.setColour(meter_.clipped() ? colour::red : colour::track);
    g.fillRoundedRectangle(0.0f, 1.0f, width, 7.0f, 2.5f);
    const juce::ColourGradient full(colour::scale, 0.0f, y_of(-18.0f), colour::amber, 0.0f, y_of(-2.0f), false);
    for (int c = 0; c < channels; ++c) {
        const auto i = static_cast<std::size_t>(c);
        const float x = static_cast<float>(c) * (bar + gap), bottom = y_of(bottom_db);
        g.setColour(colour::night);
        g.fillRoundedRectangle(x, y_of(top_db), bar, bottom - y_of(top_db), 2.0f);
        const auto fill = [&](float db, float alpha) {
            auto gradient = full;
            gradient.multiplyOpacity(alpha);
            g.setGradientFill(gradient);
            g.fillRect(x, y_of(db), bar, bottom - y_of(db));
        };
        if (peak_db_[i] > bottom_db) fill(peak_db_[i], 0.4f);
        if (rms_db_[i] > bottom_db) fill(rms_db_[i], 1.0f);
        if (held_db_[i] > bottom_db + 0.5f) {
            g.setColour(held_db_[i] > 0.0f ? colour::red : colour::text);
            g.fillRect(x, y_of(held_db_[i]) - 0.75f, bar, 1.5f);
        }
    }
    g.setColour(colour::night.withAlpha(0.75f));
    for (const float db : {0.0f, -12.0f, -24.0f, -36.0f, -48.0f}) g.fillRect(0.0f, y_of(db), width, 1.0f);
}

History::History() {
    setName("Level history");
    setTitle("Level history of input and output");
    setInterceptsMouseClicks(false, false);
    for (std::size_t i = 0; i < history_points; ++i) points_.push_back({bottom_db, bottom_db});
}

void History::add(float input_db, float output_db) {
    points_.pop_front();
    points_.push_back({input_db, output_db});
    repaint();
}

void History::paint(juce::Graphics& g) {
    const auto area = getLocalBounds().toFloat();
    const auto y_of = [&](float db) { return area.getBottom() - area.getHeight() * (std::clamp(db, bottom_db, 0.0f) - bottom_db) / -bottom_db; };
    const auto x_of = [&](std::size_t i) { return area.getX() + area.getWidth() * static_cast<float>(i) / static_cast<float>(history_points - 1); };
    g.setFont(type(10.5f));
    for (const float db : {-12.0f, -24.0f, -36.0f, -48.0f}) {
        g.setColour(colour::edge.withAlpha(0.55f));
        g.fillRect(area.getX(), y_of(db), area.getWidth(), 1.0f);
        g.setColour(colour::faint);
        g.drawText(juce::String(db, 0), area.withY(y_of(db) - 12.0f).withHeight(12.0f).withTrimmedRight(4.0f), juce::Justification::bottomRight, false);
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
    juce::Path below = curve(&Point::output_db);
    below.lineTo(area.getBottomRight());
    below.lineTo(area.getBottomLeft());
    below.closeSubPath();
    g.setGradientFill(juce::ColourGradient::vertical(colour::scale.withAlpha(0.34f), area.getY(), colour::scale.withAlpha(0.02f), area.getBottom()));
    g.fillPath(below);
    g.setColour(colour::scale);
    g.strokePath(curve(&Point::output_db), juce::PathStrokeType(1.6f));
    g.setColour(colour::brass.withAlpha(0.85f));
    g.strokePath(curve(&Point::input_db), juce::PathStrokeType(1.3f));
}

} // namespace serpent::plugin
