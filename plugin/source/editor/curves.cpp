// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/curves.h"

#include <cmath>

namespace serpent::plugin {

namespace {

constexpr float most_db = 18.0f;           // of the curve's height, up and down
constexpr double from_hz = 30.0, to_hz = 16000.0;
constexpr float gate_bottom_db = -96.0f;   // that of its knob

} // namespace

void EqualizerCurve::refresh() {
    const EqualizerSettings now = processor_.chain().equalizer_settings();
    const bool on = processor_.parameters().eq_on->on();
    if (now == shown_ && on == on_) return;
    shown_ = now, on_ = on;
    repaint();
}

void EqualizerCurve::paint(juce::Graphics& g) {
    const auto area = getLocalBounds().toFloat().reduced(0.5f);
    const auto y_of = [&](double db) { return area.getCentreY() - 0.5f * area.getHeight() * static_cast<float>(db) / most_db; };
    const auto x_of = [&](double hz) {
        return area.getX() + area.getWidth() * static_cast<float>(std::log(hz / from_hz) / std::log(to_hz / from_hz));
    };
    g.setColour(colour::night.withAlpha(0.45f));
    g.fillRoundedRectangle(area, 4.0f);
    g.setColour(colour::edge.withAlpha(0.8f));
    for (const double hz : {100.0, 1000.0, 10000.0}) g.fillRect(x_of(hz), area.getY(), 1.0f, area.getHeight());
    g.fillRect(area.withTop(y_of(0.0)).withHeight(1.0f));
    std::vector<double> frequencies;
    for (int x = 0; x <= getWidth(); x += 2) frequencies.push_back(from_hz * std::pow(to_hz / from_hz, static_cast<double>(x) / getWidth()));
    const double rate_hz = processor_.sample_rate_hz() > 0.0 ? processor_.sample_rate_hz() : 48000.0;
    const auto gains = equalizer_gains_db(shown_, frequencies, std::max(rate_hz, 2.1 * to_hz));
    juce::Path curve;
    for (std::size_t i = 0; i < gains.size(); ++i) {
        const juce::Point<float> at(x_of(frequencies[i]), y_of(gains[i]));
        if (i == 0) curve.startNewSubPath(at);
        else curve.lineTo(at);
    }
    g.reduceClipRegion(getLocalBounds());
    g.setColour(on_ ? colour::scale : colour::faint.withAlpha(0.6f));
    g.strokePath(curve, juce::PathStrokeType(1.6f));
}

void GateView::refresh(float input_db) {
    const float threshold = processor_.parameters().gate_threshold_db->plain();
    const bool on = processor_.parameters().gate_on->on();
    if (threshold == threshold_db_ && on == on_ && std::abs(input_db - input_db_) < 0.1f) return;
    threshold_db_ = threshold, on_ = on, input_db_ = input_db;
    repaint();
}

void GateView::paint(juce::Graphics& g) {
    const auto area = getLocalBounds().toFloat().reduced(0.5f);
    const auto x_of = [&](float db) { return area.getX() + area.getWidth() * juce::jlimit(0.0f, 1.0f, 1.0f - db / gate_bottom_db); };
    const auto bar = area.withSizeKeepingCentre(area.getWidth(), 6.0f);
    g.setColour(colour::night.withAlpha(0.7f));
    g.fillRoundedRectangle(bar, 3.0f);
    const bool open = input_db_ >= threshold_db_;
    g.setColour(!on_ || open ? colour::scale.withAlpha(on_ ? 1.0f : 0.4f) : colour::faint);
    if (input_db_ > gate_bottom_db) g.fillRoundedRectangle(bar.withRight(std::max(x_of(input_db_), bar.getX() + 6.0f)), 3.0f);
    g.setColour(on_ ? colour::brass : colour::faint);
    g.fillRoundedRectangle(juce::Rectangle<float>(2.0f, 16.0f).withCentre({x_of(threshold_db_), bar.getCentreY()}), 1.0f);
}

} // namespace serpent::plugin
