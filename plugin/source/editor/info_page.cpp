// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/info_page.h"

#include "serpent/nam.h"

#include <utility>

namespace serpent::plugin {

namespace {

constexpr int padding = 24, name_width = 170;

juce::String text(const std::string& s) { return juce::String::fromUTF8(s.c_str()); }

/// The figures that `serpent train` and `evaluate` write, whichever of them are there.
void add_figures(const juce::var& figures, const juce::String& part, const std::function<void(juce::String, juce::String)>& add) {
    const auto* of = figures[juce::Identifier(part)].getDynamicObject();
    if (!of) return;
    juce::String line;
    const auto figure = [&](const char* key, const juce::String& shown, const juce::String& unit, int digits) {
        if (!of->hasProperty(key)) return;
        const double value = of->getProperty(key);
        line << (line.isEmpty() ? "" : ",  ") << shown << " "
             << (unit.isEmpty() ? juce::String::formatted("%.2g", value) : rounded(value, digits) + unit);
    };
    figure("esr", "ESR", "", 0);
    figure("mrstft", "MR-STFT", "", 0);
    figure("envelope_rms_db", "envelope", " dB rms", 2);
    figure("static_gain_esr", "a plain gain alone: ESR", "", 0);
    if (line.isNotEmpty()) add(part == "test" ? "Error on test audio" : "Error on validation", line);
}

} // namespace

InfoPage::InfoPage(std::function<void()> close) : close_(std::move(close)), close_button_(IconButton::Icon::close, "Close") {
    setName("About this model");
    setTitle("About this model");
    setWantsKeyboardFocus(true);
    close_button_.onClick = [this] { close_(); };
    text_.setColour(juce::Label::textColourId, juce::Colours::transparentBlack);
    text_.setInterceptsMouseClicks(false, false);
    addAndMakeVisible(text_), addAndMakeVisible(close_button_);
}

std::vector<InfoPage::Row> InfoPage::rows_about(const Capture& capture) {
    const Model& model = *capture.model;
    const ModelConfig& config = model.config;
    const Metadata& about = model.metadata;
    std::vector<Row> rows;
    const auto add = [&](const juce::String& name, const juce::String& value) {
        if (value.isNotEmpty()) rows.push_back({name, value});
    };
    add("Author", text(about.author));
    add("Licence", text(about.license));
    add("Gear", text(about.gear));
    add("About", text(about.description));
    add("Sample rate", juce::String(config.sample_rate) + " Hz" + (config.channels > 1 ? ", " + juce::String(config.channels) + " channels" : ""));
    add("Size", juce::String(static_cast<int>(model.parameter_count())) + " parameters, " +
                    juce::String(static_cast<int>(model.macs_per_sample())) + " multiplications a sample");
    if (model.nam) add("Network", text(model.nam->architecture + ", " + model.nam->layout));
    else add("Layers", juce::String(config.n_layers) + " of width " + juce::String(config.d_inner()) + ", " + juce::String(config.d_state) + " states");
    add("Remembers", capture.memory_s >= 0.05 ? juce::String(capture.memory_s, 1) + " s" : juce::String(1000.0 * capture.memory_s, 1) + " ms");
    if (!capture.loudness_known) add("Loudness", "not known: this capture is too costly to measure");
    else
        add("Loudness", juce::String(capture.loudness_db, 1) + " dB" + (model.nam ? "" : " for an input of -18 dBFS") +
                            (capture.loudness_measured ? ", measured here" : ""));
    if (about.input_level_dbu) add("Full scale is", juce::String(*about.input_level_dbu, 1) + " dBu");
    juce::StringArray knobs;
    for (const Control& control : config.controls)
        knobs.add(text(control.name) + " " + juce::String(control.min) + " to " + juce::String(control.max) + (control.unit.empty() ? "" : " " + text(control.unit)));
    add("Knobs", knobs.joinIntoString(",  "));
    const juce::var figures = juce::JSON::parse(text(about.training));
    add_figures(figures, "test", add);
    add_figures(figures, "valid", add);
    if (figures["seconds"].isDouble() || figures["seconds"].isInt())
        add("Trained", rounded(figures["seconds"], 0) + " s, " + figures["steps"].toString() + " updates");
    add("File", capture.file.path.isEmpty() ? "comes with Serpent" : capture.file.path);
    add("SHA-256", capture.file.sha256);
    return rows;
}

void InfoPage::show(const Capture& capture) {
    title_ = capture.title();
    rows_ = rows_about(capture);
    juce::String spoken = title_;
    for (const Row& row : rows_) spoken << "\n" << row.name << ": " << row.value;
    text_.setTitle(spoken);
    text_.setText(spoken, juce::dontSendNotification);
    setVisible(true);
    toFront(false);
    if (isShowing()) grabKeyboardFocus();
    repaint();
}

bool InfoPage::keyPressed(const juce::KeyPress& key) {
    if (key != juce::KeyPress::escapeKey) return false;
    close_();
    return true;
}

void InfoPage::paint(juce::Graphics& g) {
    g.fillAll(colour::night.withAlpha(0.7f));
    draw_card(g, getLocalBounds().toFloat());
    auto area = getLocalBounds().reduced(padding, 18);
    g.setColour(colour::text);
    g.setFont(type(22.0f, Weight::strong));
    g.drawText(title_, area.removeFromTop(34).withTrimmedRight(40), juce::Justification::centredLeft);
    area.removeFromTop(8);
    const int height = std::min(27, area.getHeight() / std::max(1, static_cast<int>(rows_.size())));
    for (const Row& row : rows_) {
        auto line = area.removeFromTop(height);
        g.setFont(type(13.5f));
        g.setColour(colour::quiet);
        g.drawText(row.name, line.removeFromLeft(name_width), juce::Justification::centredLeft);
        g.setColour(colour::text);
        g.drawFittedText(row.value, line, juce::Justification::centredLeft, 1, 0.7f);
    }
}

void InfoPage::resized() {
    text_.setBounds(getLocalBounds());
    close_button_.setBounds(getLocalBounds().reduced(padding - 8, 16).removeFromTop(34).removeFromRight(34));
}

} // namespace serpent::plugin
