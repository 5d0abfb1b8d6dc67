// SPDX-License-Identifier: GPL-3.0-or-later
// What the editor's buttons do: menus, dialogs, the next file in the folder.
#pragma once

#include "library/settings.h"
#include "processor.h"

#include <juce_gui_basics/juce_gui_basics.h>

#include <functional>
#include <memory>

namespace serpent::plugin {

class Actions {
public:
    explicit Actions(Processor& processor) : processor_(processor) {}

    /// Loads whatever the file is: a model, an impulse response or a preset.
    void open(const juce::File& file);
    /// What was dropped on the window: opens it, or says why not.
    void open_dropped(const juce::StringArray& paths);

    void choose_model();
    void step_model(int step);  ///< to the next or previous in the folder, or among those that come with the plugin
    void model_menu(juce::Component& at);
    void copy_slot();  ///< the active one to the other

    void choose_cabinet();
    void cabinet_menu(juce::Component& at);

    void step_preset(int step);
    void preset_menu(juce::Component& at);
    void save_preset();

    void settings_menu(juce::Component& at);
    /// For the first thing that is missing.
    void locate_missing();

    /// For now and then: what else had the keyboard when the question came may have taken it back.
    void keep_keyboard_in_question();

    int active_slot() const { return processor_.parameters().active_slot(); }

    std::function<void(double)> set_scale;  ///< the editor's
    std::function<double()> scale, largest_scale;
    juce::Component* face = nullptr;  ///< what questions stand on

private:
    using Chosen = std::function<void(const juce::File&)>;
    void choose(const juce::String& title, const juce::String& kind, const juce::String& pattern, Chosen chosen);
    void load_model(const juce::File& file);
    void load_factory_model(const juce::String& id);
    void load_cabinet(const juce::File& file);
    void set_rate_options(bool resample, int oversampling);
    void apply_preset(int number);
    void save_preset_as(const juce::String& name);
    void write_preset(const juce::File& file);
    void rename_preset(const juce::File& file);
    void delete_preset(const juce::File& file);
    /// Shows a question; afterwards() is called with what was typed when its first button is pressed.
    void ask(const juce::String& title, const juce::String& text, const juce::String& button, const juce::String* typed,
             std::function<void(const juce::String&)> afterwards);
    /// What fails becomes a message of the window.
    void trying(const std::function<void()>& action);
    Edits& edits() { return processor_.edits(); }
    juce::PopupMenu size_menu();
    juce::PopupMenu rate_menu();

    Processor& processor_;
    juce::SharedResourcePointer<Settings> settings_;
    std::unique_ptr<juce::FileChooser> chooser_;
    std::unique_ptr<juce::AlertWindow> question_;
};

} // namespace serpent::plugin
