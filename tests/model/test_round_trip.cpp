// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/example_model.h"
#include "model/half.h"

#include <catch2/catch.hpp>

#include <limits>

using namespace serpent;
using namespace serpent::test;

namespace {

Model through_file(const Model& model, TensorType type = TensorType::f32) {
    const TemporaryFolder folder;
    model.save(folder / "m.safetensors", type);
    return Model::load(folder / "m.safetensors");
}

void require_same_config(const ModelConfig& a, const ModelConfig& b) {
    CHECK(a.kind == b.kind);
    CHECK(a.sample_rate == b.sample_rate);
    CHECK(a.channels == b.channels);
    CHECK(a.d_model == b.d_model);
    CHECK(a.n_layers == b.n_layers);
    CHECK(a.d_state == b.d_state);
    CHECK(a.d_conv == b.d_conv);
    CHECK(a.expand == b.expand);
    CHECK(a.dt_rank == b.dt_rank);
    CHECK(a.a == b.a);
    CHECK(a.b_bar == b.b_bar);
    CHECK(a.final_norm == b.final_norm);
    CHECK(a.skip == b.skip);
    CHECK(a.output_peak == b.output_peak);
    REQUIRE(a.controls.size() == b.controls.size());
    for (std::size_t i = 0; i < a.controls.size(); ++i) {
        CHECK(a.controls[i].name == b.controls[i].name);
        CHECK(a.controls[i].min == b.controls[i].min);
        CHECK(a.controls[i].max == b.controls[i].max);
        CHECK(a.controls[i].default_value == b.controls[i].default_value);
        CHECK(a.controls[i].unit == b.controls[i].unit);
    }
}

/// Every value of `b` within `relative` of its twin in `a`, plus `absolute`.
void require_close_weights(const Model& a, const Model& b, float relative, float absolute) {
    const auto left = tensors(a.config, a.weights), right = tensors(b.config, b.weights);
    REQUIRE(left.size() == right.size());
    for (std::size_t t = 0; t < left.size(); ++t) {
        INFO(left[t].name);
        REQUIRE(left[t].data.size() == right[t].data.size());
        for (std::size_t i = 0; i < left[t].data.size(); ++i) {
            const float x = left[t].data[i], y = right[t].data[i];
            if (!(std::fabs(x - y) <= std::fabs(x) * relative + absolute)) FAIL(i << ": " << x << " against " << y);
        }
    }
}

} // namespace

TEST_CASE("a saved model loads with the same configuration, texts and bits") {
    ModelConfig config = full_config();
    SECTION("as it is") {}
    SECTION("tied, ema, no norm, no skip, no controls, one tap") {
        config.a = DecayShape::tied;
        config.b_bar = BBar::ema;
        config.final_norm = config.skip = false;
        config.controls.clear();
        config.d_conv = 1;
        config.sample_rate = 96000;
        config.output_peak = 0.7f;
    }
    Model model = random_model(config);
    model.metadata = {"Näme", "author", "CC0-1.0", "line\nline \"quoted\"", "gear", -17.25, 12.5, R"({"steps": 3})",
                      {{"plugin.colour", "green"}}};
    const Model loaded = through_file(model);
    require_same_config(model.config, loaded.config);
    require_close_weights(model, loaded, 0.0f, 0.0f);
    CHECK(loaded.metadata.name == model.metadata.name);
    CHECK(loaded.metadata.author == model.metadata.author);
    CHECK(loaded.metadata.license == model.metadata.license);
    CHECK(loaded.metadata.description == model.metadata.description);
    CHECK(loaded.metadata.gear == model.metadata.gear);
    CHECK(loaded.metadata.loudness_db == model.metadata.loudness_db);
    CHECK(loaded.metadata.input_level_dbu == model.metadata.input_level_dbu);
    CHECK(loaded.metadata.training == model.metadata.training);
    CHECK(loaded.metadata.other == model.metadata.other);
}

TEST_CASE("absent optional biases stay absent and absent texts stay empty") {
    const Model model = random_model(full_config(), false);
    const Model loaded = through_file(model);
    for (const LayerWeights& layer : loaded.weights.layers) {
        CHECK(layer.in_proj_bias.empty());
        CHECK(layer.x_proj_bias.empty());
        CHECK(layer.out_proj_bias.empty());
        CHECK_FALSE(layer.conv_bias.empty());
    }
    CHECK(loaded.metadata.author.empty());
    CHECK_FALSE(loaded.metadata.loudness_db.has_value());
    CHECK(loaded.metadata.other.empty());
}

TEST_CASE("16-bit files keep the precision of their type") {
    const Model model = random_model(full_config());
    // Half a unit in the last place of 11 and of 8 significant bits; F16 is spaced 2^-24 below 2^-14.
    require_close_weights(model, through_file(model, TensorType::f16), 0x1p-11f, 0x1p-25f);
    require_close_weights(model, through_file(model, TensorType::bf16), 0x1p-8f, 0.0f);
    const Model once = through_file(model, TensorType::f16);
    require_close_weights(once, through_file(once, TensorType::f16), 0.0f, 0.0f);
    CHECK(FileParts::saved(model, TensorType::bf16).size() < FileParts::saved(model).size());
}

TEST_CASE("F16 conversion: every pattern survives, rounding is to nearest even") {
    for (unsigned bits = 0; bits < 65536; ++bits) {
        const float value = f16_to_float(static_cast<std::uint16_t>(bits));
        if (std::isnan(value)) {
            if (!std::isnan(f16_to_float(float_to_f16(value)))) FAIL("NaN pattern " << bits);
        } else if (float_to_f16(value) != bits) {
            FAIL("pattern " << bits << " of value " << value);
        }
    }
    CHECK(f16_to_float(0x3c00) == 1.0f);
    CHECK(f16_to_float(0x7bff) == 65504.0f);
    CHECK(f16_to_float(0x0001) == 0x1p-24f);
    CHECK(float_to_f16(65519.9f) == 0x7bff);
    CHECK(float_to_f16(65520.0f) == 0x7c00);
    CHECK(float_to_f16(1.0f + 0x1p-11f) == 0x3c00);            // half way, even below
    CHECK(float_to_f16(1.0f + 3 * 0x1p-11f) == 0x3c02);        // half way, even above
    CHECK(float_to_f16(-0x1p-25f) == 0x8000);                  // half way to zero
    CHECK(float_to_f16(0x1.8p-25f) == 0x0001);
    CHECK(float_to_f16(0x1p-14f - 0x1p-26f) == 0x0400);        // rounds up into the normal numbers
}

TEST_CASE("BF16 conversion: every pattern survives, rounding is to nearest even") {
    for (unsigned bits = 0; bits < 65536; ++bits) {
        const float value = bf16_to_float(static_cast<std::uint16_t>(bits));
        if (std::isnan(value)) {
            if (!std::isnan(bf16_to_float(float_to_bf16(value)))) FAIL("NaN pattern " << bits);
        } else if (float_to_bf16(value) != bits) {
            FAIL("pattern " << bits << " of value " << value);
        }
    }
    CHECK(bf16_to_float(0x3f80) == 1.0f);
    CHECK(float_to_bf16(1.0f + 0x1p-8f) == 0x3f80);
    CHECK(float_to_bf16(1.0f + 3 * 0x1p-8f) == 0x3f82);
    CHECK(std::isinf(bf16_to_float(float_to_bf16(std::numeric_limits<float>::max()))));
}

TEST_CASE("keys that are left out get their documented defaults") {
    ModelConfig config;
    config.d_model = 17;
    config.dt_rank = 2;  // ceil(17 / 16)
    config.n_layers = 1;
    FileParts parts(random_model(config));
    for (const char* key : {"channels", "d_conv", "expand", "dt_rank", "a", "b_bar", "final_norm", "skip", "controls"}) {
        parts.erase_config(key);
    }
    parts.set_config("colour", "green");  // unknown keys are ignored
    require_same_config(config, parse_text(parts.joined()).config);

    FileParts with_controls(random_model(full_config()));
    with_controls.set_config("controls", {{{"name", "Drive"}, {"min", 2}, {"max", 4}}, {{"name", "Tone"}}});
    const auto controls = parse_text(with_controls.joined()).config.controls;
    CHECK(controls[0].default_value == 3.0f);
    CHECK(controls[1].min == 0.0f);
    CHECK(controls[1].max == 1.0f);
    CHECK(controls[1].default_value == 0.5f);
}

TEST_CASE("d_model 16 has dt_rank 1 by default") {
    ModelConfig config;
    config.d_model = 16;
    config.n_layers = 1;
    FileParts parts(random_model(config));
    parts.erase_config("dt_rank");
    CHECK(parse_text(parts.joined()).config.dt_rank == 1);
}

TEST_CASE("one layer may hold tensors of different types, in any order of data") {
    const Model model = random_model(full_config());
    FileParts parts(model);
    // Move the last tensor's data to the front: legal, as long as the data stays without gaps.
    const auto last = parts.header["skip"]["data_offsets"];
    const std::size_t size = last[1].get<std::size_t>() - last[0].get<std::size_t>();
    parts.data = parts.data.substr(last[0].get<std::size_t>(), size) + parts.data.substr(0, last[0].get<std::size_t>());
    for (auto& [name, entry] : parts.header.items()) {
        if (name == "__metadata__") continue;
        if (name == "skip") entry["data_offsets"] = {0, size};
        else for (auto& offset : entry["data_offsets"]) offset = offset.get<std::size_t>() + size;
    }
    require_close_weights(model, parse_text(parts.joined()), 0.0f, 0.0f);
}

TEST_CASE("counts of parameters and multiply-accumulates") {
    const Model model = Model::load(SERPENT_TEST_DATA "/models/tied_ema_8_16_4_4.safetensors");
    CHECK(model.parameter_count() == 2942);   // both figures stand in the published table of this architecture
    CHECK(model.macs_per_sample() == 3409);
}
