// SPDX-License-Identifier: GPL-3.0-or-later
#include "serpent/errors.h"
#include "serpent/takes.h"

#include <catch2/catch.hpp>

using namespace serpent;
using Catch::Matchers::Contains;

namespace {

TakesFile parse(const std::string& text) { return TakesFile::parse(text, "takes.json", "folder"); }

const std::string knobs = R"("controls": [{"name": "Threshold", "unit": "dB", "min": -50, "max": -20, "default": -35},
                                          {"name": "Ratio", "min": 1, "max": 12}])";

std::string with_take(const std::string& take) { return "{" + knobs + R"(, "takes": [)" + take + "]}"; }

} // namespace

TEST_CASE("A list of takes is read in the order of its controls") {
    const TakesFile file = parse(R"({"sample_rate": 48000, )" + knobs + R"(,
        "takes": [{"dry": "d.wav", "wet": "a.wav", "controls": {"Ratio": 2, "Threshold": -50}},
                  {"dry": "/abs/d.wav", "wet": "b.wav", "controls": {"Ratio": 12, "Threshold": -20}}],
        "test": [{"dry": "t.wav", "wet": "c.wav", "controls": {"Ratio": 3.5, "Threshold": -42}}]})");
    CHECK(file.sample_rate == 48000);
    REQUIRE(file.controls.size() == 2);
    CHECK(file.controls[0].unit == "dB");
    CHECK(file.controls[1].default_value == 6.5f); // the middle, when not given
    REQUIRE(file.takes.size() == 2);
    CHECK(file.takes[0].dry == std::filesystem::path("folder/d.wav"));
    CHECK(file.takes[1].dry == std::filesystem::path("/abs/d.wav"));
    CHECK(file.takes[0].controls == std::vector<float>{-50, 2});
    CHECK(file.test.at(0).controls == std::vector<float>{-42, 3.5f});
    CHECK(file.valid.empty());
    CHECK(describe_controls(file.controls, file.test[0].controls) == "Threshold -42 dB, Ratio 3.5");
}

TEST_CASE("Controls and rate may be absent") {
    const TakesFile file = parse(R"({"takes": [{"dry": "d.wav", "wet": "a.wav"}]})");
    CHECK(file.sample_rate == 0);
    CHECK(file.takes.at(0).controls.empty());
}

TEST_CASE("Faulty lists of takes get an error that names the place") {
    const auto complains = [](const std::string& text, const std::string& expected) {
        CAPTURE(text);
        CHECK_THROWS_WITH(parse(text), Contains(expected) && Contains("takes.json"));
        CHECK_THROWS_AS(parse(text), Error);
    };
    complains("", "not valid JSON");
    complains("[]", "must be a JSON object");
    complains("{}", "lists no takes");
    complains(R"({"takes": {}})", "\"takes\" that is not a list");
    complains(R"({"takes": [3]})", "entry 1 of \"takes\" must be a JSON object");
    complains(R"({"takes": [{"dry": "d.wav"}]})", "needs \"wet\"");
    complains(R"({"takes": [{"dry": "", "wet": "w.wav"}]})", "needs \"dry\"");
    complains(R"({"sample_rate": 0.5, "takes": []})", "sample_rate");
    complains(R"({"sample_rate": "48k", "takes": []})", "sample_rate");
    complains(R"({"controls": [{"name": "A", "min": 1, "max": 1}], "takes": []})", "\"min\" below its \"max\"");
    complains(R"({"controls": [{"name": "A", "min": 0, "max": 1, "default": 2}], "takes": []})", "outside its range");
    complains(R"({"controls": [{"name": "A", "min": 0, "max": 1}, {"name": "A", "min": 0, "max": 1}], "takes": []})",
              "entry 2 of \"controls\" repeats");
    complains(with_take(R"({"dry": "d", "wet": "w", "controls": {"Ratio": 2}})"),
              "no value for the control \"Threshold\"");
    complains(with_take(R"({"dry": "d", "wet": "w", "controls": {"Ratio": 2, "Threshold": -60}})"),
              "sets \"Threshold\" to -60, outside its range -50 to -20");
    complains(with_take(R"({"dry": "d", "wet": "w", "controls": {"Ratio": "2", "Threshold": -40}})"), "not a number");
    complains(with_take(R"({"dry": "d", "wet": "w", "controls": {"Ratio": 1e300, "Threshold": -40}})"), "not a number");
    complains(with_take(R"({"dry": "d", "wet": "w", "controls": {"Ratio": 2, "Threshold": -40, "Tone": 1}})"),
              "sets \"Tone\"");
}

TEST_CASE("A file of takes that is not there, or a folder, is named") {
    CHECK_THROWS_WITH(TakesFile::load("no/such/takes.json"), Contains("no/such/takes.json"));
    CHECK_THROWS_WITH(TakesFile::load("."), Contains("cannot read"));
}
