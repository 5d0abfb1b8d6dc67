// SPDX-License-Identifier: GPL-3.0-or-later
// Generator files: what is written comes back, and what strangers write is refused by name.
#include "audio/temporary_folder.h"
#include "example_generator.h"
#include "serpent/errors.h"
#include "serpent/generator_model.h"

#include <catch2/catch.hpp>

#include <fstream>

using namespace serpent;
using namespace serpent::test;

namespace {

std::vector<std::byte> bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

} // namespace

TEST_CASE("a generator file comes back as it was", "[generator]") {
    const TemporaryFolder folder;
    for (const char* name : {"flat", "two", "three", "wide"}) {
        GeneratorModel model = example_generator(name);
        model.metadata.name = "A \"voice\"";
        model.metadata.other["loudest_second_db"] = "-12.5";
        model.save(folder / "m.safetensors");
        const GeneratorModel back = GeneratorModel::load(folder / "m.safetensors");
        CHECK(generator_config_text(back.config) == generator_config_text(model.config));
        CHECK(back.metadata.name == model.metadata.name);
        CHECK(back.metadata.other == model.metadata.other);
        CHECK((back.weights.values == model.weights.values));
        CHECK(back.parameter_count() > 0);
        CHECK(back.macs_per_sample() > 0);
        CHECK(is_generator(folder / "m.safetensors"));
        CHECK_THROWS_WITH(Model::load(folder / "m.safetensors"), Catch::Contains("serpent generate"));
    }
    CHECK_FALSE(is_generator(SERPENT_ASSETS "/models/opto.safetensors"));
    CHECK_THROWS_WITH(GeneratorModel::load(SERPENT_ASSETS "/models/opto.safetensors"), Catch::Contains("\"generator\""));
}

TEST_CASE("configurations that cannot be are refused, naming the field", "[generator]") {
    const std::string tier = R"({"d_model": 4, "n_layers": 1, "d_state": 2})";
    const auto config = [&](const std::string& tiers, const std::string& more = "") {
        return R"({"kind": "generator", "sample_rate": 8000, "tiers": [)" + tiers + "]" + more + "}";
    };
    CHECK_NOTHROW(parse_generator_config(config(tier)));
    const std::pair<std::string, std::string> cases[] = {
        {R"({"kind": "generator", "sample_rate": 8000})", "\"tiers\" is missing"},
        {R"({"kind": "generator", "tiers": []})", "sample_rate"},
        {R"({"kind": "effect", "sample_rate": 8000, "tiers": []})", "kind"},
        {config(""), "tiers"},
        {config(tier + "," + tier), "tiers[1].pool"},
        {config(tier + R"(,{"pool": 65, "d_model": 4, "n_layers": 1, "d_state": 2})"), "tiers[1].pool"},
        {config(R"({"pool": 2, "d_model": 4, "n_layers": 1, "d_state": 2})"), "tiers[0].pool"},
        {config(R"({"d_model": 0, "n_layers": 1, "d_state": 2})"), "tiers[0].d_model"},
        {config(R"({"d_model": 4, "d_state": 2})"), "tiers[0].n_layers"},
        {config(R"({"selective": false, "d_model": 4, "n_layers": 1, "d_state": 3})"), "tiers[0].d_state"},
        {config(R"({"selective": 1, "d_model": 4, "n_layers": 1, "d_state": 2})"), "tiers[0].selective"},
        {config(tier, R"(, "classes": 128)"), "classes"},
        {config(tier, R"(, "coding": "linear")"), "coding"},
        {config(tier, R"(, "conditions": [{"name": "", "values": ["a"]}])"), "conditions[0].name"},
        {config(tier, R"(, "conditions": [{"name": "x", "values": []}])"), "conditions[0].values"},
        {config(tier, R"(, "conditions": [{"name": "x", "values": ["a", "a"]}])"), "conditions[0].values"},
        {config(tier, R"(, "conditions": [{"name": "x", "values": [1]}])"), "conditions[0].values"},
        {config(tier, R"(, "conditions": [{"name": "x", "values": ["a"]}, {"name": "x", "values": ["a"]}])"), "conditions[1].name"},
        {"[]", "object"},
    };
    for (const auto& [text, named] : cases) {
        CAPTURE(text, named);
        CHECK_THROWS_WITH(parse_generator_config(text), Catch::Contains(named));
    }
}

TEST_CASE("a damaged generator file is an error, never a crash", "[generator]") {
    const TemporaryFolder folder;
    example_generator("three").save(folder / "m.safetensors");
    const std::vector<std::byte> whole = bytes_of(folder / "m.safetensors");
    for (std::size_t n = 0; n < whole.size(); n += whole.size() / 97)
        CHECK_THROWS_AS(GeneratorModel::parse(std::span(whole).first(n), "cut"), Error);
    // Any byte changed: an error, or a model that is whole. 4000 of them, anywhere, half in the header.
    Random random(9);
    for (int i = 0; i < 4000; ++i) {
        std::vector<std::byte> changed = whole;
        const double end = i % 2 ? 4000.0 : double(whole.size());
        changed[std::size_t(random.uniform(0, end))] = std::byte(random.uniform(0, 255.9));
        try {
            const GeneratorModel model = GeneratorModel::parse(changed, "changed");
            REQUIRE_NOTHROW(model.validate());
        } catch (const Error&) {
            // one clear error
        }
    }
}
