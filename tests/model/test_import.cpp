// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/example_model.h"
#include "reference_model.h"
#include "serpent/errors.h"
#include "serpent/import.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;
using Catch::Contains;

namespace {

/// A model's file as a public checkpoint would hold it: other metadata, every name behind `backbone.`.
FileParts as_checkpoint(const Model& model, TensorType type = TensorType::f32) {
    FileParts parts(model, type);
    nlohmann::json renamed = {{"__metadata__", {{"format", "pt"}}}};
    for (const auto& [name, entry] : parts.header.items()) {
        if (name != "__metadata__") renamed["backbone." + name] = entry;
    }
    parts.header = renamed;
    return parts;
}

void add_tensor(FileParts& parts, const std::string& name, std::size_t values) {
    const std::size_t begin = parts.data.size();
    parts.data.resize(begin + 4 * values);
    parts.header[name] = {{"dtype", "F32"}, {"shape", {values}}, {"data_offsets", {begin, begin + 4 * values}}};
}

/// Takes away tensors that lie at the very front and the very end of the data.
void strip_ends(FileParts& parts) {
    const auto size = [&](const std::string& name) {
        const auto& offsets = parts.header["backbone." + name]["data_offsets"];
        return offsets[1].get<std::size_t>() - offsets[0].get<std::size_t>();
    };
    const std::size_t front = size("encoder.weight") + size("encoder.bias");
    const std::size_t back = size("decoder.weight") + size("decoder.bias") + size("skip");
    for (const char* name : {"encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias", "skip"}) {
        parts.header.erase(std::string("backbone.") + name);
    }
    parts.data = parts.data.substr(front, parts.data.size() - front - back);
    for (auto& [name, entry] : parts.header.items()) {
        if (name != "__metadata__") for (auto& offset : entry["data_offsets"]) offset = offset.get<std::size_t>() - front;
    }
}

ImportedModel imported(const FileParts& parts, int sample_rate_hz = 48000) {
    const TemporaryFolder folder;
    write_text(folder / "checkpoint.safetensors", parts.joined());
    return import_checkpoint(folder / "checkpoint.safetensors", sample_rate_hz);
}

Model public_model() {
    return Model::load(SERPENT_TEST_DATA "/models/mamba_reference_16_32_16_4.safetensors");
}

std::vector<double> some_input() {
    std::vector<double> samples;
    for (int i = 0; i < 50; ++i) samples.push_back(std::sin(0.3 * i));
    return samples;
}

} // namespace

TEST_CASE("a checkpoint with an audio encoder and decoder becomes the same model") {
    const Model model = public_model();
    const ImportedModel result = imported(as_checkpoint(model));
    CHECK_FALSE(result.neutral_ends);
    CHECK(result.ignored.empty());
    CHECK(result.model.metadata.name == "checkpoint");
    CHECK(result.model.config.expand == 2);
    CHECK(result.model.config.d_state == 16);
    CHECK(ReferenceModel(model).process(some_input()) == ReferenceModel(result.model).process(some_input()));
}

TEST_CASE("odd widths, tied decays and two channels follow from the shapes") {
    ModelConfig config = full_config();
    config.controls.clear();
    config.a = DecayShape::tied;
    config.final_norm = false;
    const ImportedModel result = imported(as_checkpoint(random_model(config), TensorType::bf16), 44100);
    const ModelConfig& c = result.model.config;
    CHECK(c.sample_rate == 44100);
    CHECK(c.channels == 2);
    CHECK(c.d_model == 5);
    CHECK(c.n_layers == 2);
    CHECK(c.d_state == 3);
    CHECK(c.d_conv == 3);
    CHECK(c.expand == 2);
    CHECK(c.dt_rank == 2);
    CHECK(c.a == DecayShape::tied);
    CHECK(c.b_bar == BBar::euler);
    CHECK_FALSE(c.final_norm);
    CHECK(c.skip);
}

TEST_CASE("a language model gets neutral ends: its input comes back unchanged") {
    FileParts parts = as_checkpoint(public_model());
    strip_ends(parts);
    add_tensor(parts, "backbone.embedding.weight", 10);
    add_tensor(parts, "lm_head.weight", 10);
    const ImportedModel result = imported(parts);
    CHECK(result.neutral_ends);
    CHECK(result.ignored == std::vector<std::string>{"backbone.embedding.weight", "lm_head.weight"});
    CHECK(ReferenceModel(result.model).process(some_input()) == some_input());
    const TemporaryFolder folder;
    result.model.save(folder / "m.safetensors");
    CHECK_NOTHROW(Model::load(folder / "m.safetensors"));
}

TEST_CASE("what cannot be imported is refused by name") {
    FileParts parts = as_checkpoint(public_model());
    SECTION("another architecture") {
        add_tensor(parts, "backbone.layers.0.mixer.dt_bias", 32);
        CHECK_THROWS_WITH(imported(parts), Contains("checkpoint.safetensors: ") && Contains("\"layers.0.mixer.dt_bias\""));
    }
    SECTION("no Mamba at all") {
        FileParts other = parts;
        other.header = nlohmann::json::object();
        other.data.clear();
        add_tensor(other, "conv.weight", 3);
        CHECK_THROWS_WITH(imported(other), Contains("not a Mamba checkpoint") && Contains("\"layers.0.mixer.out_proj.weight\""));
    }
    SECTION("a later layer of another width") {
        parts.header["backbone.layers.2.mixer.x_proj.weight"]["shape"] = {32, 33};
        CHECK_THROWS_WITH(imported(parts), Contains("\"layers.2.mixer.x_proj.weight\"") && Contains("(32, 33)"));
    }
    SECTION("the same tensor twice") {
        add_tensor(parts, "skip", 1);
        CHECK_THROWS_WITH(imported(parts), Contains("\"skip\"") && Contains("backbone."));
    }
    SECTION("an absurd shape") {
        parts.header["backbone.layers.0.mixer.out_proj.weight"]["shape"] = {0, std::uint64_t{1} << 60};
        CHECK_THROWS_WITH(imported(parts), Contains("\"backbone.layers.0.mixer.out_proj.weight\""));
    }
    SECTION("a Serpent model") {
        CHECK_THROWS_WITH(imported(FileParts(public_model())), Contains("already a Serpent model"));
    }
    SECTION("a sample rate that is none") {
        CHECK_THROWS_WITH(imported(parts, 0), Contains("sample_rate"));
    }
}
