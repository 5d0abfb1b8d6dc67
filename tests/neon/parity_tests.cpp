// SPDX-License-Identifier: GPL-3.0-or-later
// What Stream runs on, the live engine's instances, against float64 on each instruction set of this machine: models of odd
// widths, and shipped ones, whose code is specialised.
#include "close.h"
#include "golden_file.h"
#include "random.h"
#include "reference_model.h"
#include "serpent/kernels/flush_denormals.h"
#include "stream/playing.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace serpent;
using namespace serpent::test;

namespace {

using Planar = std::vector<std::vector<float>>;

std::vector<float> interleaved(const Planar& signal) {
    std::vector<float> samples;
    for (std::size_t t = 0; t < signal[0].size(); ++t)
        for (const auto& channel : signal) samples.push_back(channel[t]);
    return samples;
}

Planar play(const std::shared_ptr<const Model>& model, kernels::Isa isa, const Planar& in, const std::vector<int>& blocks) {
    const kernels::FlushDenormals flush;
    std::vector<float> controls;
    for (const Control& control : model->config.controls) controls.push_back(control.default_value);
    const StreamOptions options{.isa = isa, .instances = static_cast<int>(in.size()) / model->config.channels};
    const auto playing = make_playing(model, options, controls);
    Playing& instances = *playing;
    CHECK(instances.isa() == isa);
    Planar out(in.size(), std::vector<float>(in[0].size(), NAN));
    const int total = static_cast<int>(in[0].size());
    for (int at = 0, i = 0; at < total; ++i) {
        const int n = std::min(blocks[static_cast<std::size_t>(i) % blocks.size()], total - at);
        std::vector<const float*> from;
        std::vector<float*> to;
        for (std::size_t c = 0; c < in.size(); ++c) from.push_back(in[c].data() + at), to.push_back(out[c].data() + at);
        instances.process(from.data(), to.data(), n);
        at += n;
    }
    return out;
}

} // namespace

TEST_CASE("models answer within the budget of float64, in any blocks the same bits", "[parity]") {
    const std::string golden = SERPENT_TEST_DATA "/models/", shipped = SERPENT_ASSETS "/models/";
    Random random(5);
    for (const std::string& path : {golden + "odd_widths_5_10_3_3", golden + "film_8_16_4_2", golden + "stereo_6_12_4_2",
                                    golden + "slow_ema_8_16_8_2", golden + "tied_euler_8_16_4_2", shipped + "zamcomp",
                                    shipped + "scream", shipped + "opto"}) {
        const auto model = std::make_shared<const Model>(Model::load(path + ".safetensors"));
        Planar in;
        for (int c = 0; c < model->config.channels; ++c) in.push_back(random.vector<float>(3000, -0.7, 0.7));
        ReferenceModel reference(*model);
        reference.set_state(silence_state(*model));
        const std::vector<double> expected = reference.process(interleaved(in));
        for (const kernels::Isa isa : kernels::available_isas()) {
            const Planar out = play(model, isa, in, {64});
            const Distance d = distance(expected, interleaved(out));
            CAPTURE(path, kernels::isa_name(isa), d.rms, d.max);
            CHECK(d.within(1e-5, 1e-4));  // docs/architecture.md, numerics
            CHECK((play(model, isa, in, {1, 33, 5, 512}) == out));
        }
    }
}

TEST_CASE("captures answer as the golden ones must, in any blocks the same bits", "[parity]") {
    for (const std::string name : {"two_arrays", "kernels", "everything", "lstm", "conv_net", "linear"}) {
        const auto model = std::make_shared<const Model>(Model::load(SERPENT_TEST_DATA "/nam/" + name + ".nam"));
        const Planar in{GoldenWav("nam/" + name + "_in.wav").samples};
        const std::vector<float> expected = GoldenWav("nam/" + name + "_out.wav").samples;
        for (const kernels::Isa isa : kernels::available_isas()) {
            CAPTURE(name, kernels::isa_name(isa));
            const Planar out = play(model, isa, in, {64});
            CHECK(distance(expected, out[0]).within(1e-6, 1e-5));
            CHECK(play(model, isa, in, {1, 13, 200}) == out);
        }
    }
}
