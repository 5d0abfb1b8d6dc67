// SPDX-License-Identifier: GPL-3.0-or-later
// The whole model in float64 against golden models that a plain Python program answered in float64.
#include "close.h"
#include "golden_file.h"
#include "model/plain_forward.h"
#include "reference_model.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

Model load(const std::string& path) { return Model::load(std::string(SERPENT_TEST_DATA) + "/" + path); }

} // namespace

TEST_CASE("reference model: golden models from a zero state", "[golden]") {
    for (const char* name : {"mamba_reference_16_32_16_4", "tied_ema_8_16_4_4", "slow_ema_8_16_8_2",
                             "odd_widths_5_10_3_3", "film_8_16_4_2", "stereo_6_12_4_2", "f16_8_8_4_3", "bf16_8_8_4_3",
                             "tied_euler_8_16_4_2", "rotating_8_8_4_6", "mixed_6_12_6_4"}) {
        const std::string base = std::string("models/") + name;
        GoldenWav in(base + "_in.wav"), expected(base + "_out.wav");
        if (name == std::string("mamba_reference_16_32_16_4")) { // 2,000 exponentials per sample: a third of it will do
            in.samples.resize(24000);
            expected.samples.resize(24000);
        }
        ReferenceModel reference(load(base + ".safetensors"));
        const Distance d = distance(expected.samples, reference.process(in.samples));
        INFO(name << ": " << d.rms << " rms, " << d.max << " max");
        CHECK(d.within(6e-8, 1e-6)); // the expected samples are rounded to float32
    }
}

TEST_CASE("reference model: golden controls away from their defaults", "[golden]") {
    const std::string base = "models/film_8_16_4_2";
    const GoldenWav in(base + "_in.wav"), defaults(base + "_out.wav"), set(base + "_out_drive9_tone-6.wav");
    ReferenceModel reference(load(base + ".safetensors"), {9.0f, -6.0f});
    CHECK(distance(set.samples, reference.process(in.samples)).within(6e-8, 1e-6));
    CHECK(distance(defaults.samples, set.samples).rms > 0.01); // or the controls would do nothing
}

TEST_CASE("reference model: agrees with an implementation that shares no code with it", "[reference]") {
    for (const char* name :
         {"film_8_16_4_2", "stereo_6_12_4_2", "f16_8_8_4_3", "bf16_8_8_4_3", "tied_euler_8_16_4_2", "rotating_8_8_4_6"}) {
        const std::string base = std::string("models/") + name;
        const Model model = load(base + ".safetensors");
        const GoldenWav in(base + "_in.wav");
        const std::vector<float> controls = model.config.controls.empty() ? std::vector<float>{}
                                                                          : std::vector<float>{2.0f, 30.0f};
        ReferenceModel reference(model, controls);
        PlainForward plain(model, controls);
        std::vector<double> expected;
        const auto channels = static_cast<std::size_t>(model.config.channels);
        for (std::size_t at = 0; at < in.samples.size(); at += channels) {
            const auto frame = in.samples.begin() + static_cast<std::ptrdiff_t>(at);
            for (double y : plain.step({frame, frame + static_cast<std::ptrdiff_t>(channels)}))
                expected.push_back(y);
        }
        const Distance d = distance(expected, reference.process(in.samples));
        INFO(name << ": " << d.rms << " rms, " << d.max << " max");
        CHECK(d.within(1e-11, 1e-10)); // exp(dt A) rounded to double and remembered for 5000 samples
    }
}

TEST_CASE("reference model: silence stays where silence_state puts it", "[reference]") {
    const Model model = load("models/odd_widths_5_10_3_3.safetensors");
    ReferenceModel reference(model);
    const State silence = silence_state(model);
    reference.set_state(silence);
    const std::vector<double> out = reference.process(std::vector<double>(200));
    for (double y : out)
        CHECK(close(out.front(), y, 1e-6 * (1 + std::abs(out.front())))); // the state is stored as float32
    // Rounded to float32 at first, then moved by the model's own dynamics from there: a few float32 ulp.
    CHECK(distance(silence.h, reference.state().h).within(1e-6, 1e-5));
    CHECK(distance(silence.conv, reference.state().conv).within(1e-6, 1e-5));
}

TEST_CASE("reference model: a split call is one call, bit for bit", "[reference]") {
    const std::string base = "models/odd_widths_5_10_3_3";
    const GoldenWav in(base + "_in.wav");
    ReferenceModel whole(load(base + ".safetensors")), split(load(base + ".safetensors"));
    std::vector<double> got;
    for (std::size_t t = 0, piece = 0; t < 3000; t += piece) {
        piece = std::min<std::size_t>(1 + t % 700, 3000 - t);
        const auto begin = in.samples.begin() + static_cast<std::ptrdiff_t>(t);
        const auto part = split.process(std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(piece)));
        got.insert(got.end(), part.begin(), part.end());
    }
    CHECK(got == whole.process(std::vector<float>(in.samples.begin(), in.samples.begin() + 3000)));
    CHECK(split.state().h == whole.state().h);
    CHECK(split.state().conv == whole.state().conv);
}
