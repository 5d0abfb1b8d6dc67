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

/// On Linux JUCE's place for them is ~/Serpent, where they were once.
juce::File settings_file() {
#if JUCE_LINUX || JUCE_BSD
    const juce::File file = user_folder().getChildFile("Serpent.settings"), old = options().getDefaultFile();
    if (adopt(old, file)) old.getParentDirectory().deleteFile();  // which an emptied folder is, and only that
    return file;
#else
    return options().getDefaultFile();
#endif
}

} // namespace

juce::File user_folder() {
    juce::File configuration = juce::File::getSpecialLocation(juce::File::userApplicationDataDirectory);
#if JUCE_LINUX || JUCE_BSD  // where JUCE does not look at the environment
    const juce::String path = juce::SystemStats::getEnvironmentVariable("XDG_CONFIG_HOME", {});
    if (juce::File::isAbsolutePath(path)) configuration = juce::File(path);
#endif
    return configuration.getChildFile("Serpent");
}

bool adopt(const juce::File& old, const juce::File& file) {
    if (!old.exists() || file.exists()) return false;
    file.getParentDirectory().createDirectory();
    if (old.moveFileTo(file)) return true;
    if (old.isDirectory()) old.copyDirectoryTo(file);  // to another disk
    return false;
}

Settings::Settings() : file_(settings_file(), options()) {}

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
