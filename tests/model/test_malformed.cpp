// SPDX-License-Identifier: GPL-3.0-or-later
// Every way in which a file can be wrong gives one Error that names the file and the culprit.
#include "model/example_model.h"
#include "serpent/errors.h"
#include "serpent/text.h"

#include <catch2/catch.hpp>

#include <functional>
#include <limits>

using namespace serpent;
using namespace serpent::test;
using Catch::Contains;
using nlohmann::json;

namespace {

std::string refusal(const std::string& file) {
    try {
        parse_text(file);
    } catch (const Error& error) {
        return error.what();
    }
    FAIL("the file was accepted");
    return {};
}

const FileParts& good() {
    static const FileParts parts(random_model(full_config()));
    return parts;
}

struct Spoilt {
    const char* what;
    std::function<void(FileParts&)> spoil;
    std::vector<const char*> named;  // what the message must contain
};

void check_all(const std::vector<Spoilt>& cases) {
    for (const Spoilt& c : cases) {
        INFO(c.what);
        FileParts parts = good();
        c.spoil(parts);
        const std::string message = refusal(parts.joined());
        CHECK_THAT(message, Contains("test.safetensors: "));
        for (const char* name : c.named) CHECK_THAT(message, Contains(name));
    }
}

/// The text of the good header with one piece replaced.
std::string with_header(const std::string& from, const std::string& to) {
    std::string text = good().header.dump();
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return FileParts::joined(text.replace(at, from.size(), to), good().data);
}

} // namespace

TEST_CASE("the unspoilt file is accepted") { CHECK_NOTHROW(parse_text(good().joined())); }

TEST_CASE("malformed container") {
    const std::string whole = good().joined();
    CHECK_THAT(refusal(""), Contains("the file is empty"));
    CHECK_THAT(refusal("1234567"), Contains("too short"));
    CHECK_THAT(refusal(std::string(8, '\0')), Contains("not valid JSON"));
    CHECK_THAT(refusal("\xff\xff\xff\xff\xff\xff\xff\xff rest"), Contains("18446744073709551615"));
    CHECK_THAT(refusal(std::string("\0\0\0\0\0\0\0\x10", 8) + "{}"), Contains("1152921504606846976"));  // 2^60
    CHECK_THAT(refusal(whole + "x"), Contains("1 unused bytes after the last tensor"));
    CHECK_THAT(refusal(FileParts::joined("[1]", "")), Contains("JSON object"));
    CHECK_THAT(refusal(FileParts::joined("{\"a\": \"\xff\"}", "")), Contains("not valid JSON"));
    CHECK_THAT(refusal(FileParts::joined("{} {}", "")), Contains("not valid JSON"));
    CHECK_THAT(refusal(FileParts::joined("{}", "")), Contains("\"format\""));
    CHECK_THAT(refusal(FileParts::joined(std::string(1 << 20, '['), "")), Contains("nested deeper"));
    CHECK_THAT(refusal(FileParts::joined(std::string((8 << 20) + 1, ' '), "")), Contains("at most 8388608"));
    CHECK_THAT(refusal(with_header("\"skip\":{", "\"encoder.bias\":{")), Contains("\"encoder.bias\" twice"));
    CHECK_THAT(refusal(with_header("\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\"")), Contains("\"dtype\" twice"));
}

TEST_CASE("a file cut short anywhere is refused") {
    const std::string whole = good().joined();
    for (std::size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 37) {
        INFO(size);
        CHECK_FALSE(refusal(whole.substr(0, size)).empty());
    }
    CHECK_FALSE(refusal(whole.substr(0, whole.size() - 1)).empty());
}

TEST_CASE("malformed tensor entries") {
    const auto set = [](const char* key, json value) {
        return [=](FileParts& p) { p.header["skip"][key] = value; };
    };
    const auto erase = [](const char* key) { return [=](FileParts& p) { p.header["skip"].erase(key); }; };
    check_all({
        {"an entry that is no object", [](FileParts& p) { p.header["skip"] = 3; }, {"\"skip\"", "JSON object"}},
        {"no dtype", erase("dtype"), {"\"skip\"", "dtype"}},
        {"no shape", erase("shape"), {"\"skip\"", "shape"}},
        {"no offsets", erase("data_offsets"), {"\"skip\"", "data_offsets"}},
        {"dtype a number", set("dtype", 4), {"\"skip\"", "dtype"}},
        {"dtype F64", set("dtype", "F64"), {"\"skip\"", "\"F64\""}},
        {"dtype of control characters", set("dtype", "\x1b[31m"), {"\"skip\"", "\"?[31m\""}},
        {"shape a number", set("shape", 2), {"\"skip\"", "shape"}},
        {"shape negative", set("shape", {-2}), {"\"skip\"", "shape"}},
        {"shape a fraction", set("shape", {2.5}), {"\"skip\"", "shape"}},
        {"shape of too many dimensions", set("shape", {1, 1, 1, 1, 1, 1, 1, 1, 2}), {"\"skip\"", "shape"}},
        {"shape that overflows to the right size",
         set("shape", {std::uint64_t{1} << 62, std::uint64_t{2}, std::uint64_t{2}}), {"\"skip\"", "more than the file holds"}},
        {"shape too large for 64 bits", set("shape", {1e30}), {"\"skip\"", "shape"}},
        {"shape larger than the data", set("shape", {3}), {"\"skip\"", "(3)"}},
        {"shape with a zero", set("shape", {0}), {"\"skip\"", "(0)"}},
        {"one offset", set("data_offsets", {0}), {"\"skip\"", "data_offsets"}},
        {"three offsets", set("data_offsets", {0, 8, 8}), {"\"skip\"", "data_offsets"}},
        {"negative offset", set("data_offsets", {-8, 0}), {"\"skip\"", "data_offsets"}},
        {"offsets the wrong way round", set("data_offsets", {8, 0}), {"\"skip\"", "data_offsets"}},
        {"offset 2^60", set("data_offsets", {0, std::uint64_t{1} << 60}), {"\"skip\"", "1152921504606846976"}},
        {"both offsets 2^60", set("data_offsets", {(std::uint64_t{1} << 60) - 8, std::uint64_t{1} << 60}),
         {"\"skip\"", "1152921504606846976"}},
        {"offset 2^64 - 1", set("data_offsets", {0, std::numeric_limits<std::uint64_t>::max()}), {"\"skip\"", "data_offsets"}},
        {"overlapping", set("data_offsets", {0, 8}), {"overlaps"}},
        {"a gap", [](FileParts& p) {
             p.data += std::string(8, '\0');
             for (auto& offset : p.header["skip"]["data_offsets"]) offset = offset.get<std::size_t>() + 8;
         }, {"\"skip\"", "unused bytes"}},
    });
}

TEST_CASE("wrong set of tensors, wrong shapes, wrong values") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    check_all({
        {"a tensor missing", [](FileParts& p) {
             const auto size = p.header["skip"]["data_offsets"][0].get<std::size_t>();
             p.data.resize(size);
             p.header.erase("skip");
         }, {"\"skip\"", "missing"}},
        {"an unknown tensor", [](FileParts& p) {
             const std::size_t end = p.data.size();
             p.header["layers.2.mixer.D"] = {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {end, end + 4}}};
             p.data += std::string(4, '\0');
         }, {"\"layers.2.mixer.D\"", "not one that the config calls for"}},
        {"a transposed shape", [](FileParts& p) { p.header["decoder.weight"]["shape"] = {5, 2}; },
         {"\"decoder.weight\"", "(5, 2)", "(2, 5)"}},
        {"a flattened shape", [](FileParts& p) { p.header["decoder.weight"]["shape"] = {10}; }, {"\"decoder.weight\"", "(10)"}},
        {"NaN", [](FileParts& p) { p.set_value("layers.1.mixer.D", 3, std::nanf("")); },
         {"\"layers.1.mixer.D\"", "not finite", "index 3"}},
        {"infinity", [](FileParts& p) { p.set_value("encoder.bias", 0, infinity); }, {"\"encoder.bias\"", "not finite"}},
        {"A_log too large", [](FileParts& p) { p.set_value("layers.0.mixer.A_log", 1, 89.0f); },
         {"\"layers.0.mixer.A_log\"", "index 1"}},
        {"A_log too small", [](FileParts& p) { p.set_value("layers.0.mixer.A_log", 0, -41.0f); }, {"\"layers.0.mixer.A_log\""}},
    });
}

TEST_CASE("wrong metadata") {
    const auto set = [](const char* key, json value) {
        return [=](FileParts& p) { p.header["__metadata__"][key] = value; };
    };
    check_all({
        {"no metadata", [](FileParts& p) { p.header.erase("__metadata__"); }, {"\"format\"", "serpent import"}},
        {"metadata a list", [](FileParts& p) { p.header["__metadata__"] = json::array(); }, {"__metadata__"}},
        {"a number among the texts", set("author", 7), {"__metadata__", "\"author\""}},
        {"another format", set("format", "pt"), {"\"format\""}},
        {"another version", set("format_version", "3"), {"\"format_version\"", "\"3\"", "\"1\" and \"2\""}},
        {"no version", [](FileParts& p) { p.header["__metadata__"].erase("format_version"); }, {"\"format_version\""}},
        {"no config", [](FileParts& p) { p.header["__metadata__"].erase("config"); }, {"\"config\""}},
        {"config no JSON", set("config", "{"), {"config", "not valid JSON"}},
        {"config a list", set("config", "[]"), {"config", "JSON object"}},
        {"config with a key twice", set("config", "{\"kind\":\"effect\",\"kind\":\"effect\"}"), {"config", "\"kind\" twice"}},
        {"config deep", set("config", std::string(100, '[')), {"config", "nested deeper"}},
        {"loudness a word", set("loudness_db", "loud"), {"\"loudness_db\"", "\"loud\""}},
        {"loudness not finite", set("loudness_db", "inf"), {"\"loudness_db\""}},
        {"level with a unit", set("input_level_dbu", "4 dBu"), {"\"input_level_dbu\"", "\"4 dBu\""}},
    });
}

TEST_CASE("wrong configuration fields") {
    const auto set = [](const char* key, json value) { return [=](FileParts& p) { p.set_config(key, value); }; };
    for (const json& peak : std::vector<json>{-0.5, 1e-31, 1e31, 1e300, "0.5", nullptr})
        check_all({{"output_peak", set("output_peak", peak), {"config", "output_peak"}}});
    for (const char* key : {"kind", "sample_rate", "d_model", "n_layers", "d_state"}) {
        check_all({{key, [=](FileParts& p) { p.erase_config(key); }, {key, "missing"}}});
    }
    for (const char* key : {"sample_rate", "channels", "d_model", "n_layers", "d_state", "d_conv", "expand", "dt_rank"}) {
        const std::vector<json> values = {0, -1, 2.5, "4", nullptr, true, json::array(), 1 << 24, std::uint64_t{1} << 60,
                                          std::numeric_limits<std::int64_t>::min(), 1e300};
        for (const json& value : values) check_all({{key, set(key, value), {"config", key}}});
    }
    for (const char* key : {"final_norm", "skip"}) {
        for (const json& value : std::vector<json>{1, "true", nullptr}) check_all({{key, set(key, value), {"config", key}}});
    }
    check_all({
        {"kind unknown", set("kind", "generator"), {"\"kind\"", "\"generator\""}},
        {"kind a number", set("kind", 1), {"\"kind\""}},
        {"a unknown", set("a", "diagonal"), {"\"a\"", "\"diagonal\"", "tied"}},
        {"b_bar unknown", set("b_bar", "zoh"), {"\"b_bar\"", "\"zoh\"", "ema"}},
        {"a width that the tensors do not have", set("d_model", 6), {"tensor", "\"encoder.weight\"", "(6, 2)"}},
        {"more layers than tensors", set("n_layers", 3), {"\"layers.2.norm.weight\"", "missing"}},
        {"fewer layers than tensors", set("n_layers", 1), {"\"layers.1."}},
    });
}

TEST_CASE("wrong controls") {
    const auto set = [](json list) { return [=](FileParts& p) { p.set_config("controls", list); }; };
    const json drive = {{"name", "Drive"}};
    const auto with = [&](const char* key, json value) {
        json changed = drive;
        changed[key] = value;
        return set(json::array({changed}));
    };
    check_all({
        {"no list", set(3), {"\"controls\""}},
        {"no object", set(json::array({"Drive"})), {"controls[0]"}},
        {"no name", set(json::array({json::object()})), {"controls[0].name", "missing"}},
        {"empty name", with("name", ""), {"controls[0].name", "empty"}},
        {"the same name twice", set(json::array({drive, drive})), {"controls[1].name", "\"Drive\""}},
        {"min a text", with("min", "0"), {"controls[0].min"}},
        {"min above max", with("min", 2), {"controls[0]", "min"}},
        {"max beyond float", with("max", 1e300), {"controls[0]", "max"}},
        {"default outside", with("default", 7), {"controls[0].default"}},
        {"unit a number", with("unit", 7), {"controls[0].unit"}},
        {"too many", set(json(33, drive)), {"\"controls\"", "32"}},
        {"fewer than the tensors", set(json::array({drive})), {"\"film.hidden.weight\"", "(16, 1)"}},
    });
}

TEST_CASE("validate() refuses what cannot be saved") {
    Model model = random_model(full_config());
    SECTION("a short tensor") {
        model.weights.layers[1].D = model.weights.layers[1].D.first(1);
        CHECK_THROWS_WITH(model.validate(), Contains("\"layers.1.mixer.D\""));
    }
    SECTION("a missing layer") {
        model.weights.layers.pop_back();
        CHECK_THROWS_WITH(model.validate(), Contains("n_layers"));
    }
    SECTION("a value that is not finite") {
        model.weights.encoder_bias[2] = std::nanf("");
        CHECK_THROWS_WITH(model.validate(), Contains("\"encoder.bias\""));
    }
    SECTION("a width outside its limits") {
        model.config.d_state = 1000;
        CHECK_THROWS_WITH(model.validate(), Contains("\"d_state\"") && Contains("256"));
    }
    const TemporaryFolder folder;
    CHECK_THROWS_AS(model.save(folder / "m.safetensors"), Error);
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a value that F16 cannot express is refused by name") {
    Model model = random_model(full_config());
    model.weights.encoder_bias[0] = 70000.0f;
    const TemporaryFolder folder;
    CHECK_THROWS_WITH(model.save(folder / "m.safetensors", TensorType::f16), Contains("\"encoder.bias\"") && Contains("F16"));
    CHECK_NOTHROW(model.save(folder / "m.safetensors", TensorType::bf16));
}

TEST_CASE("texts that are not UTF-8 are saved as Latin-1 reads them, and stay different") {
    Model model = random_model(full_config());
    model.metadata.author = "Jos\xe9";
    model.metadata.other = {{"k\xe9y", "\xff\xc3\xa9"}};
    model.config.controls[0].name = "T\xf6ne";
    model.config.controls[1].name = "T\xe4ne";
    model.config.controls[0].unit = "\xb0";
    const TemporaryFolder folder;
    model.save(folder / "m.safetensors");
    const Model back = Model::load(folder / "m.safetensors");
    CHECK(back.metadata.author == "José");
    CHECK(back.metadata.other == std::map<std::string, std::string>{{"kéy", "ÿé"}});
    CHECK(back.config.controls[0].name == "Töne");
    CHECK(back.config.controls[1].name == "Täne");
    CHECK(back.config.controls[0].unit == "°");
}

TEST_CASE("valid_utf8 leaves UTF-8 alone and makes it of everything else") {
    for (const char* text : {"", "plain", "José", "日本語", "\U0001f40d", "\u0080", "\uffff"}) CHECK(valid_utf8(text) == text);
    CHECK(valid_utf8("\xed\xa0\x80") == "í\u00a0\u0080");  // a surrogate
    for (int first = 0; first < 256; ++first)
        for (int second = 0; second < 256; ++second)
            for (const char* rest : {"", "\x80", "\x80\x80", "a"}) {
                const std::string bytes = std::string{static_cast<char>(first), static_cast<char>(second)} + rest;
                const nlohmann::json text = valid_utf8(bytes);
                REQUIRE_NOTHROW(text.dump());  // throws on any other
            }
}
