// SPDX-License-Identifier: GPL-3.0-or-later
// The generator in assets/generators: that it is what its card says, and that it stays so when it plays for long.
#include "serpent/generator.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

using namespace serpent;

namespace {

const std::string folder = SERPENT_ASSETS "/generators/";

std::shared_ptr<const GeneratorModel> voice() {
    return std::make_shared<const GeneratorModel>(GeneratorModel::load(folder + "voice.safetensors"));
}

/// Levels in dBFS of 20 ms frames, those above -45 dBFS, sorted.
std::vector<double> active_levels(const std::vector<float>& audio) {
    std::vector<double> levels;
    for (std::size_t first = 0; first + 160 <= audio.size(); first += 160) {
        double sum = 1e-12;
        for (std::size_t t = first; t < first + 160; ++t) sum += double(audio[t]) * double(audio[t]);
        if (10 * std::log10(sum / 160) > -45) levels.push_back(10 * std::log10(sum / 160));
    }
    std::ranges::sort(levels);
    return levels;
}

} // namespace

TEST_CASE("the shipped voice is what its card says", "[generator]") {
    const auto model = voice();
    CHECK(is_generator(folder + "voice.safetensors"));
    CHECK(model->config.sample_rate == 8000);
    CHECK(model->metadata.license == "CC-BY-SA-4.0");
    CHECK(condition_values(model->config, {"digit=7", "speaker=theo"}) == std::vector<int>{8, 5});
    std::ifstream file(folder + "voice.md");
    const std::string card{std::istreambuf_iterator<char>(file), {}};
    for (const std::string& words : {std::string("CC BY-SA 4.0"), std::string("Zohar Jackson"), std::to_string(model->parameter_count()),
                                     std::to_string(model->macs_per_sample())})
        CHECK(card.find(words) != std::string::npos);
}

// The recordings' own frames: 10 % below -41.5, half below -29.9, 90 % below -18.2 dBFS (generator_statistics.py). The card has
// ten minutes; a minute is what a test can wait for.
TEST_CASE("a minute of the shipped voice stays at the recordings' level and is not silent", "[generator]") {
    for (const std::uint64_t seed : {1, 2}) {
        Generator generator(voice(), {.seed = seed});
        std::vector<float> audio(30 * 8000);
        generator.generate(audio.data(), int(audio.size()));
        CHECK(generator.restarts() == 0);
        for (const std::size_t begin : {std::size_t{0}, std::size_t{15 * 8000}}) {
            const std::vector<double> levels = active_levels({audio.begin() + long(begin), audio.begin() + long(begin) + 15 * 8000});
            REQUIRE(levels.size() > 150);  // a fifth of the time
            const double median = levels[levels.size() / 2], loud = levels[levels.size() * 9 / 10];
            CAPTURE(seed, begin, median, loud);
            CHECK(std::abs(median + 29.9) < 6);
            CHECK(std::abs(loud + 18.2) < 6);
        }
    }
}
