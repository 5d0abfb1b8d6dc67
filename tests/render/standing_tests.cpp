// SPDX-License-Identifier: GPL-3.0-or-later
// The renderer on signals that stand still, against float64: no state may stop before it arrives, whatever the chunks.
#include "serpent/render.h"
#include "standing_signal.h"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace serpent;
using namespace serpent::test;

namespace {

std::vector<float> render(std::shared_ptr<const Model> model, const std::vector<float>& in, int chunk, std::size_t call) {
    Renderer renderer(std::move(model), {.threads = 1, .chunk = chunk});
    std::vector<float> out(in.size(), NAN);
    for (std::size_t at = 0; at < in.size(); at += call) {
        const float* from[] = {in.data() + at};
        float* to[] = {out.data() + at};
        renderer.process(from, to, std::min(call, in.size() - at));
    }
    return out;
}

void check_standing(const std::filesystem::path& file) {
    struct Cut {
        int chunk;
        std::size_t call;
    };
    CAPTURE(file.stem().string());
    const auto model = std::make_shared<const Model>(Model::load(file));
    const std::vector<float> in = standing_signal(1, 16000);
    const std::vector<double> expected = answer_from_silence(*model, in);
    // Calls of 100 samples go through a single lane: slow, and no less for being asked of two models only.
    std::vector<Cut> cuts{{256, in.size()}, {4096, in.size()}};
    if (file.stem() == "opto" || file.stem() == "slow_ema_8_16_8_2") cuts.insert(cuts.end(), {{16, in.size()}, {256, 100}});
    for (const Cut& cut : cuts) {
        const Distance d = worst_section(expected, render(model, in, cut.chunk, cut.call));
        CAPTURE(cut.chunk, cut.call, d.rms, d.max);
        CHECK(d.within(1e-5, 1e-4));
    }
}

} // namespace

TEST_CASE("a shipped capture forgets, in silence, within the time that accuracy is promised for") {
    for (const auto& entry : std::filesystem::directory_iterator(SERPENT_ASSETS "/models")) {
        if (entry.path().extension() != ".safetensors") continue;
        CAPTURE(entry.path().stem().string());
        const Model model = Model::load(entry.path());
        CHECK(time_constants(model).longest_samples <= 96000 * (1 + 1e-5));  // A_log in float32
    }
}

TEST_CASE("renderer answers signals that stand still") {
    for (const auto& entry : std::filesystem::directory_iterator(SERPENT_ASSETS "/models"))
        if (entry.path().extension() == ".safetensors") check_standing(entry.path());
    for (const char* name : {"tied_ema_8_16_4_4", "slow_ema_8_16_8_2", "tied_euler_8_16_4_2", "mamba_reference_16_32_16_4", "rotating_8_8_4_6"})
        check_standing(std::filesystem::path(SERPENT_TEST_DATA) / "models" / (std::string(name) + ".safetensors"));
}
