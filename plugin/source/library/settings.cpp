// SPDX-License-Identifier: GPL-3.0-or-later
#include "library/settings.h"

namespace serpent::plugin {

namespace {

constexpr int most_recent = 12;
constexpr int save_after_ms = 500;

juce::PropertiesFile::Options options() {
    juce::PropertiesFile::Options o;
    o.applicationName = "Serpent";
    o.folderName = "Serpent";
    o.filenameSuffix = ".settings";
    o.osxLibrarySubFolder = "Application Support";
    o.millisecondsBeforeSaving = save_after_ms;
    return o;
}

} // namespace

Settings::Settings() : file_(options()) {}

juce::StringArray Settings::recent_models() const {
    juce::StringArray paths = juce::StringArray::fromLines(file_.getValue("recent_models"));
    paths.removeEmptyStrings();
    return paths;
}

void Settings::add_recent_model(const juce::File& file) {
    juce::StringArray paths = recent_models();
    paths.removeString(file.getFullPathName());
    paths.insert(0, file.getFullPathName());
    paths.removeRange(most_recent, paths.size());
    file_.setValue("recent_models", paths.joinIntoString("\n"));
}

int Settings::editor_width() const { return file_.getIntValue("editor_width"); }
void Settings::set_editor_width(int width) { file_.setValue("editor_width", width); }

juce::File Settings::folder(const juce::String& kind) const {
    const juce::String path = file_.getValue(kind + "_folder");
    if (juce::File::isAbsolutePath(path) && juce::File(path).isDirectory()) return juce::File(path);
    return juce::File::getSpecialLocation(juce::File::userHomeDirectory);
}

void Settings::set_folder(const juce::String& kind, const juce::File& folder) { file_.setValue(kind + "_folder", folder.getFullPathName()); }

} // namespace serpent::plugin
