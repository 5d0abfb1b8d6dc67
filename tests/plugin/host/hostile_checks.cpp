// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/checks.h"

#include <cmath>
#include <random>

namespace serpent::test {

namespace {

/// Every block size there is, 0 included, on one instance.
void every_block_size(const Subject& subject) {
    const Planar in = music(2, 35000, 48000);
    std::vector<int> sizes;
    for (int n = 0; n <= 256; ++n) sizes.push_back(n);
    const auto play = [&](const Blocks& blocks) {
        Hosted hosted = subject.load();
        hosted.set_state(state_with(subject.model("scream")));
        hosted.prepare({48000, 256, 2, 2});
        return hosted.play(in, blocks);
    };
    require_close(play(Blocks::of({256})), play(Blocks::of(sizes)), 1e-7, "block sizes from 0 to 256");
}

void bad_samples(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("opto")));
    for (const char* name : {"Gate On", "EQ On", "DC Block"}) hosted.set(name, 1.0f);
    hosted.prepare({48000, 128, 2, 2});
    Planar in = music(2, 9600, 48000);
    for (std::size_t t = 1000; t < 1010; ++t) in[0][t] = NAN, in[1][t] = INFINITY;
    in[0][3000] = 1e30f, in[1][3001] = -1e30f, in[0][4000] = 1e-42f;
    require_finite(hosted.play(in, Blocks::of({128})), "NaN, infinity and other bad samples");
    const Planar after = hosted.play(Planar(2, std::vector<float>(48000, 0.0f)), Blocks::of({128}));
    require(std::abs(after[0].back()) < 0.1f, "silence does not follow");
}

void automation(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("zamcomp_knobs")));
    std::mt19937 random(5);
    for (const double rate_hz : {44100.0, 48000.0, 192000.0, 8000.0}) {
        hosted.prepare({rate_hz, 512, 2, 2});
        const Planar in = music(2, 512, rate_hz);
        for (int block = 0; block < 200; ++block) {
            for (auto* parameter : hosted.instance().getParameters())
                if (random() % 4 == 0 && parameter->getName(64) != "Program")
                    parameter->setValue(random() % 8 == 0 ? static_cast<float>(random() % 2) : static_cast<float>(random()) / 4294967296.0f);
            require_finite(hosted.play(in, Blocks::random(512, static_cast<std::uint32_t>(block))), "automation of everything");
        }
    }
}

/// What is no state, or a damaged one, changes nothing and breaks nothing.
void damaged_states(const Subject& subject) {
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("zamtube")));
    hosted.prepare({48000, 128, 2, 2});
    const juce::MemoryBlock good = hosted.plugin_state();
    const Planar in = music(2, 4000, 48000);
    const Planar expected = rendered(subject, subject.model("zamtube"), in, 48000);

    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{100}, good.getSize() / 2, good.getSize() - 2}) {
        hosted.set_plugin_state(juce::MemoryBlock(good.getData(), size));
        hosted.prepare({48000, 128, 2, 2});
        require_finite(hosted.play(in, Blocks::of({128})), "a truncated state");
    }
    std::mt19937 random(9);
    for (int i = 0; i < 60; ++i) {
        juce::MemoryBlock bad = good;
        for (int k = 0; k < 1 + i % 5; ++k) bad[random() % bad.getSize()] = static_cast<char>(random());
        hosted.set_plugin_state(bad);
        require_finite(hosted.play(in, Blocks::of({128})), "a damaged state");
    }
    hosted.set_plugin_state(good);
    hosted.prepare({48000, 128, 2, 2});
    require_close(expected, hosted.play(in, Blocks::of({128})), 5e-6, "a good state after damaged ones");
}

/// A damaged model inside a good session: the rest is restored and the input passes.
void damaged_model(const Subject& subject) {
    plugin::State state = state_with(subject.model("zamtube"));
    state.models[0].bytes.setSize(state.models[0].bytes.getSize() / 2);
    state.models[0].sha256.clear();
    Hosted hosted = subject.load();
    hosted.set_state(state);
    hosted.prepare({48000, 128, 2, 2});
    const Planar in = music(2, 4000, 48000);
    require_close(in, hosted.play(in, Blocks::of({128})), 1e-7, "a damaged model");
}

void come_and_go(const Subject& subject) {
    for (int i = 0; i < 20; ++i) {
        Hosted hosted = subject.load();
        if (i % 2) hosted.prepare({48000.0 * (1 + i % 3), 32 << (i % 4), 2, 2});
        if (i % 3 == 0) hosted.set_state(state_with(subject.model("scream")));
        if (i % 2) hosted.play(music(2, 500, 48000), Blocks::random(32, 1));
        if (i % 4 == 0) pump(2);
    }
}

} // namespace

std::vector<Check> hostile_checks() {
    return {
        {"every block size", every_block_size},
        {"NaN, infinity, denormals", bad_samples},
        {"automation of every parameter", automation},
        {"damaged states", damaged_states},
        {"a damaged model in a session", damaged_model},
        {"instances that come and go", come_and_go},
    };
}

} // namespace serpent::test
