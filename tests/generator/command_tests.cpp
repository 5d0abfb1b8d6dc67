// SPDX-License-Identifier: GPL-3.0-or-later
// train-generator, generate, info and bench as a user runs them.
#include "../command/run_command.h"
#include "audio/temporary_folder.h"
#include "example_generator.h"
#include "serpent/audio_file.h"
#include "serpent/generator.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cmath>

using namespace serpent;
using namespace serpent::test;

namespace {

std::vector<float> read(const std::filesystem::path& path) { return read_audio(path).channels.at(0); }

void write_tones(const TemporaryFolder& folder) {
    for (int i = 0; i < 6; ++i) {
        std::vector<float> audio(900);
        for (std::size_t t = 0; t < audio.size(); ++t) audio[t] = 0.2f * std::sin(0.1f * float(t) * float(1 + i % 2));
        write_audio(folder / ((i % 2 ? "high_" : "low_") + std::to_string(i) + ".wav"), {8000, {audio}, Subtype::pcm16}, Subtype::pcm16);
    }
}

} // namespace

TEST_CASE("from a folder to a model, a report, and audio", "[command]") {
    const TemporaryFolder recordings, folder;
    write_tones(recordings);
    const std::string model = (folder / "tones.safetensors").string();
    const CommandResult trained = run_command({"train-generator", recordings.path().string(), "-o", model, "--preset", "small", "--names",
                                               "{pitch}_*", "--test", "*_0.wav", "--schedule",
                                               R"({"steps": 6, "validate_every": 3, "lanes": 16, "segment": 64})"});
    CAPTURE(trained.err);
    REQUIRE(trained.status == 0);
    CHECK(trained.out.find("test ") != std::string::npos);
    CHECK(std::filesystem::file_size(folder / "tones.html") > 50000);
    CHECK_FALSE(std::filesystem::exists(folder / "tones.safetensors.checkpoint"));

    const CommandResult info = run_command({"info", model, "--json"});
    REQUIRE(info.status == 0);
    const auto json = nlohmann::json::parse(info.out);
    CHECK(json.at("config").at("conditions").at(0).at("values") == nlohmann::json({"high", "low"}));
    CHECK(json.at("training").at("test_bits_per_sample").get<double>() < 9);
    CHECK(run_command({"info", model}).out.find("pitch: high, low") != std::string::npos);

    const CommandResult bench = run_command({"bench", model, "--json", "--seconds", "0.2"});
    REQUIRE(bench.status == 0);
    const auto figures = nlohmann::json::parse(bench.out);
    CHECK(figures.at("ns_per_sample").get<double>() > 0);
    CHECK(figures.at("block") == 1);

    const CommandResult made = run_command({"generate", model, "-o", (folder / "a.wav").string(), "--seconds", "0.5", "--condition", "pitch=low"});
    REQUIRE(made.status == 0);
    CHECK(read(folder / "a.wav").size() == 4000);
}

TEST_CASE("a training that was interrupted goes on to the same bits", "[command]") {
    const TemporaryFolder recordings, folder;
    write_tones(recordings);
    const auto train = [&](const std::string& name, std::vector<std::string> more, const CommandLimits& limits) {
        std::vector<std::string> words{"train-generator", recordings.path().string(), "-o", (folder / name).string(), "--no-report",
                                       "--preset", "small", "--schedule",
                                       R"({"steps": 250, "validate_every": 50, "lanes": 16, "segment": 256})"};
        words.insert(words.end(), more.begin(), more.end());
        return run_command(words, limits);
    };
    REQUIRE(train("whole", {}, {}).status == 0);
    const CommandResult part = train("part", {}, {.interrupt_after_s = 1.0});
    REQUIRE(part.status == 0);
    if (part.err.find("stopped early") != std::string::npos) {  // else the machine was that fast
        CHECK(std::filesystem::exists(folder / "part.checkpoint"));
        REQUIRE(train("part", {"--resume"}, {}).status == 0);
    }
    CHECK((GeneratorModel::load(folder / "whole").weights.values == GeneratorModel::load(folder / "part").weights.values));
    CHECK(train("nothing", {"--resume"}, {}).err.find("no ") != std::string::npos);
}

TEST_CASE("generate: seeds, prompts, batches, and what it refuses", "[command]") {
    const TemporaryFolder folder;
    example_generator("two").save(folder / "m.safetensors");
    const std::string model = (folder / "m.safetensors").string();
    const auto generate = [&](const std::string& out, std::vector<std::string> more) {
        std::vector<std::string> words{"generate", model, "-o", (folder / out).string(), "--seconds", "0.25", "--subtype", "float"};
        words.insert(words.end(), more.begin(), more.end());
        return run_command(words);
    };
    REQUIRE(generate("one.wav", {}).status == 0);
    REQUIRE(generate("again.wav", {"--seed", "1"}).status == 0);
    REQUIRE(generate("two.wav", {"--seed", "2"}).status == 0);
    CHECK(read(folder / "one.wav") == read(folder / "again.wav"));
    CHECK(read(folder / "one.wav") != read(folder / "two.wav"));
    REQUIRE(generate("batch.wav", {"--count", "3"}).status == 0);
    CHECK(read(folder / "batch-1.wav") == read(folder / "one.wav"));
    CHECK(read(folder / "batch-2.wav") == read(folder / "two.wav"));
    CHECK(std::filesystem::exists(folder / "batch-3.wav"));

    // The prompt is heard, and its continuation is what the library makes of it.
    REQUIRE(generate("rest.wav", {"--prompt", (folder / "two.wav").string(), "--keep-prompt"}).status == 0);
    const std::vector<float> prompt = read(folder / "two.wav"), all = read(folder / "rest.wav");
    REQUIRE(all.size() == 4000);
    Generator generator(std::make_shared<const GeneratorModel>(GeneratorModel::load(model)));
    generator.prime(prompt.data(), 2000);
    std::vector<float> expected(2000);
    generator.generate(expected.data(), 2000);
    CHECK(std::vector<float>(all.begin(), all.begin() + 2000) == prompt);
    CHECK(std::vector<float>(all.begin() + 2000, all.end()) == expected);
    // at another rate it is resampled
    write_audio(folder / "fast.wav", {16000, {std::vector<float>(1000, 0.1f)}, Subtype::pcm16}, Subtype::pcm16);
    REQUIRE(generate("slow.wav", {"--prompt", (folder / "fast.wav").string(), "--keep-prompt"}).status == 0);
    CHECK(read(folder / "slow.wav").size() == 2500);

    const std::pair<std::vector<std::string>, std::string> refused[] = {
        {{"--condition", "digit=nine"}, "one, two"},
        {{"--condition", "pitch=low"}, "digit, speaker"},
        {{"--prompt", (folder / "nowhere.wav").string()}, "nowhere.wav"},
        {{"--keep-prompt"}, "--prompt"},
        {{"--top-p", "2"}, "--top-p"},
    };
    for (const auto& [more, named] : refused) {
        const CommandResult result = generate("no.wav", more);
        CHECK(result.status == 1);
        CHECK(result.err.find(named) != std::string::npos);
        CHECK_FALSE(std::filesystem::exists(folder / "no.wav"));
    }
    const CommandResult effect = run_command({"generate", SERPENT_ASSETS "/models/opto.safetensors", "-o", (folder / "no.wav").string()});
    CHECK(effect.status == 1);
    CHECK(effect.err.find("no generator") != std::string::npos);
    const CommandResult rendered = run_command({"render", model, (folder / "one.wav").string(), "-o", (folder / "no.wav").string()});
    CHECK(rendered.status == 1);
    CHECK(rendered.err.find("serpent generate") != std::string::npos);
}
