// SPDX-License-Identifier: GPL-3.0-or-later
// Where a user's settings and presets are, and that those of earlier versions are not lost.
#include "library/settings.h"
#include "editor/editor.h"
#include "processor_fixture.h"
#include "serpent/errors.h"
#include "state/presets.h"

#include <catch2/catch.hpp>

#include <cstdlib>

using namespace serpent::plugin;
using namespace serpent::test;

namespace {

/// A home of its own for as long as it lives.
struct Home {
    Home() : folder(juce::File::createTempFile("home")), home(std::getenv("HOME")), config(std::getenv("XDG_CONFIG_HOME")) {
        folder.createDirectory();
        set("HOME", folder.getFullPathName());
        ::unsetenv("XDG_CONFIG_HOME");
    }
    ~Home() {
        set("HOME", home);
        set("XDG_CONFIG_HOME", config);
        folder.deleteRecursively();
    }
    static void set(const char* name, const juce::String& value) { ::setenv(name, value.toRawUTF8(), 1); }
    juce::File operator/(const juce::String& path) const { return folder.getChildFile(path); }

    const juce::File folder;
    const juce::String home, config;
};

} // namespace

TEST_CASE("settings are kept where the desktop's rules say", "[settings]") {
    const Home home;
    Settings().set_editor_width(1234);
    CHECK((home / ".config/Serpent/Serpent.settings").existsAsFile());
    CHECK_FALSE((home / "Serpent").exists());
    CHECK(Settings().editor_width() == 1234);

    Home::set("XDG_CONFIG_HOME", (home / "elsewhere").getFullPathName());
    CHECK(Settings().editor_width() == 0);
    Settings().set_editor_width(777);
    CHECK((home / "elsewhere/Serpent/Serpent.settings").existsAsFile());
    CHECK(user_preset_folder() == home / "elsewhere/Serpent/Presets");

    Home::set("XDG_CONFIG_HOME", "not/absolute");  // to be ignored, says the specification
    CHECK(Settings().editor_width() == 1234);
}

TEST_CASE("settings and presets of earlier versions are moved, and nothing is overwritten", "[settings]") {
    const Home home;
    Settings().set_editor_width(1234);
    (home / "Serpent").createDirectory();
    REQUIRE((home / ".config/Serpent/Serpent.settings").moveFileTo(home / "Serpent/Serpent.settings"));
    CHECK(Settings().editor_width() == 1234);
    CHECK((home / ".config/Serpent/Serpent.settings").existsAsFile());
    CHECK_FALSE((home / "Serpent").exists());

    // What else the folder holds stays, and so do newer settings.
    (home / "Serpent/my models").createDirectory();
    (home / "Serpent/Serpent.settings").replaceWithText("old");
    CHECK(Settings().editor_width() == 1234);
    CHECK((home / "Serpent/my models").isDirectory());
    CHECK((home / "Serpent/Serpent.settings").loadFileAsString() == "old");

    (home / ".config/Serpent/Presets").createDirectory();
    (home / ".config/Serpent/Presets/mine.serpentpreset").replaceWithText("mine");
    Home::set("XDG_CONFIG_HOME", (home / "elsewhere").getFullPathName());
    REQUIRE(user_presets().size() == 1);
    CHECK(user_presets()[0] == home / "elsewhere/Serpent/Presets/mine.serpentpreset");
}

TEST_CASE("opening the editor writes no settings, choosing a size does", "[settings]") {
    const Home home;
    Ready ready;
    {
        Editor editor(*ready.processor);
        editor.look_at_levels(1.0);
    }
    for (const juce::File& file : home.folder.findChildFiles(juce::File::findFilesAndDirectories, false))
        CHECK(file.getFileName() == ".cache");  // the desktop's
    CHECK(ready.processor->editor_width == 0);
    {
        Editor editor(*ready.processor);
        editor.set_scale(1.25);
    }
    CHECK(Settings().editor_width() == 1200);
    CHECK(ready.processor->editor_width == 1200);
}

TEST_CASE("a preset is called what was typed, and replaces no other", "[state]") {
    const Home home;
    Ready ready;
    for (const char* name : {"Crunch v1.5", "Crunch v1.6", "AC/DC: \\ 50 % <loud>?", "..", "a.serpentpreset"}) {
        CAPTURE(name);
        const juce::File file = preset_file(name);
        CHECK(file.getParentDirectory() == user_preset_folder());
        CHECK_FALSE(file.existsAsFile());
        save_user_preset(file, ready.session().state());
        CHECK(preset_name(file) == name);
        CHECK(preset_file(name) == file);
        CHECK(preset_file(juce::String(name).toUpperCase()) == file);
        CHECK(read_user_preset(file).preset == name);
    }
    CHECK(user_presets().size() == 5);
    CHECK_THROWS_AS(rename_user_preset(preset_file("Crunch v1.5"), "CRUNCH V1.6"), serpent::Error);
    rename_user_preset(preset_file("Crunch v1.5"), "crunch v1.5");
    rename_user_preset(preset_file("Crunch v1.6"), "Clean / 2");
    CHECK(preset_name(preset_file("CRUNCH v1.5")) == "crunch v1.5");
    CHECK(read_user_preset(preset_file("Clean / 2")).preset == "Clean / 2");
    CHECK(user_presets().size() == 5);
    delete_user_preset(preset_file("Clean / 2"));
    CHECK(user_presets().size() == 4);
    CHECK_THROWS_AS(preset_file("  "), serpent::Error);
    CHECK_THROWS_AS(preset_file(juce::String::repeatedString("long", 16)), serpent::Error);
}

TEST_CASE("the longest names of presets are names of files, too", "[state]") {
    const Home home;
    Ready ready;
    const auto sixty = [](const char* utf8) { return juce::String::repeatedString(juce::String::fromUTF8(utf8), 60); };
    const juce::String guitars = sixty("\xf0\x9f\x8e\xb8"), drums = sixty("\xf0\x9f\xa5\x81");  // 4 bytes each
    const juce::String slashes = sixty("/");
    for (const juce::String& name : {guitars, slashes}) {
        const juce::File file = preset_file(name);
        CHECK(file.getFileName().getNumBytesAsUTF8() <= 255);
        for (const float mix : {0.25f, 0.75f}) {  // new, and over the old one
            ready.parameters().mix->setValue(mix);
            REQUIRE_NOTHROW(save_user_preset(file, ready.session().state()));
            ready.processor->apply(read_user_preset(file));
            CHECK(ready.parameters().mix->getValue() == mix);
            CHECK(ready.session().preset_name() == name);
        }
    }
    CHECK(user_preset_folder().getNumberOfChildFiles(juce::File::findFiles) == 2);  // and nothing beside them
    REQUIRE_NOTHROW(rename_user_preset(preset_file(guitars), drums));
    CHECK(read_user_preset(preset_file(drums)).preset == drums);
    REQUIRE_NOTHROW(delete_user_preset(preset_file(drums)));
    CHECK(user_presets().size() == 1);
    CHECK_THROWS_AS(preset_file(guitars + "!"), serpent::Error);
}
