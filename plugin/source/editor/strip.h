// SPDX-License-Identifier: GPL-3.0-or-later
// The rest of the chain, from left to right: input, gate, equaliser, cabinet, output.
#pragma once

#include "editor/actions.h"
#include "editor/curves.h"
#include "editor/knob.h"
#include "editor/levels.h"
#include "editor/model_panel.h"

namespace serpent::plugin {

class Strip : public juce::Component {
public:
    Strip(Processor& processor, Actions& actions);
    void update();
    struct Levels {
        float input_db, output_db;  // RMS
        bool moved;                 // anything in the strip
    };
    Levels refresh(double seconds);
    void paint(juce::Graphics&) override;
    void resized() override;

private:
    Processor& processor_;
    Actions& actions_;
    Knob input_, threshold_, release_, low_, mid_, mid_hz_, high_, cabinet_level_, mix_, output_;
    Switch gate_on_, eq_on_, cabinet_on_, dc_block_;
    juce::TextButton cabinet_name_;
    IconButton cabinet_folder_;
    LevelMeter input_meter_, output_meter_;
    GateView gate_view_;
    EqualizerCurve curve_;
    juce::Rectangle<int> input_card_, gate_card_, eq_card_, cabinet_card_, output_card_;
};

} // namespace serpent::plugin
