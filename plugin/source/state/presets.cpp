// SPDX-License-Identifier: GPL-3.0-or-later
#include "state/presets.h"

#include "library/factory.h"
#include "library/settings.h"
#include "serpent/errors.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace serpent::plugin {

namespace {

struct Setting {
    const char* id;
    float plain;
};
struct Recipe {
    const char *name, *model;  // model: the name of its file
    std::vector<Setting> settings;
};

/// Those whose model does not come with this build are left out; a model without a recipe becomes a preset as it is.
const std::vector<Recipe>& recipes() {
    static const std::vector<Recipe> all{
        {"Valve Amplifier", "zamtube", {}},
        {"Warm Valve, Half Mix", "zamtube", {{"mix", 60}, {"eq_on", 1}, {"eq_low_db", 2}, {"eq_high_db", -2}}},
        {"Overdrive", "scream", {}},
        {"Tight Overdrive", "scream", {{"gate_on", 1}, {"gate_threshold_db", -60}, {"eq_on", 1}, {"eq_low_db", -4}, {"eq_mid_db", 3},
                                       {"eq_mid_hz", 900}, {"normalise", 1}}},
        {"Fuzz", "fuzzface", {}},
        {"Dark Fuzz", "fuzzface", {{"gate_on", 1}, {"gate_threshold_db", -62}, {"eq_on", 1}, {"eq_low_db", 3}, {"eq_high_db", -6},
                                   {"normalise", 1}}},
        {"Optical Levelling", "opto", {}},
        {"Compressor", "zamcomp", {}},
        {"Parallel Compression", "zamcomp", {{"mix", 50}, {"output_db", 3}}},
        {"Compressor, Two Knobs", "zamcomp_knobs", {}},
    };
    return all;
}

struct FactoryPreset {
    juce::String name, model;
    std::vector<Setting> settings;
};

const std::vector<FactoryPreset>& factory_presets() {
    static const std::vector<FactoryPreset> presets = [] {
        std::vector<FactoryPreset> list;
        const auto& models = factory_models();
        for (const Recipe& recipe : recipes())
            if (std::any_of(models.begin(), models.end(), [&](const FactoryModel& m) { return m.id == recipe.model; }))
                list.push_back({recipe.name, recipe.model, recipe.settings});
        for (const FactoryModel& model : models)
            if (std::none_of(list.begin(), list.end(), [&](const FactoryPreset& p) { return p.model == model.id; }))
                list.push_back({model.title, model.id, {}});
        if (list.empty()) list.push_back({"No model", {}, {}});
        return list;
    }();
    return presets;
}

/// The parameters of no plugin in particular, to turn plain values into normalised ones.
class Ranges : public juce::AudioProcessor {
public:
    Ranges() : parameters(*this) {}
    Parameters parameters;

private:
    const juce::String getName() const override { return "ranges"; }
    void prepareToPlay(double, int) override {}
    void releaseResources() override {}
    void processBlock(juce::AudioBuffer<float>&, juce::MidiBuffer&) override {}
    double getTailLengthSeconds() const override { return 0; }
    bool acceptsMidi() const override { return false; }
    bool producesMidi() const override { return false; }
    juce::AudioProcessorEditor* createEditor() override { return nullptr; }
    bool hasEditor() const override { return false; }
    int getNumPrograms() override { return 1; }
    int getCurrentProgram() override { return 0; }
    void setCurrentProgram(int) override {}
    const juce::String getProgramName(int) override { return {}; }
    void changeProgramName(int, const juce::String&) override {}
    void getStateInformation(juce::MemoryBlock&) override {}
    void setStateInformation(const void*, int) override {}
};

float normalised(const char* id, float plain) {
    const Ranges ranges;
    for (const auto* parameter : ranges.parameters.all)
        if (parameter->getParameterID() == id) return parameter->convertTo0to1(plain);
    jassertfalse;
    return 0.0f;
}

constexpr int longest_preset_name = 60;  // so that escaped it fits a file's name
constexpr const char* not_in_file_names = "/\\:*?\"<>|%";

juce::String as_file_name(const juce::String& name) {
    juce::String escaped;
    for (auto c = name.getCharPointer(); !c.isEmpty(); ++c) {
        const juce::juce_wchar character = *c;
        const bool odd = character < 32 || juce::String(not_in_file_names).containsChar(character);
        escaped << (odd ? juce::String::formatted("%%%02X", static_cast<unsigned>(character)) : juce::String::charToString(character));
    }
    return escaped;
}

/// Unlike XmlElement::writeTo(), whose temporary file has a longer name than the file, which may be as long as a name can be.
bool write_whole(const juce::XmlElement& xml, const juce::File& file) {
    const int random = juce::Random::getSystemRandom().nextInt();
    const juce::TemporaryFile fresh(file, file.getSiblingFile(juce::String::formatted(".saving_%08x", static_cast<unsigned>(random))));
    {
        juce::FileOutputStream out(fresh.getFile());
        if (!out.openedOk()) return false;
        xml.writeTo(out);
        out.flush();  // and to the disk
        if (out.getStatus().failed()) return false;
    }
    return fresh.overwriteTargetFileWithTemporary();
}

/// Whether both are the same preset where upper and lower case are one, too.
bool same_name(const juce::String& a, const juce::String& b) { return a.equalsIgnoreCase(b); }

} // namespace

const std::vector<juce::String>& factory_preset_names() {
    static const std::vector<juce::String> names = [] {
        std::vector<juce::String> list;
        for (const FactoryPreset& preset : factory_presets()) list.push_back(preset.name);
        return list;
    }();
    return names;
}

State factory_preset(int program) {
    const FactoryPreset& preset = factory_presets().at(static_cast<std::size_t>(program));
    State state;
    state.program = program;
    state.preset = preset.name;
    if (preset.model.isEmpty()) return state;
    const auto capture = factory_capture(preset.model);
    state.models[0] = capture->file;
    for (std::size_t i = 0; i < capture->model->config.controls.size() && i < controls_per_slot; ++i) {
        const Control& control = capture->model->config.controls[i];
        if (control.max > control.min)
            state.parameters.emplace_back("a_control_" + juce::String(static_cast<int>(i) + 1),
                                          (control.default_value - control.min) / (control.max - control.min));
    }
    for (const Setting& setting : preset.settings) state.parameters.emplace_back(setting.id, normalised(setting.id, setting.plain));
    return state;
}

juce::File user_preset_folder() {
    const juce::File folder = user_folder().getChildFile("Presets");
    adopt(juce::File::getSpecialLocation(juce::File::userApplicationDataDirectory).getChildFile("Serpent/Presets"), folder);
    return folder;
}

std::vector<juce::File> user_presets() {
    std::vector<juce::File> files;
    for (const juce::File& file : user_preset_folder().findChildFiles(juce::File::findFiles, false, juce::String("*") + preset_extension))
        files.push_back(file);
    std::sort(files.begin(), files.end(), [](const juce::File& a, const juce::File& b) {
        return a.getFileName().compareNatural(b.getFileName()) < 0;
    });
    return files;
}

juce::String preset_name(const juce::File& file) {
    const juce::String escaped = file.getFileNameWithoutExtension();
    juce::String name;
    for (int i = 0; i < escaped.length(); ++i) {
        const juce::String digits = escaped.substring(i + 1, i + 3);
        const bool odd = escaped[i] == '%' && digits.length() == 2 && digits.containsOnly("0123456789ABCDEF");
        name << juce::String::charToString(odd ? static_cast<juce::juce_wchar>(digits.getHexValue32()) : escaped[i]);
        if (odd) i += 2;
    }
    return name;
}

juce::File preset_file(const juce::String& typed) {
    const juce::String name = typed.trim();
    if (name.isEmpty()) throw Error("A preset needs a name; type one");
    if (name.length() > longest_preset_name)
        throw Error("A preset's name has at most " + std::to_string(longest_preset_name) + " characters; type a shorter one");
    for (const juce::File& file : user_presets())
        if (same_name(preset_name(file), name)) return file;
    return user_preset_folder().getChildFile(as_file_name(name) + preset_extension);
}

void rename_user_preset(const juce::File& file, const juce::String& name) {
    const juce::File found = preset_file(name);
    if (found.existsAsFile() && found != file)
        throw Error("There is a preset \"" + preset_name(found).toStdString() + "\" already; choose another name or delete it first");
    const juce::File to = file.getSiblingFile(as_file_name(name.trim()) + preset_extension);
    std::error_code failed;  // not File::moveFileTo(), which first deletes what may be the same file in other letters
    std::filesystem::rename(file.getFullPathName().toStdString(), to.getFullPathName().toStdString(), failed);
    if (failed) throw Error(file.getFullPathName().toStdString() + " cannot be renamed: " + failed.message());
}

void delete_user_preset(const juce::File& file) {
    if (!file.deleteFile()) throw Error(file.getFullPathName().toStdString() + " cannot be deleted; check the folder's permissions");
}

void save_user_preset(const juce::File& file, State state) {
    state.preset = preset_name(file), state.modified = false;
    const juce::String path = file.getFullPathName();
    if (const juce::Result made = file.getParentDirectory().createDirectory(); made.failed())
        throw Error(made.getErrorMessage().toStdString());
    if (!write_whole(*to_xml(state), file)) throw Error(path.toStdString() + " cannot be written; is the disk full or the folder protected?");
}

State read_user_preset(const juce::File& file) {
    const auto xml = juce::parseXML(file);
    if (!xml) throw Error(file.getFullPathName().toStdString() + " is no Serpent preset");
    State state = from_xml(*xml);
    state.preset = preset_name(file), state.modified = false;
    return state;
}

} // namespace serpent::plugin
