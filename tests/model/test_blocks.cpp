// SPDX-License-Identifier: GPL-3.0-or-later
// The tables of blocks, and what version 2 of the format makes of them.
#include "model/config_json.h"
#include "model/example_model.h"
#include "serpent/errors.h"

#include <catch2/catch.hpp>

#include <set>

using namespace serpent;
using namespace serpent::test;

TEST_CASE("every kind of block has one tensor of a name and field, and none without a size") {
    for (const BlockKind kind : kernels::block_kinds) {
        kernels::BlockShape shape;
        shape.kind = kind, shape.d_model = 3, shape.d_inner = 6, shape.d_state = 4, shape.d_conv = 2, shape.dt_rank = 2, shape.film_hidden = 16;
        std::set<std::string> names;
        std::set<kernels::BlockField> fields;
        for (const kernels::BlockTensor& tensor : kernels::block_tensors(kind)) {
            CAPTURE(kernels::block_kind_name(kind), tensor.name);
            CHECK(names.insert(tensor.name).second);
            CHECK(fields.insert(tensor.field).second);
            CHECK(tensor.shape(shape)[0] > 0);
        }
        CHECK(fields.contains(kernels::BlockField::in_proj));
        CHECK(fields.contains(kernels::BlockField::A_imag) == (kind != BlockKind::selective));
        CHECK(fields.contains(kernels::BlockField::x_proj) == (kind != BlockKind::time_invariant));
    }
    LayerWeights weights;
    std::set<const void*> members;
    for (std::size_t i = 0; i < std::size(LayerWeights::members); ++i)
        CHECK(members.insert(&weights[static_cast<kernels::BlockField>(i)]).second);
    CHECK(&weights[kernels::BlockField::film_bias] == &weights.film_bias);
}

TEST_CASE("a model of mixed kinds comes back from its file as it was") {
    const Model model = random_model(resonant_config());
    FileParts parts(model);
    CHECK(parts.header["__metadata__"]["format_version"] == "2");
    CHECK(parts.header["layers.0.mixer.A_imag"]["shape"] == nlohmann::json({10, 2}));
    CHECK(parts.header["fir_out.weight"]["shape"] == nlohmann::json({2, 12}));
    const Model back = parse_text(parts.joined());
    CHECK(back.config.blocks == model.config.blocks);
    CHECK(back.config.dilations == model.config.dilations);
    CHECK(back.config.fir_in == 5);
    CHECK(back.config.fir_out == 12);
    CHECK(back.weights.values == model.weights.values);
    CHECK(back.weights.layers[2].x_proj.empty());
    CHECK(back.weights.layers[1].A_imag.empty());
}

TEST_CASE("one entry stands for all layers, and what version 1 can say is written in version 1") {
    ModelConfig config = full_config();
    config.d_state = 4;
    CHECK(format_version(config) == 1);
    CHECK(config_text(config).find("blocks") == std::string::npos);
    config.blocks = {BlockKind::rotating};
    CHECK(format_version(config) == 2);
    const ModelConfig back = parse_config(config_text(config));
    for (int l = 0; l < back.n_layers; ++l) CHECK(back.block(l).kind == BlockKind::rotating);
    config.n_layers = 5;
    config.dilations = {1, 4};
    CHECK(config.block(2).dilation == 1);
    CHECK(config.block(3).dilation == 4);
    config.blocks = {BlockKind::selective};
    config.dilations = {3};
    CHECK(format_version(config) == 2);
    config.dilations = {1, 1};
    CHECK(format_version(config) == 1);
    config.fir_out = 3;
    CHECK(format_version(config) == 2);
}

TEST_CASE("in a file of version 1 the keys of version 2 are unknown ones, as they always were") {
    FileParts parts(random_model(full_config()));
    REQUIRE(parts.header["__metadata__"]["format_version"] == "1");
    parts.set_config("blocks", "from a later program");
    parts.set_config("fir_out", -3);
    const Model model = parse_text(parts.joined());
    CHECK(model.config.all_blocks(BlockKind::selective));
    CHECK(model.config.fir_out == 0);
}

TEST_CASE("kinds, dilations and filters that make no sense are named") {
    const auto check = [](const char* key, const nlohmann::json& value, const std::string& named) {
        FileParts parts(random_model(resonant_config()));
        parts.set_config(key, value);
        CAPTURE(key, value);
        CHECK_THROWS_WITH(parse_text(parts.joined()), Catch::Contains(named));
    };
    check("blocks", "spinning", "\"spinning\"; it must be \"selective\", \"rotating\" or \"time_invariant\"");
    check("blocks", {"rotating", "selective", 3, "rotating"}, "\"blocks[2]\" must be a text");
    check("blocks", nlohmann::json::array(), "\"blocks\" has 0 entries; give 1 to 64, which the layers take in turn");
    check("dilations", std::vector<int>(65, 1), "\"dilations\" has 65 entries");
    check("d_state", 3, "\"d_state\" is odd");
    check("dilations", 0, "\"dilations\" is 0");
    check("dilations", {1, 2, 3, 9000}, "reach back more than 16384 samples");
    check("dilations", 1.5, "\"dilations\" must be a whole number");
    check("fir_in", -1, "\"fir_in\" is -1");
    check("fir_out", 100000, "\"fir_out\" is 100000");
    check("fir_out", 11, "\"fir_out.weight\"");
}
