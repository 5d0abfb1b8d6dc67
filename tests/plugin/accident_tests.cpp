// SPDX-License-Identifier: GPL-3.0-or-later
// Accidents: what comes in broken, and what would go out too loud.
#include "processor_fixture.h"

#include <catch2/catch.hpp>

#include <limits>

using namespace serpent;
using namespace serpent::plugin;
using namespace serpent::test;

namespace {

void turn_everything_on(Ready& ready) {
    const juce::TemporaryFile wav(".wav");
    write_audio(wav.getFile().getFullPathName().toStdString(), AudioBuffer{48000, {Samples{1.0f, 0.5f, 0.25f}}, {}}, Subtype::float32);
    ready.session().load_cabinet(wav.getFile());
    ready.session().load_model(0, model_file("scream"));
    ready.session().load_model(1, model_file("zamtube"));
    ready.settle();
    Parameters& p = ready.parameters();
    for (auto* part : {p.gate_on, p.eq_on, p.cabinet_on, p.dc_block}) part->setValue(1.0f);
    for (auto* knob : {p.input_db, p.eq_low_db, p.eq_mid_db, p.eq_high_db}) knob->setValue(knob->convertTo0to1(6.0f));
}

double difference(const Samples& a, const Samples& b) {
    Samples d(a.size());
    for (std::size_t t = 0; t < a.size(); ++t) d[t] = a[t] - b[t];
    return rms(d) / rms(b);
}

} // namespace

TEST_CASE("no sample, however broken, is remembered by any part of the chain", "[accident]") {
    const Samples in = sine(48000, 0.1);
    for (const int oversampling : {1, 2}) {
        Ready ready;
        turn_everything_on(ready);
        ready.session().set_rate_options(false, oversampling);
        ready.processor->reset();
        for (int i = 0; i < 3; ++i) ready.play(in);
        const Samples expected = ready.play(in);
        const float usual_rms = ready.processor->chain().output_meter.rms(0);
        REQUIRE(usual_rms > 0.01f);
        for (const float accident : {1e30f, -std::numeric_limits<float>::max(), 1e12f, std::numeric_limits<float>::infinity(), NAN}) {
            CAPTURE(oversampling, accident);
            for (const float x : ready.play(Samples(300, accident))) REQUIRE(std::abs(x) <= guard_ceiling);
            for (int i = 0; i < 3; ++i) ready.play(in);
            CHECK(difference(ready.play(in), expected) <= 1e-3);
            CHECK(ready.processor->chain().output_meter.rms(0) == Approx(usual_rms).epsilon(0.05));
            CHECK(std::isfinite(ready.processor->chain().input_meter.rms(0)));
        }
    }
}

TEST_CASE("the output guard holds +12 dBFS, says so, and leaves what is below alone", "[accident]") {
    Ready ready;
    Parameters& p = ready.parameters();
    CHECK(p.guard->on());
    const Samples quiet = sine(4800, 3.9);
    CHECK((ready.play(quiet) == quiet));
    CHECK_FALSE(ready.processor->chain().take_guarded());
    const Samples loud = sine(4800, 100.0);
    for (const float x : ready.play(loud)) REQUIRE(std::abs(x) <= guard_ceiling);
    CHECK(ready.processor->chain().take_guarded());
    CHECK_FALSE(ready.processor->chain().take_guarded());

    p.guard->setValue(0.0f);
    ready.processor->reset();
    CHECK((ready.play(loud) == loud));
    p.guard->setValue(1.0f), p.bypass->setValue(1.0f);  // the input as it is
    ready.processor->reset();
    CHECK((ready.play(loud) == loud));
}

TEST_CASE("the output guard is kept with the session, and no preset changes it", "[accident]") {
    Ready ready;
    Parameters& p = ready.parameters();
    p.guard->setValue(0.0f);
    juce::MemoryBlock session;
    ready.processor->getStateInformation(session);
    ready.processor->setCurrentProgram(1);
    CHECK_FALSE(p.guard->on());
    p.guard->setValue(1.0f);
    ready.processor->setStateInformation(session.getData(), static_cast<int>(session.getSize()));
    CHECK_FALSE(p.guard->on());
    ready.processor->setStateInformation(nullptr, 0);  // damaged: nothing changes
    CHECK_FALSE(p.guard->on());
    ready.session().restore({});  // from before there was a guard
    CHECK(p.guard->on());
}
