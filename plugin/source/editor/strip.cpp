// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/strip.h"

namespace serpent::plugin {

namespace {

constexpr int gap = 8, padding = 12, head = 26;

} // namespace

Strip::Strip(Processor& processor, Actions& actions)
    : processor_(processor), actions_(actions),
      gate_on_(*processor.parameters().gate_on, "Gate", "Gate on", "Silences what is below the threshold, before the model"),
      eq_on_(*processor.parameters().eq_on, "Equaliser", "Equaliser on", "Three bands, after the model"),
      cabinet_on_(*processor.parameters().cabinet_on, "Cabinet", "Cabinet on", "A loudspeaker's impulse response"),
      dc_block_(*processor.parameters().dc_block, "DC block", "DC block on", "Takes away what is below 7 Hz"),
      cabinet_folder_(IconButton::Icon::folder, "Load an impulse response"),
      input_meter_(processor.chain().input_meter, "Input level"), output_meter_(processor.chain().output_meter, "Output level") {
    Parameters& p = processor.parameters();
    input_.attach(*p.input_db, "Input", "Input");
    threshold_.attach(*p.gate_threshold_db, "Threshold", "Gate threshold");
    release_.attach(*p.gate_release_ms, "Release", "Gate release");
    low_.attach(*p.eq_low_db, "Bass", "Bass");
    mid_.attach(*p.eq_mid_db, "Middle", "Middle");
    mid_hz_.attach(*p.eq_mid_hz, "Mid freq", "Middle frequency");
    high_.attach(*p.eq_high_db, "Treble", "Treble");
    cabinet_level_.attach(*p.cabinet_db, "Level", "Cabinet level");
    mix_.attach(*p.mix, "Mix", "Mix");
    output_.attach(*p.output_db, "Output", "Output");
    for (Knob* knob : {&input_, &low_, &mid_, &high_, &output_}) knob->set_bipolar(true);
    cabinet_name_.setName("Cabinet menu");
    cabinet_name_.setHasFocusOutline(true);
    cabinet_name_.setTooltip("Load or remove an impulse response; a WAV can be dropped here too");
    cabinet_name_.onClick = [this] { actions_.cabinet_menu(cabinet_name_); };
    cabinet_folder_.onClick = [this] { actions_.choose_cabinet(); };
    for (juce::Component* part : std::initializer_list<juce::Component*>{
             &input_, &input_meter_, &gate_on_, &threshold_, &release_, &eq_on_, &low_, &mid_, &mid_hz_, &high_, &cabinet_on_,
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
    for (Knob* knob : {&input_, &threshold_, &release_, &low_, &mid_, &mid_hz_, &high_, &cabinet_level_, &mix_, &output_}) knob->refresh();
    for (Switch* part : {&gate_on_, &eq_on_, &cabinet_on_, &dc_block_}) part->refresh();
    return {input_meter_.refresh(seconds), output_meter_.refresh(seconds)};
}

void Strip::paint(juce::Graphics& g) {
    for (const auto& card : {input_card_, gate_card_, eq_card_, cabinet_card_, output_card_}) draw_card(g, card.toFloat());
    g.setFont(type(13.0f, Weight::strong));
    g.setColour(colour::text);
    g.drawText("In", input_card_.reduced(padding, 0).withHeight(head + 8), juce::Justification::centredLeft);
    g.drawText("Out", output_card_.reduced(padding, 0).withHeight(head + 8), juce::Justification::centredLeft);
}

void Strip::resized() {
    auto area = getLocalBounds();
    const auto card = [&](int width) {
        const auto taken = area.removeFromLeft(width);
        area.removeFromLeft(gap);
        return taken;
    };
    input_card_ = card(128), gate_card_ = card(166), eq_card_ = card(300), cabinet_card_ = card(150), output_card_ = area;
    const auto inside = [](juce::Rectangle<int> c) { return c.reduced(padding, 6); };
    constexpr int knob_height = 118;
    const auto place = [](Knob& knob, juce::Rectangle<int> where) { knob.setBounds(where.withSizeKeepingCentre(std::min(where.getWidth(), 86), knob_height)); };

    auto in = inside(input_card_);
    in.removeFromTop(head);
    input_meter_.setBounds(in.removeFromRight(18).reduced(0, 6));
    place(input_, in);

    auto gate = inside(gate_card_);
    gate_on_.setBounds(gate.removeFromTop(head).withWidth(100));
    place(threshold_, gate.removeFromLeft(gate.getWidth() / 2));
    place(release_, gate);

    auto eq = inside(eq_card_);
    eq_on_.setBounds(eq.removeFromTop(head).withWidth(130));
    const int quarter = eq.getWidth() / 4;
    for (Knob* knob : {&low_, &mid_, &mid_hz_}) place(*knob, eq.removeFromLeft(quarter));
    place(high_, eq);

    auto cabinet = inside(cabinet_card_);
    auto cabinet_head = cabinet.removeFromTop(head);
    cabinet_folder_.setBounds(cabinet_head.removeFromRight(26));
    cabinet_on_.setBounds(cabinet_head);
    cabinet.removeFromTop(4);
    cabinet_name_.setBounds(cabinet.removeFromTop(26));
    place(cabinet_level_, cabinet);

    auto out = inside(output_card_);
    auto out_head = out.removeFromTop(head);
    dc_block_.setBounds(out_head.removeFromRight(96));
    output_meter_.setBounds(out.removeFromRight(18).reduced(0, 6));
    place(mix_, out.removeFromLeft(out.getWidth() / 2));
    place(output_, out);
}

} // namespace serpent::plugin
