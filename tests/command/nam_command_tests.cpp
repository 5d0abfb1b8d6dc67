// SPDX-License-Identifier: GPL-3.0-or-later
// Captures in the .nam format on the command line.
#include "audio/temporary_folder.h"
#include "command/run_command.h"
#include "golden_file.h"
#include "serpent/model.h"

#include <catch2/catch.hpp>

#include <fstream>

using namespace serpent;
using namespace serpent::test;
using Catch::Contains;

namespace {

const std::string captures = SERPENT_TEST_DATA "/nam/";

} // namespace

TEST_CASE("info prints the card of a capture, for people and for programs") {
    const CommandResult card = run_command({"info", captures + "everything.nam"});
    CHECK(card.status == 0);
    CHECK(card.err.empty());
    for (const char* text : {"nam_golden.py", "version 0.6.0", "48000 Hz", "WaveNet, 3 layers of 4 channels; conditioned on WaveNet"})
        CHECK_THAT(card.out, Contains(text));
    const CommandResult result = run_command({"info", captures + "lstm.nam", "--json"});
    const auto json = nlohmann::json::parse(result.out);
    CHECK(json["config"]["kind"] == "nam");
    CHECK(json["nam"]["architecture"] == "LSTM");
    CHECK(json["nam"]["layout"] == "2 x 7");
    CHECK(json["parameters"] == 4 * 7 * 8 + 28 + 14 + 4 * 7 * 14 + 28 + 14 + 8);
}

TEST_CASE("render plays a recording through a capture, and evaluate finds it equal") {
    const TemporaryFolder folder;
    const std::string out = (folder / "out.wav").string(), dry = captures + "kernels_in.wav";
    const CommandResult rendered = run_command({"render", captures + "kernels.nam", dry, "-o", out, "--subtype", "float"});
    CHECK(rendered.status == 0);
    CHECK_THAT(rendered.err, !Contains("threads"));
    const CommandResult same = run_command({"evaluate", captures + "kernels.nam", dry, out, "--json"});
    CHECK(nlohmann::json::parse(same.out)["esr"] < 1e-12);
    const CommandResult golden = run_command({"evaluate", captures + "kernels.nam", dry, captures + "kernels_out.wav", "--json"});
    CHECK(nlohmann::json::parse(golden.out)["esr"] < 1e-11);
    const CommandResult sized = run_command({"render", captures + "kernels.nam", dry, "-o", out, "--size", "0.2"});
    CHECK(sized.status == 0);  // it offers one size only
    CHECK_THAT(run_command({"render", captures + "kernels.nam", dry, "-o", out, "--device", "cuda"}).err, Contains("serpent: "));
}

TEST_CASE("evaluate compares two models of any kind") {
    const std::string dry = captures + "kernels_in.wav", ours = SERPENT_ASSETS "/models/scream.safetensors";
    const CommandResult same = run_command({"evaluate", captures + "lstm.nam", dry, "--against", captures + "lstm.nam", "--json"});
    CHECK(nlohmann::json::parse(same.out)["esr"] == 0.0);
    for (const auto& [a, b] : {std::pair(captures + "lstm.nam", ours), std::pair(ours, captures + "lstm.nam")}) {
        const CommandResult other = run_command({"evaluate", a, dry, "--against", b, "--json"});
        CHECK(nlohmann::json::parse(other.out)["esr"] > 0.01);
    }
    CHECK_THAT(run_command({"evaluate", ours, dry, dry, "--against", ours}).err, Contains("give DRY alone"));
    CHECK_THAT(run_command({"render", ours, dry, "-o", "/tmp/x.wav", "--size", "1"}).err, Contains("Only a .nam capture has sizes"));
}

TEST_CASE("a faulty capture is one clear error") {
    const TemporaryFolder folder;
    const auto path = folder / "amp.nam";
    std::ofstream(path) << R"({"version": "0.9.0", "architecture": "WaveNet", "config": {}, "weights": []})";
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"info", path}, {"bench", path}, {"evaluate", path, "a.wav", "b.wav"}}) {
        const CommandResult result = run_command(arguments);
        CHECK(result.status == 1);
        CHECK_THAT(result.err, Contains("amp.nam") && Contains("\"version\" is \"0.9.0\""));
    }
}

TEST_CASE("what all layers share is not multiplied by their number") {
    const TemporaryFolder folder;
    const auto path = folder / "amp.nam";
    const auto info = [&](std::size_t layers, const char* shared) {
        nlohmann::json array = {{"input_size", 1}, {"condition_size", 1}, {"channels", 2}, {"kernel_size", 1}, {"head_size", 1},
                                {"head_bias", false}, {"activation", "Tanh"}, {"gating_mode", "gated"}};
        array["dilations"] = std::vector<int>(layers, 1);
        array[shared] = {{"type", "PReLU"}, {"negative_slopes", std::vector<int>(95'000, 1)}};
        const nlohmann::json file = {{"version", "0.7.0"}, {"architecture", "WaveNet"}, {"config", {{"layers", {array}}}}, {"weights", {1}}};
        std::ofstream(path) << file.dump();
        return run_command({"info", path});
    };
    constexpr std::int64_t most_bytes = std::int64_t{128} << 20;  // what the command takes anyway, and some
    for (const char* shared : {"activation", "secondary_activation"}) {
        const CommandResult many = info(95'000, shared);
        CHECK(many.status == 1);
        CHECK_THAT(many.err, Contains("\"config.layers[0].dilations\" has 95000 entries; Serpent plays at most 1024"));
        CHECK(many.peak_memory_bytes < most_bytes);
        const CommandResult allowed = info(1000, shared);
        CHECK(allowed.status == 1);
        CHECK_THAT(allowed.err, Contains("negative_slopes\" has 95000 entries for 2 channels"));
        CHECK(allowed.peak_memory_bytes < most_bytes);
    }
}

TEST_CASE("convert makes a model of Serpent's own, and goes through a folder once") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "in");
    std::filesystem::copy(captures + "linear.nam", folder / "in/amp.nam");
    std::ofstream(folder / "in/notes.txt") << "no capture";
    const std::vector<std::string> command{"convert", folder / "in", "-o", folder / "out", "--minutes", "0.02", "--seconds", "20",
                                           "--preset", "nano", "--device", "cpu", "--no-report"};
    const CommandResult first = run_command(command);
    CAPTURE(first.err);
    REQUIRE(first.status == 0);
    CHECK_THAT(first.out, Contains("the capture takes") && Contains("ESR on the validation part"));
    const Model model = Model::load(folder / "out/amp.safetensors");
    CHECK(!model.nam);
    CHECK(model.metadata.name == "linear");
    CHECK(model.metadata.author == "nam_golden.py");
    CHECK_THAT(model.metadata.description, Contains("Converted from amp.nam"));
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "out")) ++files;
    CHECK(files == 1);
    CHECK_THAT(run_command(command).err, Contains("is there already"));
}

TEST_CASE("a conversion that is stopped says so, leaves no untrained model and no signals, and goes on with the same command") {
    const TemporaryFolder folder;
    std::filesystem::create_directories(folder / "in");
    std::filesystem::create_directories(folder / "out/amp.safetensors.signals");
    std::ofstream(folder / "out/amp.safetensors.signals/mine.txt") << "not of convert";
    std::filesystem::copy(captures + "linear.nam", folder / "in/amp.nam");
    const auto convert = [&](const std::string& minutes, const CommandLimits& limits, const std::vector<std::string>& more = {}) {
        std::vector<std::string> command{"convert", folder / "in", "-o", folder / "out", "--minutes", minutes, "--seconds", "20",
                                         "--preset", "nano", "--device", "cpu", "--no-report"};
        command.insert(command.end(), more.begin(), more.end());
        return run_command(command, limits);
    };
    const auto model = folder / "out/amp.safetensors", checkpoint = folder / "out/amp.safetensors.checkpoint";
    for (const double after_s : {0.1, 0.6, 2.0, 6.0}) {
        const CommandResult stopped = convert("5", {.interrupt_after_s = after_s});
        CAPTURE(after_s, stopped.err);
        CHECK(stopped.status == 1);
        CHECK_THAT(stopped.err, Contains("serpent: interrupted") && Contains("the same command") && !Contains("--resume"));
        if (std::filesystem::exists(model)) CHECK(std::filesystem::exists(checkpoint));
        if (stopped.err.find("before the training began") != std::string::npos) CHECK(!std::filesystem::exists(model));
        for (const auto& entry : std::filesystem::directory_iterator(folder / "out"))
            CHECK_THAT(entry.path().string(), !Contains("signals-"));
    }
    CHECK(std::filesystem::exists(checkpoint));
    const CommandResult over = convert("0.02", {}, {"--force"});
    CHECK(over.status == 0);
    CHECK_THAT(over.err, Contains("starting over: --force replaces what there is of"));
    CHECK_THAT(convert("0.02", {}, {"--force"}).err, Contains("starting over") && !Contains("is there already"));
    CHECK(std::filesystem::exists(folder / "out/amp.safetensors.signals/mine.txt"));
}

TEST_CASE("two captures that would become one model are refused by name before anything begins") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "in");
    std::filesystem::copy(captures + "linear.nam", folder / "in/amp.nam");
    std::filesystem::copy(captures + "lstm.nam", folder / "in/amp.json");
    const CommandResult result = run_command({"convert", folder / "in", "-o", folder / "out"}, {.interrupt_after_s = 5.0});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("amp.json and ") && Contains("amp.nam would both become ") && Contains("rename one of them"));
    CHECK(!std::filesystem::exists(folder / "out"));
}
