// SPDX-License-Identifier: GPL-3.0-or-later
// No parameter clicks, however far and often it jumps, and whatever the block size is.
#include "processor_fixture.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace serpent;
using namespace serpent::plugin;
using namespace serpent::test;

namespace {

/// The largest fourth difference in units of the largest sample: next to nothing for a low tone whose level and shape change
/// smoothly, 6 times its height for a step. In dB.
double roughness_db(const Samples& x) {
    double largest = 0.0, rough = 0.0;
    for (std::size_t t = 4; t < x.size(); ++t) {
        largest = std::max(largest, std::abs(static_cast<double>(x[t])));
        rough = std::max(rough, std::abs(static_cast<double>(x[t]) - 4.0 * x[t - 1] + 6.0 * x[t - 2] - 4.0 * x[t - 3] + x[t - 4]));
    }
    return 20.0 * std::log10(rough / largest);
}

struct Jump {
    juce::RangedAudioParameter* parameter;
    float from, to;  // normalised
};

/// Plays a tone while the parameter jumps there and back, 0.1 s apart, or at every block.
Samples play_jumps(Ready& ready, const Jump& jump, double hz, int block, bool every_block) {
    jump.parameter->setValue(jump.from);
    ready.processor->prepareToPlay(48000.0, block);
    ready.block = block;
    const Samples in = sine(24000, 0.05, hz);
    ready.play(in);  // settled
    Samples out;
    const int period = every_block ? 1 : std::max(1, 4800 / block);
    for (std::size_t at = 0, n = 0; at < in.size(); at += static_cast<std::size_t>(block), ++n) {
        jump.parameter->setValue(n / static_cast<std::size_t>(period) % 2 == 0 ? jump.to : jump.from);
        const auto begin = in.begin() + static_cast<std::ptrdiff_t>(at);
        const Samples part = ready.play({begin, std::min(begin + block, in.end())});
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

void check(Ready& ready, const std::vector<Jump>& jumps) {
    for (const Jump& jump : jumps) {
        const float before = jump.parameter->getValue();
        for (const int block : {16, 1000})
            for (const bool every_block : {false, true}) {
                CAPTURE(jump.parameter->getParameterID().toStdString(), block, every_block);
                // The tone itself is at -71 dB, linear fades of 10 ms are at -50, a model whose knob moves at -44; clicks are at -30 and
                // more.
                CHECK(roughness_db(play_jumps(ready, jump, 1000.0, block, every_block)) <= -40.0);
            }
        jump.parameter->setValue(before);
    }
}

} // namespace

TEST_CASE("no parameter clicks when it jumps", "[jump]") {
    Ready ready;
    plugin::Parameters& p = ready.parameters();
    const juce::TemporaryFile wav(".wav");
    write_audio(wav.getFile().getFullPathName().toStdString(), AudioBuffer{48000, {Samples{1.0f, 0.5f, 0.25f}}, {}}, Subtype::float32);
    ready.session().load_cabinet(wav.getFile());
    ready.settle();
    REQUIRE(ready.session().cabinet().content);
    for (auto* part : {p.gate_on, p.eq_on, p.cabinet_on}) part->setValue(1.0f);
    const auto at = [](Parameter* parameter, float plain) { return parameter->convertTo0to1(plain); };
    p.eq_low_db->setValue(at(p.eq_low_db, 12.0f)), p.eq_mid_db->setValue(at(p.eq_mid_db, 12.0f));
    const std::vector<Jump> jumps{
        {p.input_db, 0.0f, 1.0f}, {p.output_db, 0.0f, 1.0f}, {p.mix, 0.0f, 1.0f}, {p.bypass, 0.0f, 1.0f}, {p.cabinet_db, 0.0f, 1.0f},
        {p.cabinet_on, 0.0f, 1.0f}, {p.dc_block, 0.0f, 1.0f}, {p.eq_on, 0.0f, 1.0f}, {p.eq_low_db, 0.0f, 1.0f}, {p.eq_mid_db, 0.0f, 1.0f},
        {p.eq_mid_hz, 0.0f, 1.0f}, {p.eq_high_db, 0.0f, 1.0f}, {p.gate_threshold_db, 0.0f, 1.0f}, {p.gate_release_ms, 0.0f, 1.0f},
        {p.guard, 0.0f, 1.0f}};
    check(ready, jumps);
}

TEST_CASE("no parameter of the models clicks when it jumps", "[jump]") {
    Ready ready;
    plugin::Parameters& p = ready.parameters();
    ready.session().load_model(0, model_file("zamcomp_knobs"));
    ready.session().load_model(1, model_file("zamtube"));
    ready.settle();
    REQUIRE(ready.session().model(1).content);
    check(ready, {{p.model_on, 0.0f, 1.0f}, {p.slot, 0.0f, 1.0f}, {p.normalise, 0.0f, 1.0f}, {p.controls[0][0], 0.0f, 1.0f}});
    p.slot->setValue(1.0f);
    check(ready, {{p.match, 0.0f, 1.0f}});
}
