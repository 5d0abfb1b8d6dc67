// SPDX-License-Identifier: GPL-3.0-or-later
// Small pictures of what a part of the chain does: the equaliser's curve, the input against the gate's threshold.
#pragma once

#include "editor/look.h"
#include "processor.h"

namespace serpent::plugin {

class EqualizerCurve : public juce::Component {
public:
    explicit EqualizerCurve(Processor& processor) : processor_(processor) { setInterceptsMouseClicks(false, false); }
    void refresh();
    void paint(juce::Graphics&) override;

private:
    Processor& processor_;
    EqualizerSettings shown_;
    bool on_ = false;
};

class GateView : public juce::Component {
public:
    explicit GateView(Processor& processor) : processor_(processor) { setInterceptsMouseClicks(false, false); }
    void refresh(float input_db);
    void paint(juce::Graphics&) override;

private:
    Processor& processor_;
    float input_db_ = -100.0f, threshold_db_ = 0.0f;
    bool on_ = false;
};

} // namespace serpent::plugin
