// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor/actions.h"

#include "library/factory.h"
#include "serpent/errors.h"
#include "state/presets.h"

#include <algorithm>
#include <vector>

namespace serpent::plugin {

namespace {

constexpr const char* model_pattern = "*.safetensors;*.nam";
constexpr const char* audio_pattern = "*.wav;*.aif;*.aiff;*.flac";

bool matches(const juce::String& path, const char* patterns) {
    const juce::String extension = "*" + juce::File::createFileWithoutCheckingPath(path).getFileExtension().toLowerCase();
    return juce::StringArray::fromTokens(patterns, ";", "").contains(extension);
}

juce::PopupMenu::Options below(juce::Component& component) { return juce::PopupMenu::Options().withTargetComponent(component).withMinimumWidth(200); }

std::vector<juce::File> siblings(const juce::File& file) {
    std::vector<juce::File> files;
    for (const juce::File& f : file.getParentDirectory().findChildFiles(juce::File::findFiles, false, model_pattern)) files.push_back(f);
    std::sort(files.begin(), files.end(), [](const juce::File& a, const juce::File& b) { return a.getFileName().compareNatural(b.getFileName()) < 0; });
    return files;
}

/// The element `step` away from `found` (end: before the first), around the corner.
template <class List, class Iterator>
auto& around(List& list, Iterator found, int step) {
    const auto size = static_cast<int>(list.size());
    const int at = found == list.end() ? (step > 0 ? -1 : 0) : static_cast<int>(found - list.begin());
    return list[static_cast<std::size_t>(((at + step) % size + size) % size)];
}

} // namespace

void Actions::open_dropped(const juce::StringArray& paths) {
    const auto say = [&](const juce::String& text) { processor_.session().set_notice(text); };
    if (paths.isEmpty()) return;
    if (paths.size() > 1) return say("Drop one file at a time: a model, an impulse response or a preset");
    const juce::String& path = paths[0];
    const juce::String name = juce::File::createFileWithoutCheckingPath(path).getFileName();
    if (!juce::File::isAbsolutePath(path)) return say("Drop a file: a model, an impulse response or a preset");
    if (juce::File(path).isDirectory()) return say("\"" + name + "\" is a folder: drop one of the files that are in it");
    if (!matches(path, model_pattern) && !matches(path, audio_pattern) && !path.endsWithIgnoreCase(preset_extension))
        return say("\"" + name + "\" cannot be used here: drop a model (.safetensors, .nam), an impulse response (WAV, AIFF, FLAC) " +
                   "or a preset (" + preset_extension + ")");
    open(juce::File(path));
}

void Actions::open(const juce::File& file) {
    if (matches(file.getFileName(), model_pattern)) return load_model(file);
    if (matches(file.getFileName(), audio_pattern)) return load_cabinet(file);
    try {
        State preset = read_user_preset(file);
        edits().remember("preset " + preset.preset);
        processor_.apply(std::move(preset));
    } catch (const Error& error) {
        processor_.session().set_notice(juce::String::fromUTF8(error.what()));
    }
}

void Actions::choose(const juce::String& title, const juce::String& kind, const juce::String& pattern, Chosen chosen) {
    chooser_ = std::make_unique<juce::FileChooser>(title, settings_->folder(kind), pattern);
    chooser_->launchAsync(juce::FileBrowserComponent::openMode | juce::FileBrowserComponent::canSelectFiles,
                          [this, kind, chosen = std::move(chosen)](const juce::FileChooser& dialog) {
                              const juce::File file = dialog.getResult();
                              if (file == juce::File()) return;
                              settings_->set_folder(kind, file.getParentDirectory());
                              chosen(file);
                          });
}

// --- models -------------------------------------------------------------------------------------------------------------

void Actions::load_model(const juce::File& file) {
    settings_->add_recent_model(file);
    edits().remember("model " + file.getFileNameWithoutExtension());
    processor_.session().load_model(active_slot(), file);
}

void Actions::load_factory_model(const juce::String& id) {
    edits().remember("model " + id);
    processor_.session().load_factory_model(active_slot(), id);
}

void Actions::load_cabinet(const juce::File& file) {
    edits().remember("impulse response " + file.getFileNameWithoutExtension());
    processor_.session().load_cabinet(file);
}

void Actions::set_rate_options(bool resample, int oversampling) {
    edits().remember("sample rate");
    processor_.session().set_rate_options(resample, oversampling);
}

void Actions::copy_slot() {
    edits().remember(active_slot() == 0 ? "copy of A to B" : "copy of B to A");
    processor_.session().copy_model(active_slot(), 1 - active_slot());
}

void Actions::choose_model() {
    choose("Load a model", "model", model_pattern, [this](const juce::File& file) { load_model(file); });
}

void Actions::step_model(int step) {
    const auto held = processor_.session().model(active_slot());
    const SourceFile& source = held.content ? held.content->file : held.wanted;
    if (juce::File::isAbsolutePath(source.path)) {
        const auto files = siblings(juce::File(source.path));
        if (!files.empty()) load_model(around(files, std::find(files.begin(), files.end(), juce::File(source.path)), step));
        return;
    }
    const auto& models = factory_models();
    if (models.empty()) return;
    const auto found = std::find_if(models.begin(), models.end(), [&](const FactoryModel& m) { return m.id == source.name; });
    load_factory_model(around(models, found, step).id);
}

void Actions::model_menu(juce::Component& at) {
    juce::PopupMenu menu;
    menu.addItem("Load a model...", [this] { choose_model(); });
    juce::PopupMenu recent;
    for (const juce::String& path : settings_->recent_models()) {
        const juce::File file(path);
        recent.addItem(file.getFileNameWithoutExtension(), file.existsAsFile(), false, [this, file] { load_model(file); });
    }
    menu.addSubMenu("Recent", recent, recent.getNumItems() > 0);
    menu.addSectionHeader("Comes with Serpent");
    const auto held = processor_.session().model(active_slot());
    for (const FactoryModel& model : factory_models()) {
        const bool current = held.content && held.content->file.path.isEmpty() && held.content->file.name == model.id;
        menu.addItem(model.title, true, current, [this, id = model.id] { load_factory_model(id); });
    }
    menu.addSeparator();
    const bool has_path = held.content && held.content->file.path.isNotEmpty();
    menu.addItem("Show in its folder", has_path, false, [held] { juce::File(held.content->file.path).revealToUser(); });
    menu.addItem("Empty this slot", held.content || !held.wanted.empty(), false, [this] {
        edits().remember("emptied slot");
        processor_.session().clear_model(active_slot());
    });
    menu.setLookAndFeel(&at.getLookAndFeel());
    menu.showMenuAsync(below(at));
}

// --- cabinet ------------------------------------------------------------------------------------------------------------

void Actions::choose_cabinet() {
    choose("Load an impulse response", "impulse", audio_pattern, [this](const juce::File& file) { load_cabinet(file); });
}

void Actions::cabinet_menu(juce::Component& at) {
    const auto held = processor_.session().cabinet();
    juce::PopupMenu menu;
    menu.addItem("Load an impulse response...", [this] { choose_cabinet(); });
    menu.addItem("Remove", held.content || !held.wanted.empty(), false, [this] {
        edits().remember("removed impulse response");
        processor_.session().clear_cabinet();
    });
    menu.setLookAndFeel(&at.getLookAndFeel());
    menu.showMenuAsync(below(at));
}

// --- presets ------------------------------------------------------------------------------------------------------------

void Actions::step_preset(int step) {
    const int count = processor_.getNumPrograms() + static_cast<int>(user_presets().size());
    int current = processor_.session().program();
    const auto files = user_presets();
    for (std::size_t i = 0; i < files.size(); ++i)
        if (preset_name(files[i]) == processor_.session().preset_name()) current = processor_.getNumPrograms() + static_cast<int>(i);
    apply_preset((current + step + count) % count);
}

void Actions::apply_preset(int number) {
    edits().remember("preset");
    processor_.apply_preset(number);
}

void Actions::preset_menu(juce::Component& at) {
    juce::PopupMenu menu;
    const juce::String current = processor_.session().preset_name();
    menu.addSectionHeader("Factory");
    for (int i = 0; i < processor_.getNumPrograms(); ++i)
        menu.addItem(processor_.getProgramName(i), true, processor_.getProgramName(i) == current, [this, i] { apply_preset(i); });
    menu.addSectionHeader("Yours");
    const auto files = user_presets();
    juce::PopupMenu rename, remove;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const juce::String name = preset_name(files[i]);
        menu.addItem(name, true, name == current, [this, file = files[i]] { open(file); });
        rename.addItem(name, [this, file = files[i]] { rename_preset(file); });
        remove.addItem(name, [this, file = files[i]] { delete_preset(file); });
    }
    menu.addItem("Save as...", [this] { save_preset(); });
    menu.addSubMenu("Rename", rename, !files.empty());
    menu.addSubMenu("Delete", remove, !files.empty());
    menu.addItem("Open the folder", user_preset_folder().isDirectory(), false, [] { user_preset_folder().revealToUser(); });
    menu.setLookAndFeel(&at.getLookAndFeel());
    menu.showMenuAsync(below(at));
}

void Actions::trying(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        processor_.session().set_notice(juce::String::fromUTF8(error.what()));
    }
}

void Actions::ask(const juce::String& title, const juce::String& text, const juce::String& button, const juce::String* typed,
                  std::function<void(const juce::String&)> afterwards) {
    question_ = std::make_unique<juce::AlertWindow>(title, text, juce::MessageBoxIconType::NoIcon);
    question_->setOpaque(false);
    face->addChildComponent(*question_);  // not a window of its own, which hosts put behind theirs or leave without keys
    if (typed) question_->addTextEditor("name", *typed);
    question_->addButton(button, 1, juce::KeyPress(juce::KeyPress::returnKey));
    question_->addButton("Cancel", 0, juce::KeyPress(juce::KeyPress::escapeKey));
    question_->setCentrePosition(face->getLocalBounds().getCentre());
    const juce::Component::SafePointer<juce::AlertWindow> window(question_.get());
    const juce::Component::SafePointer<juce::Component> focused(juce::Component::getCurrentlyFocusedComponent());
    const auto answered = [this, window, focused, afterwards = std::move(afterwards)](int pressed) {
        if (!window) return;  // the editor was closed, and these actions with it
        const juce::String name = window->getTextEditorContents("name");
        window->setVisible(false);
        if (focused && focused->isShowing()) focused->grabKeyboardFocus();
        if (pressed == 1) trying([&] { afterwards(name); });
    };
    question_->enterModalState(true, juce::ModalCallbackFunction::create(answered));
    if (typed && question_->isShowing()) question_->getTextEditor("name")->grabKeyboardFocus();
}

void Actions::keep_keyboard_in_question() {
    auto* typed = question_ && question_->isShowing() ? question_->getTextEditor("name") : nullptr;
    if (typed && face->hasKeyboardFocus(true) && !question_->hasKeyboardFocus(true)) typed->grabKeyboardFocus();
}

void Actions::save_preset() {
    const juce::String current = processor_.session().preset_name();
    ask("Save the preset", "Its name:", "Save", &current, [this](const juce::String& name) { save_preset_as(name); });
}

void Actions::save_preset_as(const juce::String& name) {
    const juce::File file = preset_file(name);
    if (!file.existsAsFile()) return write_preset(file);
    ask("Replace \"" + preset_name(file) + "\"?", "A preset of this name is there already.", "Replace", nullptr,
        [this, file](const juce::String&) { write_preset(file); });
}

void Actions::write_preset(const juce::File& file) {
    save_user_preset(file, processor_.session().state());
    processor_.session().set_preset(processor_.session().program(), preset_name(file));
}

void Actions::rename_preset(const juce::File& file) {
    const juce::String old = preset_name(file);
    ask("Rename \"" + old + "\"", "Its new name:", "Rename", &old, [this, file, old](const juce::String& name) {
        rename_user_preset(file, name);
        if (processor_.session().preset_name() == old) processor_.session().set_preset(processor_.session().program(), name.trim());
    });
}

void Actions::delete_preset(const juce::File& file) {
    ask("Delete \"" + preset_name(file) + "\"?", "This cannot be undone.", "Delete", nullptr, [this, file](const juce::String&) {
        delete_user_preset(file);
        if (processor_.session().preset_name() == preset_name(file)) processor_.session().set_preset(processor_.session().program(), {});
    });
}

// --- settings -----------------------------------------------------------------------------------------------------------

juce::PopupMenu Actions::size_menu() {
    juce::PopupMenu menu;
    for (const int percent : {75, 100, 125, 150, 175, 200, 250, 300})
        menu.addItem(juce::String(percent) + " %", percent <= 100.0 * largest_scale(), juce::roundToInt(100.0 * scale()) == percent,
                     [this, percent] { set_scale(percent / 100.0); });
    return menu;
}

juce::PopupMenu Actions::rate_menu() {
    juce::PopupMenu menu;
    Session& session = processor_.session();
    const bool resample = session.resamples();
    const int factor = session.oversampling();
    menu.addSectionHeader("When the host's rate is not the model's");
    menu.addItem("Scale the model: no latency", true, !resample, [this, factor] { set_rate_options(false, factor); });
    menu.addItem("Resample: exact, 2 ms of latency", true, resample, [this, factor] { set_rate_options(true, factor); });
    menu.addSectionHeader("Oversampling");
    for (const int n : {1, 2, 4})
        menu.addItem(n == 1 ? juce::String("Off") : juce::String(n) + " times", true, factor == n,
                     [this, resample, n] { set_rate_options(resample, n); });
    return menu;
}

void Actions::settings_menu(juce::Component& at) {
    juce::PopupMenu menu;
    menu.addSubMenu("Window size", size_menu());
    menu.addSubMenu("Sample rate", rate_menu());
    auto* guard = processor_.parameters().guard;
    menu.addItem("Output guard at +12 dBFS", true, guard->on(), [guard] { set_by_user(*guard, guard->on() ? 0.0f : 1.0f); });
    menu.addSeparator();
    menu.addItem(juce::String("Serpent ") + JucePlugin_VersionString, false, false, nullptr);
    menu.setLookAndFeel(&at.getLookAndFeel());
    menu.showMenuAsync(below(at));
}

void Actions::locate_missing() {
    Session& session = processor_.session();
    for (int slot = 0; slot < slot_count; ++slot) {
        const auto held = session.model(slot);
        if (held.content || held.wanted.empty()) continue;
        choose("Where is \"" + held.wanted.name + "\"?", "model", model_pattern,
               [this, slot](const juce::File& file) { processor_.session().relink_model(slot, file); });
        return;
    }
    const auto cabinet = session.cabinet();
    if (!cabinet.content && !cabinet.wanted.empty())
        choose("Where is \"" + cabinet.wanted.name + "\"?", "impulse", audio_pattern,
               [this](const juce::File& file) { processor_.session().load_cabinet(file); });
}

} // namespace serpent::plugin
