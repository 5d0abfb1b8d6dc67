// SPDX-License-Identifier: GPL-3.0-or-later
#include "command/run_command.h"
#include "model/example_model.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace serpent;
using namespace serpent::test;
using Catch::Contains;

namespace {

const std::string golden = SERPENT_TEST_DATA "/models/";

} // namespace

TEST_CASE("info prints a card for people") {
    const CommandResult result = run_command({"info", golden + "film_8_16_4_2.safetensors"});
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    for (const char* text : {"film_8_16_4_2", "MIT", "48000 Hz", "2 layers", "d_inner 16", "2180", "1713", "Drive: 0 to 10",
                             "time constants from"}) {
        CHECK_THAT(result.out, Contains(text));
    }
}

TEST_CASE("info --json prints the same for programs") {
    const CommandResult result = run_command({"info", golden + "tied_ema_8_16_4_4.safetensors", "--json"});
    CHECK(result.status == 0);
    const auto json = nlohmann::json::parse(result.out);
    CHECK(json["name"] == "tied_ema_8_16_4_4");
    CHECK(json["config"]["a"] == "tied");
    CHECK(json["config"]["b_bar"] == "ema");
    CHECK(json["parameters"] == 2942);
    CHECK(json["macs_per_sample"] == 3409);
    const double shortest = json["time_constants_ms"][0], longest = json["time_constants_ms"][1];
    CHECK(shortest > 0.0);
    CHECK(longest > 100.0 * shortest);
    CHECK(longest < 1000.0);  // the model was made for time constants to 20,000 samples at 48 kHz
}

TEST_CASE("info lets nothing of a stranger's texts reach the terminal's controls") {
    const TemporaryFolder folder;
    Model model = random_model(full_config());
    model.metadata.name = "bell\x07 escape\x1b[31m c1\xc2\x9b end";
    model.metadata.training = std::string(5000, '[');
    model.metadata.other["k\x1b"] = "v\x1b";
    model.save(folder / "m.safetensors");
    const CommandResult card = run_command({"info", folder / "m.safetensors"});
    CHECK(card.status == 0);
    CHECK_THAT(card.out, Contains("bell escape[31m c1 end"));
    CHECK(card.out.find('\x1b') == std::string::npos);
    CHECK(card.out.find('\x07') == std::string::npos);
    const CommandResult json = run_command({"info", "--json", folder / "m.safetensors"});
    CHECK(json.status == 0);
    CHECK(nlohmann::json::accept(json.out));
}

TEST_CASE("info shows the training figures") {
    const TemporaryFolder folder;
    Model model = random_model(full_config());
    model.metadata.training = R"({"esr": 0.000123456, "preset": "nano", "curve": [1,2,3,4,5,6,7,8,9,10]})";
    model.save(folder / "m.safetensors");
    const CommandResult card = run_command({"info", folder / "m.safetensors"});
    CHECK_THAT(card.out, Contains("esr") && Contains("0.000123") && Contains("nano") && !Contains("curve"));
    const CommandResult json = run_command({"info", "--json", folder / "m.safetensors"});
    CHECK(nlohmann::json::parse(json.out)["training"]["curve"].size() == 10);
}

TEST_CASE("info and import refuse with one line and status 1") {
    const TemporaryFolder folder;
    write_text(folder / "bad.safetensors", "no model");
    const std::string bad = folder / "bad.safetensors", out = folder / "out.safetensors";
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"info", bad}, {"import", bad, "-o", out}, {"info", folder / "none.safetensors"}, {"info", folder.path()}}) {
        const CommandResult result = run_command(arguments);
        CHECK(result.status == 1);
        CHECK(result.out.empty());
        CHECK_THAT(result.err, Contains(folder.path().string()));
        CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    }
    CHECK_FALSE(std::filesystem::exists(out));
}

TEST_CASE("import writes a model that info reads") {
    const TemporaryFolder folder;
    FileParts parts(Model::load(golden + "odd_widths_5_10_3_3.safetensors"));
    nlohmann::json renamed;
    for (const auto& [name, entry] : parts.header.items()) {
        if (name != "__metadata__") renamed["backbone." + name] = entry;
    }
    parts.header = renamed;
    write_text(folder / "checkpoint.safetensors", parts.joined());
    const std::string out = folder / "model.safetensors";
    const CommandResult imported = run_command({"import", folder / "checkpoint.safetensors", "-o", out, "--sample-rate", "44100"});
    CHECK(imported.status == 0);
    CHECK(imported.err.empty());
    CHECK_THAT(imported.out, Contains("3 layers"));
    const auto json = nlohmann::json::parse(run_command({"info", "--json", out}).out);
    CHECK(json["name"] == "checkpoint");
    CHECK(json["config"]["sample_rate"] == 44100);
    CHECK(json["parameters"] == 1056);
}
