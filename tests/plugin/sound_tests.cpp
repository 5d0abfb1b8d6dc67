// SPDX-License-Identifier: GPL-3.0-or-later
// The chain: each part does what its name says, and none of them does what an audio callback must not.
#include "library/capture.h"
#include "processor_fixture.h"
#include "realtime/watch.h"
#include "serpent/stream.h"

#include <catch2/catch.hpp>

#include <random>

using namespace serpent;
using namespace serpent::plugin;
using namespace serpent::test;

namespace {

void load(Ready& ready, int slot, const char* name) {
    ready.session().load_model(slot, model_file(name));
    ready.settle();
    REQUIRE(ready.session().model(slot).content);
    ready.processor->reset();
}

double db(double ratio) { return 20.0 * std::log10(ratio); }

} // namespace

TEST_CASE("normalised, two models are equally loud by their metadata; matched, B is as loud as A", "[sound]") {
    Ready ready;
    load(ready, 0, "scream");
    load(ready, 1, "fuzzface");
    const double a_db = ready.session().model(0).content->loudness_db, b_db = ready.session().model(1).content->loudness_db;
    const Samples in = sine(24000, 0.178);
    const auto level = [&](int slot, bool normalise, bool match) {
        ready.parameters().slot->setValue(static_cast<float>(slot));
        ready.parameters().normalise->setValue(normalise), ready.parameters().match->setValue(match);
        ready.processor->reset();
        return db(rms(ready.play(in), 4800));
    };
    const double a = level(0, false, true), b = level(1, false, false);
    CHECK(level(0, true, true) == Approx(a - 18.0 - a_db).margin(0.01));
    CHECK(level(1, true, true) == Approx(b - 18.0 - b_db).margin(0.01));
    CHECK(level(1, false, true) == Approx(b + a_db - b_db).margin(0.01));
    ready.session().clear_model(0);  // nothing to match with
    CHECK(level(1, false, true) == Approx(b).margin(0.01));
}

TEST_CASE("a change between A and B does not click", "[sound]") {
    Ready ready(48000.0, 64);
    load(ready, 0, "zamcomp");
    load(ready, 1, "zamcomp");
    const Samples in = sine(9600);
    const Samples steady = ready.play(in);
    float largest = 0.0f;
    for (std::size_t t = 4801; t < steady.size(); ++t) largest = std::max(largest, std::abs(steady[t] - steady[t - 1]));
    ready.processor->reset();
    Samples out;
    for (int part = 0; part < 10; ++part) {
        ready.parameters().slot->setValue(static_cast<float>(part % 2));
        const Samples piece = ready.play({in.begin() + part * 960, in.begin() + (part + 1) * 960});
        out.insert(out.end(), piece.begin(), piece.end());
    }
    for (std::size_t t = 4801; t < out.size(); ++t) CHECK(std::abs(out[t] - out[t - 1]) <= 1.05f * largest);
}

TEST_CASE("the equaliser lifts and cuts its bands", "[sound]") {
    Ready ready;
    Parameters& p = ready.parameters();
    p.eq_on->setValue(1.0f);
    const auto gain_db = [&](double hz) {
        ready.processor->reset();
        const Samples in = sine(24000, 0.1, hz);
        return db(rms(ready.play(in), 9600) / rms(in, 9600));
    };
    for (const double hz : {40.0, 800.0, 10000.0}) CHECK(std::abs(gain_db(hz)) <= 0.01);
    p.eq_low_db->setValue(p.eq_low_db->convertTo0to1(12.0f));
    CHECK(gain_db(30.0) == Approx(12.0).margin(0.7));
    CHECK(std::abs(gain_db(5000.0)) <= 0.2);
    p.eq_low_db->setValue(0.5f), p.eq_high_db->setValue(p.eq_high_db->convertTo0to1(-12.0f));
    CHECK(gain_db(16000.0) == Approx(-12.0).margin(0.7));
    p.eq_high_db->setValue(0.5f), p.eq_mid_db->setValue(p.eq_mid_db->convertTo0to1(9.0f));
    p.eq_mid_hz->setValue(p.eq_mid_hz->convertTo0to1(1200.0f));
    CHECK(gain_db(1200.0) == Approx(9.0).margin(0.1));
}

TEST_CASE("the gate silences what is below its threshold only", "[sound]") {
    Ready ready;
    Parameters& p = ready.parameters();
    p.gate_on->setValue(1.0f), p.gate_threshold_db->setValue(p.gate_threshold_db->convertTo0to1(-40.0f));
    const Samples loud = sine(48000, 0.1), quiet = sine(48000, 0.001);
    CHECK(db(rms(ready.play(loud), 24000) / rms(loud, 24000)) >= -0.5);
    ready.processor->reset();
    CHECK(db(rms(ready.play(quiet), 24000) / rms(quiet, 24000)) <= -40.0);
}

TEST_CASE("the cabinet is a convolution, at any rate of its file and the host, at an even level", "[sound]") {
    std::mt19937 random(3);
    Samples response(300);
    for (std::size_t t = 0; t < response.size(); ++t)
        response[t] = static_cast<float>((static_cast<double>(random()) / 2147483648.0 - 1.0) * std::exp(-0.03 * static_cast<double>(t)));
    const juce::TemporaryFile wav(".wav");
    write_audio(wav.getFile().getFullPathName().toStdString(), AudioBuffer{48000, {response}, {}}, Subtype::float32);
    Ready ready;
    ready.session().load_cabinet(wav.getFile());
    ready.settle();
    REQUIRE(ready.session().cabinet().content);
    ready.processor->reset();
    Samples in(2000, 0.0f);
    in[10] = 1.0f;
    const Samples out = ready.play(in);
    double energy = 0.0;
    for (const float x : response) energy += static_cast<double>(x) * x;
    const double gain = std::sqrt(5000.0 / (24000.0 * energy));  // see chain/cabinet.cpp
    for (std::size_t t = 0; t < out.size(); ++t) {
        const double expected = t >= 10 && t < 10 + response.size() ? gain * static_cast<double>(response[t - 10]) : 0.0;
        CHECK(std::abs(out[t] - expected) <= 1e-5);  // float FFTs of a response of order 1
    }
    // One that is a low-pass has the same gain in its band whatever the rates are.
    const auto pass_db = [](int file_rate, double host_rate) {
        Samples low(static_cast<std::size_t>(file_rate / 100));
        for (std::size_t t = 0; t < low.size(); ++t) low[t] = static_cast<float>(std::exp(-1500.0 * 6.28 * static_cast<double>(t) / file_rate));
        const juce::TemporaryFile file(".wav");
        write_audio(file.getFile().getFullPathName().toStdString(), AudioBuffer{file_rate, {low}, {}}, Subtype::float32);
        Ready at(host_rate);
        at.session().load_cabinet(file.getFile());
        at.settle();
        at.processor->reset();
        const Samples tone = sine(static_cast<std::size_t>(host_rate / 2), 0.1, 300.0, host_rate);
        return db(rms(at.play(tone), tone.size() / 2) / rms(tone, tone.size() / 2));
    };
    const double reference = pass_db(48000, 48000);
    for (const auto& [file_rate, host_rate] : {std::pair{48000, 96000.0}, {44100, 48000.0}, {96000, 44100.0}})
        CHECK(pass_db(file_rate, host_rate) == Approx(reference).margin(0.4));  // the corner itself moves a little with the rate
}

TEST_CASE("a cabinet's file that was never finished plays, and the window says so", "[sound]") {
    const juce::TemporaryFile wav(".wav");
    write_audio(wav.getFile().getFullPathName().toStdString(), AudioBuffer{48000, {sine(2000, 0.5)}, {}}, Subtype::float32);
    juce::MemoryBlock bytes;
    wav.getFile().loadFileAsData(bytes);
    const std::string text(static_cast<const char*>(bytes.getData()), bytes.getSize());
    for (std::size_t i = 4; i < 8; ++i) bytes[text.find("data") + i] = 0;  // as a recorder that died leaves it
    wav.getFile().replaceWithData(bytes.getData(), bytes.getSize());
    Ready ready;
    ready.session().load_cabinet(wav.getFile());
    ready.settle();
    REQUIRE(ready.session().cabinet().content);
    CHECK(ready.session().cabinet().problem.isEmpty());
    CHECK(ready.session().cabinet().content->audio->channels == std::vector<Samples>{sine(2000, 0.5)});
    CHECK(ready.session().notice().startsWith(wav.getFile().getFullPathName()));
}

TEST_CASE("the DC block takes away a constant", "[sound]") {
    Ready ready;
    ready.parameters().dc_block->setValue(1.0f);
    CHECK(std::abs(ready.play(Samples(48000, 0.5f)).back()) <= 1e-3f);
}

TEST_CASE("the meters tell peak, RMS and overload", "[sound]") {
    Ready ready;
    Meter& meter = ready.processor->chain().input_meter;
    ready.play(sine(96000, 0.5));
    CHECK(meter.take_peak(0) == Approx(0.5f).margin(0.001));
    CHECK(meter.take_peak(0) == 0.0f);
    CHECK(meter.rms(0) == Approx(0.5 / std::sqrt(2.0)).margin(0.005));
    CHECK_FALSE(meter.clipped());
    ready.play(sine(480, 1.5));
    ready.play(sine(4800, 0.1));
    CHECK(meter.clipped());  // held
    meter.forget_clip();
    CHECK_FALSE(meter.clipped());
}

TEST_CASE("nothing in the callback allocates, locks or calls the system", "[sound]") {
    Ready ready(44100.0, 128);
    load(ready, 0, "zamcomp_knobs");
    load(ready, 1, "scream");
    const juce::TemporaryFile wav(".wav");
    write_audio(wav.getFile().getFullPathName().toStdString(), AudioBuffer{48000, {sine(2000, 0.5)}, {}}, Subtype::float32);
    ready.session().load_cabinet(wav.getFile());
    ready.settle();
    Parameters& p = ready.parameters();
    for (auto* toggle : {p.gate_on, p.eq_on, p.dc_block, p.cabinet_on, p.normalise}) toggle->setValue(1.0f);
    const Samples in = sine(128);
    Samples out = in;
    float* channel = out.data();
    juce::AudioBuffer<float> audio(&channel, 1, 128);
    juce::MidiBuffer midi;
    midi.addEvent(juce::MidiMessage::controllerEvent(1, 7, 3), 5);
    const std::vector<unsigned char> dump(300, 0x42);
    for (const int length : {1, 5, 9, 300}) midi.addEvent(juce::MidiMessage::createSysExMessage(dump.data(), length), 6);
    std::mt19937 random(1);
    const auto block = [&] {
        ready.processor->processBlock(audio, midi);
        ready.processor->processBlockBypassed(audio, midi);
    };
    block();
    std::vector<std::string> called;
    for (int i = 0; i < 400 && called.empty(); ++i) {
        if (i == 100) ready.session().load_model(0, model_file("opto"));  // and while models change
        if (i == 150) ready.session().set_rate_options(true, 2);
        if (i == 200) ready.session().load_cabinet(wav.getFile());
        if (i % 100 == 60) ready.settle();
        for (auto* parameter : p.all)
            if (random() % 8 == 0) parameter->setValue(static_cast<float>(random()) / 4294967296.0f);
        std::copy(in.begin(), in.end(), out.begin());
        called = forbidden_calls(block);
    }
    CHECK(called == std::vector<std::string>{});
}
