// SPDX-License-Identifier: GPL-3.0-or-later
// What moves: a level meter, and the history of the levels in and out.
#pragma once

#include "chain/meter.h"
#include "editor/look.h"

#include <algorithm>
#include <array>
#include <deque>

namespace serpent::plugin {

/// Peak and RMS of one or two channels, with a mark at the recent peak and a lamp that stays on after an overload.
class LevelMeter : public juce::Component, public juce::SettableTooltipClient {
public:
    LevelMeter(Meter& meter, const juce::String& name);
    /// Looks at the meter, `seconds` after the last time, and draws anew what has changed. Returns whether anything has.
    bool refresh(double seconds);
    /// That of the louder channel at the last look.
    float rms_db() const { return *std::max_element(rms_db_.begin(), rms_db_.end()); }
    void paint(juce::Graphics&) override;
    void mouseDown(const juce::MouseEvent&) override { forget(); }
    bool keyPressed(const juce::KeyPress& key) override;
    std::unique_ptr<juce::AccessibilityHandler> createAccessibilityHandler() override;

private:
    void forget();
    float y_of(float db) const;
    juce::Rectangle<float> bars() const;
    void paint_bar(juce::Graphics& g, std::size_t channel, juce::Rectangle<float> bar) const;

    Meter& meter_;
    std::array<float, most_channels> peak_db_{}, rms_db_{}, held_db_{};
    std::array<double, most_channels> held_for_s_{};
    std::array<float, most_channels> drawn_db_{};  // the sum of the three
    float loudest_db_ = -100.0f;                   // since the user forgot it
    int channels_ = 0;
    bool clipped_ = false;
};

/// The last seconds of input and output, so that one sees a compressor ride or a supply sag.
class History : public juce::Component {
public:
    History();
    /// The levels during the last `seconds`. Returns whether the picture changes: not when it shows nothing but them.
    bool add(float input_db, float output_db, double seconds);
    void paint(juce::Graphics&) override;

private:
    struct Point {
        float input_db, output_db;
    };
    juce::Rectangle<float> plot() const;
    std::deque<Point> points_;
    double owed_points_ = 0.0;
    std::size_t level_points_ = 0;  // the last so many are all alike
};

} // namespace serpent::plugin
