// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/strip.h"

namespace serpent::plugin {

namespace {

constexpr int gap = 8, padding = 12, top = 6, head = 26;
constexpr int knob_width = 64, knob_height = 112, meter_width = 40;
constexpr int lamp_inset = 7;  // of a switch's lamp: they stand flush with the text of other cards

} // namespace

Strip::Strip(Processor& processor, Actions& actions)
    : processor_(processor), actions_(actions),
      gate_on_(*processor.parameters().gate_on, "Gate", "Gate on", "Silences what is below the threshold, before the model"),
      eq_on_(*processor.parameters().eq_on, "Equaliser", "Equaliser on", "Three bands, after the model"),
      cabinet_on_(*processor.parameters().cabinet_on, "Cabinet", "Cabinet on", "A loudspeaker's impulse response"),
      dc_block_(*processor.parameters().dc_block, "DC block", "DC block on", "Takes away what is below 7 Hz"),
      cabinet_folder_(IconButton::Icon::folder, "Load an impulse response"),
      input_meter_(processor.chain().input_meter, "Input level"), output_meter_(processor.chain().output_meter, "Output level"),
      gate_view_(processor), curve_(processor) {
    Parameters& p = processor.parameters();
    input_.attach(*p.input_db, "Input", "Input", "How loud the input reaches the model");
    threshold_.attach(*p.gate_threshold_db, "Threshold", "Gate threshold", "The gate closes below this level");
    release_.attach(*p.gate_release_ms, "Release", "Gate release", "How long the gate takes to close");
    low_.attach(*p.eq_low_db, "Bass", "Bass", "Below 120 Hz");
    mid_.attach(*p.eq_mid_db, "Middle", "Middle", "Around the middle frequency");
    mid_hz_.attach(*p.eq_mid_hz, "Mid freq", "Middle frequency", "Where Middle lifts or cuts");
    high_.attach(*p.eq_high_db, "Treble", "Treble", "Above 3.5 kHz");
    cabinet_level_.attach(*p.cabinet_db, "Level", "Cabinet level", "How loud the cabinet plays");
    mix_.attach(*p.mix, "Mix", "Mix", "0 %: the input alone; 100 %: the processed sound alone");
    output_.attach(*p.output_db, "Output", "Output", "The level at the end");
    for (Knob* knob : {&input_, &low_, &mid_, &high_, &output_}) knob->set_bipolar(true);
    cabinet_name_.setName("Cabinet menu");
    cabinet_name_.setHasFocusOutline(true);
    cabinet_name_.setTooltip("Load or remove an impulse response; a WAV can be dropped here too");
    cabinet_name_.onClick = [this] { actions_.cabinet_menu(cabinet_name_); };
    cabinet_folder_.onClick = [this] { actions_.choose_cabinet(); };
    for (juce::Component* part : std::initializer_list<juce::Component*>{
             &input_, &input_meter_, &gate_on_, &gate_view_, &curve_, &threshold_, &release_, &eq_on_, &low_, &mid_, &mid_hz_, &high_, &cabinet_on_,
             &cabinet_name_, &cabinet_folder_, &cabinet_level_, &dc_block_, &mix_, &output_, &output_meter_})
        addAndMakeVisible(part);
    update();
}

void Strip::update() {
    const auto held = processor_.session().cabinet();
    juce::String name = "No impulse response";
    if (held.content) name = held.content->file.name;
    else if (!held.wanted.empty()) name = held.wanted.name + " is missing";
    if (held.loading) name = "Loading...";
    cabinet_name_.setButtonText(name);
    cabinet_name_.setTitle("Cabinet: " + name);
    cabinet_name_.setColour(juce::TextButton::textColourOffId, held.content ? colour::text : held.wanted.empty() ? colour::quiet : colour::amber);
}

Strip::Levels Strip::refresh(double seconds) {
    bool moved = false;
    for (Shows* part : std::initializer_list<Shows*>{&input_, &threshold_, &release_, &low_, &mid_, &mid_hz_, &high_, &cabinet_level_,
                                                     &mix_, &output_, &gate_on_, &eq_on_, &cabinet_on_, &dc_block_})
        moved = part->refresh() || moved;
    const auto heard = [](const Switch& on, std::initializer_list<Knob*> knobs) {
        for (Knob* knob : knobs) knob->set_heard(on.getToggleState());
    };
    heard(gate_on_, {&threshold_, &release_}), heard(eq_on_, {&low_, &mid_, &mid_hz_, &high_});
    cabinet_level_.set_heard(cabinet_on_.getToggleState() && processor_.chain().cabinet.loaded());
    moved = input_meter_.refresh(seconds) || moved;
    moved = output_meter_.refresh(seconds) || moved;
    gate_view_.refresh(input_meter_.rms_db()), curve_.refresh();
    return {input_meter_.rms_db(), output_meter_.rms_db(), moved};
}

void Strip::paint(juce::Graphics& g) {
    for (const auto& card : {input_card_, gate_card_, eq_card_, cabinet_card_, output_card_}) draw_card(g, card.toFloat());
    g.setFont(type(13.0f, Weight::strong));
    g.setColour(colour::text);
    g.drawText("In", input_card_.reduced(padding, top).withHeight(head), juce::Justification::centredLeft);
    g.drawText("Out", output_card_.reduced(padding, top).withHeight(head), juce::Justification::centredLeft);
}

void Strip::resized() {
    auto area = getLocalBounds();
    const auto card = [&](int width) {
        const auto taken = area.removeFromLeft(width);
        area.removeFromLeft(gap);
        return taken;
    };
    // All knobs of the strip have one size and stand on one line.
    input_card_ = card(knob_width + meter_width + 2 * padding + 4), gate_card_ = card(2 * knob_width + 2 * padding);
    eq_card_ = card(4 * knob_width + 2 * padding);
    output_card_ = area.removeFromRight(2 * knob_width + meter_width + 2 * padding + 4);
    cabinet_card_ = area.withTrimmedRight(gap);
    const auto inside = [](juce::Rectangle<int> c) { return c.reduced(padding, top); };
    const auto row = [](juce::Rectangle<int> where, std::initializer_list<Knob*> knobs) {
        where = where.removeFromBottom(knob_height);
        for (Knob* knob : knobs) knob->setBounds(where.removeFromLeft(knob_width).reduced(2, 0));
    };

    auto in = inside(input_card_);
    in.removeFromTop(head);
    input_meter_.setBounds(in.removeFromRight(meter_width));
    row(in, {&input_});

    auto gate = inside(gate_card_);
    gate_on_.setBounds(gate.removeFromTop(head).withWidth(100).translated(-lamp_inset, 0));
    gate_view_.setBounds(gate.removeFromTop(26));
    row(gate, {&threshold_, &release_});

    auto eq = inside(eq_card_);
    eq_on_.setBounds(eq.removeFromTop(head).withWidth(130).translated(-lamp_inset, 0));
    curve_.setBounds(eq.withHeight(eq.getHeight() - knob_height).reduced(0, 1));
    row(eq, {&low_, &mid_, &mid_hz_, &high_});

    auto cabinet = inside(cabinet_card_);
    auto cabinet_head = cabinet.removeFromTop(head);
    cabinet_folder_.setBounds(cabinet_head.removeFromRight(26));
    cabinet_on_.setBounds(cabinet_head.translated(-lamp_inset, 0));
    cabinet_name_.setBounds(cabinet.removeFromTop(26));
    row(cabinet.withSizeKeepingCentre(knob_width, cabinet.getHeight()), {&cabinet_level_});

    auto out = inside(output_card_);
    auto out_head = out.removeFromTop(head);
    dc_block_.setBounds(out_head.withTrimmedRight(meter_width - 12).removeFromRight(92));
    output_meter_.setBounds(out.removeFromRight(meter_width));
    row(out, {&mix_, &output_});
}

} // namespace serpent::plugin
