// SPDX-License-Identifier: GPL-3.0-or-later
// Files that are wrong: one clear Error each, which names the field; never a crash, nor memory beyond what the file has.
#include "audio/temporary_folder.h"
#include "nam/nam_helpers.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"
#include "serpent/generator_model.h"

#include <catch2/catch.hpp>

#include <fstream>
#include <functional>

using namespace serpent;
using namespace serpent::test;

namespace {

json good() {
    return NamWriter(3).wavenet({layer_array(1, 1, 4, {1, 2}, {{"head_size", 2}, {"kernel_size", 3}, {"gated", true}}),
                                 layer_array(4, 1, 2, {4}, {{"head", {{"out_channels", 1}, {"kernel_size", 2}, {"bias", true}}}, {"kernel_sizes", {3}}})});
}

std::string message_of(const std::string& text) {
    try {
        nam_model(text);
    } catch (const Error& error) {
        return error.what();
    }
    return "accepted";
}

struct Fault {
    std::string says;
    std::function<void(json&)> plant;
};

json& layers(json& file, std::size_t i) { return file["config"]["layers"][i]; }

} // namespace

TEST_CASE("what is wrong in a file is refused by name") {
    nam_model(good());
    const json huge = std::uint64_t{1} << 60;
    const Fault faults[] = {
        {"\"version\" is missing", [](json& f) { f.erase("version"); }},
        {"\"version\" must be a text", [](json& f) { f["version"] = 0.7; }},
        {"\"version\" is \"0.8.0\"; Serpent reads 0.5.0 to 0.7.x", [](json& f) { f["version"] = "0.8.0"; }},
        {"\"version\" is \"0.4.9\"", [](json& f) { f["version"] = "0.4.9"; }},
        {"\"version\" is \"0.7\"; it must be like", [](json& f) { f["version"] = "0.7"; }},
        {"\"version\" is \"0.7.0x\"", [](json& f) { f["version"] = "0.7.0x"; }},
        {"\"architecture\" is \"Transformer\"", [](json& f) { f["architecture"] = "Transformer"; }},
        {"\"architecture\" must be a text", [](json& f) { f["architecture"] = 3; }},
        {"\"config\" is missing", [](json& f) { f.erase("config"); }},
        {"\"config\" must be an object", [](json& f) { f["config"] = json::array(); }},
        {"\"weights\" is missing", [](json& f) { f.erase("weights"); }},
        {"\"weights\" must be a list of numbers", [](json& f) { f["weights"] = 0; }},
        {"the config calls for more", [](json& f) { f["weights"].erase(5); }},
        {"but the config calls for", [](json& f) { f["weights"].push_back(0.5); }},
        {"no number, after 1", [](json& f) { f["weights"][1] = "0.5"; }},
        {"no number, after 0", [](json& f) { f["weights"][0] = nullptr; }},
        {"holds a list where a number should be", [](json& f) { f["weights"][0] = json::array({1}); }},
        {"weight 3 is too large", [](json& f) { f["weights"][3] = 1e39; }},
        {"\"sample_rate\" must be a number from", [](json& f) { f["sample_rate"] = -48000; }},
        {"\"sample_rate\" must be a number from", [](json& f) { f["sample_rate"] = "48 kHz"; }},
        {"\"config.layers\" must be a list", [](json& f) { f["config"]["layers"] = json::array(); }},
        {"\"config.layers[0]\" must be an object", [](json& f) { layers(f, 0) = 1; }},
        {"\"config.layers[0].channels\" must be a whole number from 1 to 1024 (version 0.7.0)", [&](json& f) { layers(f, 0)["channels"] = huge; }},
        {"\"config.layers[0].channels\" must be", [](json& f) { layers(f, 0)["channels"] = -1; }},
        {"\"config.layers[0].channels\" must be", [](json& f) { layers(f, 0)["channels"] = 4.5; }},
        {"\"config.layers[0].dilations\" holds at 1", [&](json& f) { layers(f, 0)["dilations"][1] = huge; }},
        {"\"config.layers[0].dilations\" must be a list", [](json& f) { layers(f, 0)["dilations"] = json::array(); }},
        {"\"config.layers[0].kernel_size\" must be", [](json& f) { layers(f, 0)["kernel_size"] = 0; }},
        {"\"config.layers[0].kernel_sizes\" is missing", [](json& f) { layers(f, 0).erase("kernel_size"); }},
        {"\"config.layers[0].kernel_size\" and \"kernel_sizes\"", [](json& f) { layers(f, 0)["kernel_sizes"] = {3, 3}; }},
        {"\"config.layers[1].kernel_sizes\" has 2 entries for 1 layers", [](json& f) { layers(f, 1)["kernel_sizes"] = {3, 3}; }},
        {"reaches back further", [](json& f) { layers(f, 0)["dilations"][1] = 1 << 20; }},
        {"\"config.layers[0].activation[0]\" is \"Snake\"", [](json& f) { layers(f, 0)["activation"] = "Snake"; }},
        {"\"config.layers[0].activation[0].type\" is \"GELU\"", [](json& f) { layers(f, 0)["activation"] = {{"type", "GELU"}}; }},
        {"\"config.layers[0].activation\" has 3 entries for 2 layers", [](json& f) { layers(f, 0)["activation"] = {"Tanh", "Tanh", "Tanh"}; }},
        {"\"config.layers[0].activation[0].negative_slopes\" has 3 entries for 4 channels",
         [](json& f) { layers(f, 0)["activation"] = {{"type", "PReLU"}, {"negative_slopes", {1, 2, 3}}}; }},
        {"\"config.layers[0].gating_mode\" must be \"none\"", [](json& f) { layers(f, 0)["gating_mode"] = "halved"; }},
        {"\"config.layers[0].gated\" must be true or false", [](json& f) { layers(f, 0)["gated"] = "yes"; }},
        {"\"config.layers[0].bottleneck\" differs", [](json& f) { layers(f, 0)["bottleneck"] = 3, layers(f, 0)["layer1x1"] = {{"active", false}, {"groups", 1}}; }},
        {"\"config.layers[0].layer1x1.active\" is missing", [](json& f) { layers(f, 0)["layer1x1"] = json::object(); }},
        {"\"config.layers[0].head1x1_post_film\" needs", [](json& f) { layers(f, 0)["head1x1_post_film"] = film(true); }},
        {"cannot have 3 groups", [](json& f) { layers(f, 0)["groups_input"] = 3; }},
        {"\"config.layers[0].condition_size\" must be 1", [](json& f) { layers(f, 0)["condition_size"] = 2, f["weights"].insert(f["weights"].end(), 16, json(0.1)); }},
        {"\"config.layers[0]\" has the field \"attention\", which Serpent does not know (version 0.7.0)", [](json& f) { layers(f, 0)["attention"] = {{"heads", 2}}; }},
        {"\"config\" has the field \"oversampling\"", [](json& f) { f["config"]["oversampling"] = 2; }},
        {"\"config.layers[1].head.bias\" is missing", [](json& f) { layers(f, 1)["head"].erase("bias"); }},
        {"\"config.layers[1].head.kernel_size\" must be", [](json& f) { layers(f, 1)["head"]["kernel_size"] = 0; }},
        {"\"config.head\" must be an object", [](json& f) { f["config"]["head"] = "none"; }},
        {"\"config.head_scale\" must be a number", [](json& f) { f["config"]["head_scale"] = "loud"; }},
        {"\"config.condition_dsp\" must be an object", [](json& f) { f["config"]["condition_dsp"] = {1}; }},
        {"\"config.condition_dsp.version\" is missing", [](json& f) { f["config"]["condition_dsp"] = json::object(); }},
        {"\"config.layers[0].slimmable.method\" must be", [](json& f) { layers(f, 0)["slimmable"] = {{"method", "prune"}}; }},
        {"\"config.layers[0].slimmable\" must list rising", [](json& f) { layers(f, 0)["slimmable"] = {{"method", "slice_channels_uniform"}, {"kwargs", {{"allowed_channels", {3, 2}}}}}; }},
        {"makes 3 channels of 1", [](json& f) { f["config"]["head"] = {{"channels", 2}, {"out_channels", 3}, {"kernel_sizes", {1}}, {"activation", "Tanh"}};
                                                f["weights"].insert(f["weights"].end(), 6, json(0.1)); }},
    };
    CHECK(std::size(faults) >= 30);
    for (const Fault& fault : faults) {
        CAPTURE(fault.says);
        json file = good();
        fault.plant(file);
        const std::string message = message_of(file.dump());
        CHECK_THAT(message, Catch::StartsWith("test.nam: ") && Catch::Contains(fault.says));
    }
}

TEST_CASE("faults of the other architectures are refused by name") {
    NamWriter w(4);
    const std::pair<std::string, std::pair<json, std::function<void(json&)>>> faults[] = {
        {"\"config.num_layers\" must be", {w.lstm(1, 4), [](json& f) { f["config"]["num_layers"] = 0; }}},
        {"\"config.hidden_size\" must be", {w.lstm(1, 4), [](json& f) { f["config"]["hidden_size"] = std::uint64_t{1} << 60; }}},
        {"the config calls for more", {w.lstm(1, 4), [](json& f) { f["config"]["hidden_size"] = 1024; }}},
        {"\"config\" has the field \"bidirectional\"", {w.lstm(1, 4), [](json& f) { f["config"]["bidirectional"] = true; }}},
        {"\"config.in_channels\" must equal", {w.lstm(1, 4), [](json& f) { f["config"]["in_channels"] = 2; }}},
        {"\"config.receptive_field\" must be", {w.linear(8, true), [](json& f) { f["config"]["receptive_field"] = 0; }}},
        {"\"config.bias\" is missing", {w.linear(8, true), [](json& f) { f["config"].erase("bias"); }}},
        {"\"config.batchnorm\" must be true or false", {w.conv_net(4, {1}, true), [](json& f) { f["config"]["batchnorm"] = 1; }}},
        {"has a variance that is not positive", {w.conv_net(4, {1}, true), [](json& f) { f["weights"][12] = -3.0; }}},
        {"\"config.submodels\" must be a list", {w.container({{1.0, w.lstm(1, 2)}}), [](json& f) { f["config"]["submodels"] = json::array(); }}},
        {"\"config.submodels[1].max_value\" must be larger", {w.container({{1.0, w.lstm(1, 2)}, {1.0, w.lstm(1, 3)}}), [](json&) {}}},
        {"must end with a \"max_value\" of 1", {w.container({{0.5, w.lstm(1, 2)}}), [](json&) {}}},
        {"\"config.submodels[0].model.version\" is missing", {w.container({{1.0, w.lstm(1, 2)}}), [](json& f) { f["config"]["submodels"][0]["model"].erase("version"); }}},
        {"\"config.submodels[1].model\" has another sample rate",
         {w.container({{0.5, w.lstm(1, 2)}, {1.0, w.lstm(1, 3)}}), [](json& f) { f["config"]["submodels"][1]["model"]["sample_rate"] = 44100; }}},
        {"\"config.submodels[1].model.architecture\" is \"SlimmableContainer\"",
         {w.container({{0.5, w.lstm(1, 2)}, {1.0, w.container({{1.0, w.lstm(1, 3)}})}}), [](json&) {}}},
    };
    for (const auto& [says, fault] : faults) {
        CAPTURE(says);
        json file = fault.first;
        fault.second(file);
        CHECK_THAT(message_of(file.dump()), Catch::Contains(says));
    }
}

TEST_CASE("what a file costs is counted over all its networks, as the engine lays them out") {
    NamWriter w(12);
    const json each{{"active", true}, {"groups", 1024}};
    const json work = {{"kernel_size", 4}, {"head_size", 1}, {"groups_input", 1024}, {"layer1x1", each}};  // of few weights: 15.7 million
    const json busy = w.wavenet({layer_array(1, 1, 1024, {1, 1, 1}, work)});
    const json memory = {{"kernel_size", 2}, {"head_size", 1}};
    const auto reaching = [&](int layers) { return w.wavenet({layer_array(1, 1, 1, std::vector<int>(static_cast<std::size_t>(layers), 1 << 20), memory)}); };
    const json long_one = reaching(2);
    json recurrent = w.lstm(1, 512);
    recurrent["weights"] = std::vector<int>(recurrent["weights"].size(), 0);
    const auto on = [](json file, const json& condition) {
        file["config"]["condition_dsp"] = condition;
        return file;
    };
    for (const json& alone : {busy, long_one, recurrent}) CHECK(message_of(alone.dump()) == "accepted");
    const char* work_says = "multiplications for each sample";
    const char* memory_says = "reach back further than Serpent has memory for";
    CHECK_THAT(message_of(on(busy, busy).dump()), Catch::Contains(work_says));
    CHECK_THAT(message_of(on(busy, recurrent).dump()), Catch::Contains(work_says));
    CHECK_THAT(message_of(NamWriter::container({{0.5, busy}, {1.0, busy}}).dump()), Catch::Contains(work_says));
    CHECK_THAT(message_of(on(long_one, long_one).dump()), Catch::Contains(memory_says));
    CHECK_THAT(message_of(reaching(5).dump()), Catch::Contains(memory_says));  // of one channel, padded to four
}

TEST_CASE("a sample rate is that of the network, else of what is around it, else of its condition, and all agree") {
    NamWriter w(13);
    const auto with_rate = [](json file, const json& rate) {
        file["sample_rate"] = rate;
        return file;
    };
    const json part = with_rate(w.lstm(1, 2), nullptr);
    json conditioned = with_rate(w.wavenet({layer_array(1, 1, 2, {1}, {{"kernel_size", 1}, {"head_size", 1}})}), nullptr);
    conditioned["config"]["condition_dsp"] = with_rate(w.lstm(1, 2), 44100);
    const auto rate_of = [](const json& file) { return nam_model(file)->config.sample_rate; };
    const auto two = [&](const json& rate, const json& a, const json& b) {
        return with_rate(NamWriter::container({{0.5, a}, {1.0, b}}), rate);
    };
    CHECK(rate_of(two(96000, part, part)) == 96000);
    CHECK(nam_at_size(*nam_model(two(96000, part, part)), 0.0).config.sample_rate == 96000);
    CHECK(nam_model(two(96000, part, part))->nam->has_rate);
    CHECK(rate_of(conditioned) == 44100);
    CHECK(rate_of(two(nullptr, part, with_rate(part, 44100))) == 44100);
    CHECK(nam_at_size(*nam_model(two(nullptr, part, with_rate(part, 44100))), 0.0).config.sample_rate == 44100);
    CHECK(rate_of(two(nullptr, with_rate(part, 44100), part)) == 44100);
    CHECK(!nam_model(two(nullptr, part, part))->nam->has_rate);
    for (const json& file : {two(96000, part, with_rate(part, 44100)), two(nullptr, with_rate(part, 48000), with_rate(part, 44100)),
                             two(96000, part, conditioned), two(nullptr, with_rate(part, 48000), conditioned),
                             two(nullptr, conditioned, with_rate(part, 48000))})
        CHECK_THAT(message_of(file.dump()), Catch::Contains("has another sample rate"));
}

TEST_CASE("texts that are no JSON, or more of it than is reasonable, are refused by name") {
    const std::string text = good().dump();
    const auto with_weights = [](const std::string& list) { return R"({"architecture": "LSTM", "version": "0.5.4", "config": {}, "weights": [)" + list + "]}"; };
    std::string deep = R"({"architecture": "LSTM", "config": )";
    for (int i = 0; i < 100000; ++i) deep += "[";
    std::string many = R"({"architecture": "LSTM", "config": [)";
    for (int i = 0; i < 300000; ++i) many += "0,";
    const std::pair<std::string, std::string> texts[] = {
        {text.substr(0, text.size() / 2), "is not valid JSON"},
        {text + "}", "is not valid JSON"},
        {with_weights("0.1, NaN"), "NaN or Infinity"},
        {with_weights("0.1, -Infinity"), "NaN or Infinity"},
        {with_weights("1e999"), "too large"},
        {R"({"architecture": "LSTM", "version": "0.5.4", "version": "0.5.4", "config": {}})", "\"version\" is there twice"},
        {deep, "nested deeper than 40"},
        {many, "holds more than 200000 values"},
        {R"({"architecture": "LSTM", "config": "\xff"})", "is not valid JSON"},
    };
    for (const auto& [bytes, says] : texts) {
        CAPTURE(says);
        CHECK_THAT(message_of(bytes), Catch::Contains(says));
    }
}

TEST_CASE("a file of a gigabyte is refused before it is read") {
    const TemporaryFolder folder;
    const auto path = folder / "large.nam";
    std::ofstream(path) << R"({"architecture": "LSTM", "version": "0.5.4", "weights": [)" << std::string(8192, ' ');
    std::filesystem::resize_file(path, std::uintmax_t{1} << 30);
    CHECK_THROWS_WITH(Model::load(path), Catch::Contains("large.nam") && Catch::Contains("at most 67108864 are read"));
}

TEST_CASE("a capture is known by its content, and is no generator, audio file or file to write") {
    const TemporaryFolder folder;
    const auto path = folder / "amp.json";
    std::ofstream(path) << "\xef\xbb\xbf \n" << good().dump();
    CHECK(kind_of_file(path).is_nam());
    CHECK(Model::load(path).nam);
    CHECK(!is_generator(path));
    CHECK_THROWS_WITH(GeneratorModel::load(path), Catch::Contains("not a generator"));
    CHECK_THROWS_WITH(Model::load(path).save(folder / "out.safetensors"), Catch::Contains(".nam capture"));
    CHECK(!std::filesystem::exists(folder / "out.safetensors"));
}

TEST_CASE("the card of a capture is read, and never keeps it from playing") {
    json file = good();
    file["metadata"] = {{"name", "Twin"}, {"modeled_by", "Ann"}, {"gear_make", "Fender"}, {"gear_model", "Twin"}, {"gear_type", "amp"},
                        {"tone_type", "clean"}, {"loudness", -18.5}, {"input_level_dbu", 12.5}, {"output_level_dbu", 9}, {"gain", 0.25},
                        {"date", {{"year", 2024}, {"month", 3}, {"day", 9}}}, {"training", {{"validation_esr", 0.01}}}};
    const auto model = nam_model(file);
    CHECK(model->metadata.name == "Twin");
    CHECK(model->metadata.author == "Ann");
    CHECK(model->metadata.gear == "Fender Twin");
    CHECK(model->metadata.loudness_db == -18.5);
    CHECK(model->metadata.input_level_dbu == 12.5);
    CHECK(model->metadata.other == std::map<std::string, std::string>{{"date", "2024-03-09"}, {"gain", "0.25"}, {"gear_type", "amp"},
                                                                      {"output_level_dbu", "9"}, {"tone_type", "clean"}});
    file["metadata"] = {{"name", 3}, {"loudness", "loud"}, {"date", {{"year", -1}}}, {"training", nullptr}, {"gear_make", json::array()}};
    CHECK(nam_model(file)->metadata.name.empty());
    file["metadata"] = "none", file["notes"] = {"anything"};
    CHECK(nam_model(file)->metadata.name.empty());
    file.erase("sample_rate");
    CHECK(nam_model(file)->config.sample_rate == 48000);
    CHECK(!nam_model(file)->nam->has_rate);
}
