// SPDX-License-Identifier: GPL-3.0-or-later
// The cabinet beside other instances, and while it has nothing to play.
#include "chain/cabinet.h"
#include "processor_fixture.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace serpent;
using namespace serpent::plugin;
using namespace serpent::test;

TEST_CASE("several instances load and reset their cabinets at once", "[cabinet]") {
    // What the audio threads of some instances and their loaders do to one process. Shared queues inside JUCE have ended in an abort
    // within a second of this.
    const auto response = std::make_shared<const AudioBuffer>(AudioBuffer{48000, {sine(64, 0.5, 5000.0)}, {}});
    constexpr int instances = 6, loads = 40;
    std::atomic<int> loading{instances};
    std::atomic<bool> finite{true};
    std::vector<std::thread> threads;
    std::vector<std::unique_ptr<Cabinet>> cabinets;
    for (int i = 0; i < instances; ++i) {
        cabinets.push_back(std::make_unique<Cabinet>());
        cabinets.back()->prepare(48000.0, 32, 2);
    }
    for (const auto& cabinet : cabinets) {
        threads.emplace_back([&] {
            for (int n = 0; n < loads; ++n) cabinet->load(response);
            --loading;
        });
        threads.emplace_back([&] {
            juce::AudioBuffer<float> audio(2, 32);
            while (loading.load() > 0) {
                for (int c = 0; c < 2; ++c) juce::FloatVectorOperations::fill(audio.getWritePointer(c), 0.1f, 32);
                cabinet->process(Block(audio));
                if (!std::isfinite(audio.getSample(0, 31))) finite = false;
                cabinet->reset();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(finite);
    for (const auto& cabinet : cabinets) CHECK(cabinet->loaded());
}

TEST_CASE("without an impulse response the cabinet's level changes nothing, from the first sample on", "[cabinet]") {
    Ready ready;
    plugin::Parameters& p = ready.parameters();
    REQUIRE(p.cabinet_on->on());
    p.cabinet_db->setValue(p.cabinet_db->convertTo0to1(-12.0f));
    const Samples in = sine(4800);
    ready.processor->prepareToPlay(48000.0, ready.block);
    CHECK((ready.play(in) == in));
    ready.processor->reset();
    CHECK((ready.play(in) == in));
}
