// SPDX-License-Identifier: GPL-3.0-or-later
// What a live session does between microphone and loudspeaker, without any device.
#include "serpent/live.h"

#include "close.h"
#include "generator/example_generator.h"
#include "serpent/errors.h"
#include "serpent/render.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <cmath>
#include <thread>

using namespace serpent;
using namespace serpent::test;

namespace {

std::shared_ptr<const GeneratorModel> small_generator(int rate = 8000) {
    GeneratorModel m = example_generator("two");
    m.config.sample_rate = rate;
    // Quiet enough that neither limiter nor interruption comes into play: classes of 0.3 at most.
    for (int k = 0; k < mu_law_classes; ++k)
        if (std::abs(mu_law_sample(k)) > 0.3f) m.weights.decoder_bias[std::size_t(k)] = -200;
    return std::make_shared<const GeneratorModel>(std::move(m));
}

/// A phrase from 0.1 to 0.4 s, then silence.
std::vector<float> phrase(int rate, double seconds = 1.5) {
    std::vector<float> audio(std::size_t(seconds * rate));
    for (std::size_t t = std::size_t(0.1 * rate); t < std::size_t(0.4 * rate); ++t)
        audio[t] = 0.2f * std::sin(0.7f * float(t) * 8000 / float(rate)) + 0.03f;
    return audio;
}

std::vector<float> play(LiveSession& session, const std::vector<float>& heard, int block) {
    std::vector<float> out(heard.size());
    for (std::size_t t = 0; t < heard.size(); t += std::size_t(block)) {
        const float* in = heard.data() + t;
        float* to = out.data() + t;
        session.process(&in, &to, int(std::min<std::size_t>(std::size_t(block), heard.size() - t)));
    }
    return out;
}

std::vector<LiveEvent> events(LiveSession& session) {
    std::vector<LiveEvent> list;
    while (const auto e = session.event()) list.push_back(*e);
    return list;
}

} // namespace

TEST_CASE("the answer is what the generator plays after hearing the phrase, in any blocks", "[live]") {
    const auto model = small_generator();
    const std::vector<float> heard = phrase(8000);
    std::vector<float> first;
    for (const int block : {1, 7, 64, 1000}) {
        CAPTURE(block);
        LiveSession session(model, {.gate_hold_s = 0.1});
        session.prepare(8000, 256, 1, 1);
        const std::vector<float> out = play(session, heard, block);
        const std::vector<LiveEvent> told = events(session);
        REQUIRE(told.size() == 3);
        CHECK(told[0].kind == LiveEvent::Kind::phrase_began);
        CHECK(told[0].at_sample == 800);
        CHECK(told[1].kind == LiveEvent::Kind::answer_began);
        CHECK(told[2].kind == LiveEvent::Kind::answer_ended);
        const auto begin = std::size_t(told[1].at_sample), length = std::size_t(told[1].length_samples);
        CHECK(std::abs(int(length) - 2400) <= 10);  // as long as the phrase, to within the tone's zero crossings
        CHECK(told[2].at_sample == std::int64_t(begin + length) - 1);

        Generator generator(model);
        generator.prime(heard.data() + 800, int(begin) - 800);
        std::vector<float> expected(length);
        generator.generate(expected.data(), int(length));
        for (std::size_t t = 0; t < out.size(); ++t) {
            const bool inside = t >= begin && t < begin + length, faded = t < begin + 80 || t + 80 >= begin + length;
            if (!inside) REQUIRE(out[t] == 0.0f);
            else if (!faded) REQUIRE(out[t] == expected[t - begin]);
            else REQUIRE(std::abs(out[t]) <= std::abs(expected[t - begin]));
        }
        if (first.empty()) first = out;
        CHECK(first == out);
        // The next phrase gets another answer: the seed moves on.
        const std::vector<float> second = play(session, heard, block);
        CHECK(second != out);
        CHECK(session.meters().answers == 2);
    }
}

TEST_CASE("at a device's rate the answer comes as promised, a resampler's latency later", "[live]") {
    const auto model = small_generator();
    const std::vector<float> heard = phrase(48000);
    LiveSession session(model, {.gate_hold_s = 0.1});
    session.prepare(48000, 128, 1, 1);
    CHECK(session.latency_samples() > 0);
    CHECK(session.latency_samples() < 48 * 20);
    const std::vector<float> out = play(session, heard, 128);
    const std::vector<LiveEvent> told = events(session);
    REQUIRE(told.size() == 3);
    const std::size_t expected = std::size_t(told[1].at_sample) * 6;
    std::size_t begin = 0;
    while (begin < out.size() && std::abs(out[begin]) < 1e-4f) ++begin;
    // from the sample at which it was decided: the filters' latency, less their own pre-ringing, and the fade's first 1 %
    CHECK(begin >= expected - 240);
    CHECK(begin <= expected + std::size_t(session.latency_samples()) + 128);
}

TEST_CASE("a thread that works ahead gives the same samples later, outrun by its host or not", "[live]") {
    const auto model = small_generator();
    for (const LiveMode mode : {LiveMode::answer, LiveMode::together})
        for (const double rate : {8000.0, 48000.0})
            for (const double ahead_s : {0.0005, 0.005, 0.05})
                for (const bool outrun : {true, false}) {
                    CAPTURE(mode == LiveMode::answer, rate, ahead_s, outrun);
                    const std::vector<float> heard = phrase(int(rate), 0.75);
                    const LiveOptions options{.mode = mode, .gate_hold_s = 0.1};
                    LiveSession direct(model, options), ahead(model, options);
                    direct.prepare(rate, 32, 1, 1);
                    ahead.prepare(rate, 32, 1, 1, ahead_s);
                    const auto delay = std::size_t(std::lround(ahead_s * rate));
                    CHECK(ahead.latency_samples() == direct.latency_samples() + int(delay));
                    const std::vector<float> expected = play(direct, heard, 32);
                    std::vector<float> out;
                    if (outrun) {
                        out = play(ahead, heard, 32);
                    } else {  // let the thread come first, now and then
                        for (std::size_t t = 0; t < heard.size(); t += 1024) {
                            const std::size_t end = std::min(heard.size(), t + 1024);
                            const auto part = play(ahead, {heard.begin() + long(t), heard.begin() + long(end)}, 32);
                            out.insert(out.end(), part.begin(), part.end());
                            std::this_thread::sleep_for(std::chrono::milliseconds(2));
                        }
                    }
                    REQUIRE(ahead.meters().late_samples == 0);
                    for (std::size_t t = 0; t < delay; ++t) REQUIRE(std::abs(out[t]) < 1e-6f);
                    // A resampler rounds as its phase happens to be, and cannot ring ahead of its own beginning.
                    const std::size_t settled = rate == 8000 ? 0 : 2 * std::size_t(direct.latency_samples());
                    float most = 0;
                    for (std::size_t t = delay + settled; t < out.size(); ++t)
                        most = std::max(most, std::abs(out[t] - expected[t - delay]));
                    REQUIRE(most <= (rate == 8000 ? 0.0f : 1e-6f));
                    std::vector<LiveEvent> one = events(direct), other = events(ahead);
                    REQUIRE(one.size() >= other.size());  // the last ones may still be ahead
                    for (std::size_t i = 0; i < other.size(); ++i) CHECK(one[i].at_sample == other[i].at_sample);
                }
}

TEST_CASE("who speaks up interrupts", "[live]") {
    const auto model = small_generator();
    std::vector<float> heard = phrase(8000, 3.0);
    LiveSession session(model, {.gate_hold_s = 0.1, .longest_answer_s = 30});
    session.prepare(8000, 64, 1, 1);
    for (std::size_t t = 5000; t < 7000; ++t) heard[t] = t % 2 ? 0.5f : -0.5f;
    (void)play(session, heard, 64);
    const std::vector<LiveEvent> told = events(session);
    REQUIRE(told.size() >= 5);
    CHECK(told[2].kind == LiveEvent::Kind::interrupted);
    CHECK(told[2].at_sample > 5000);
    CHECK(told[2].at_sample < 5000 + 300);  // 30 ms of speaking up
    CHECK(told[3].kind == LiveEvent::Kind::answer_ended);
    CHECK(told[4].kind == LiveEvent::Kind::phrase_began);
}

TEST_CASE("together: deaf it plays what it would play, and what it hears changes it", "[live]") {
    const auto model = small_generator();
    const std::vector<float> heard = phrase(8000);
    std::vector<std::vector<float>> played;
    for (const double listen : {0.0, 0.5, 1.0}) {
        LiveSession session(model, {.mode = LiveMode::together, .listen = listen});
        session.prepare(8000, 64, 1, 2);
        std::vector<float> left(heard.size()), right(heard.size());
        const float* in = heard.data();
        float* out[] = {left.data(), right.data()};
        session.process(&in, out, int(heard.size()));
        CHECK(left == right);
        played.push_back(left);
    }
    Generator generator(model);
    std::vector<float> alone(heard.size());
    generator.generate(alone.data(), int(alone.size()));
    CHECK(played[0] == alone);
    CHECK(played[1] != alone);
    CHECK(played[2] != played[1]);
}

TEST_CASE("a closed loop is muted, and opened again", "[live]") {
    ModelConfig c;
    c.skip = true;
    Model m{c, {}, {}};
    lay_out(m.config, m.weights);
    m.weights.skip[0] = 1.0f;  // passes its input on
    LiveSession session(std::make_shared<const Model>(m), {});
    session.prepare(48000, 128, 1, 1);
    Random random(3);
    std::vector<float> block = random.vector<float>(128, -0.1, 0.1), out(128);
    bool muted = false, again = false;
    double loudest_muted = 0;
    for (int i = 0; i < 2000; ++i) {
        const float* in = block.data();
        float* to = out.data();
        session.process(&in, &to, 128);
        for (const LiveEvent& e : events(session)) {
            muted = muted || e.kind == LiveEvent::Kind::loop_muted;
            again = again || e.kind == LiveEvent::Kind::loop_over;
            CHECK(e.at_sample < (e.kind == LiveEvent::Kind::loop_muted ? 48000 : 144000));
        }
        if (muted && !again && i % 10 == 9)
            for (const float v : out) loudest_muted = std::max(loudest_muted, std::abs(double(v)));
        block = out;
    }
    CHECK(muted);
    CHECK(again);
    CHECK(loudest_muted < 0.11);
    // A repeated tone that is not our output is no loop.
    LiveSession other(std::make_shared<const Model>(m), {});
    other.prepare(48000, 128, 1, 1);
    other.set_gain_db(-6);
    for (int i = 0; i < 1000; ++i) {
        for (std::size_t t = 0; t < 128; ++t) block[t] = 0.2f * std::sin(0.05f * float(i * 128 + int(t)));
        const float* in = block.data();
        float* to = out.data();
        other.process(&in, &to, 128);
    }
    CHECK(events(other).empty());
}

TEST_CASE("the limiter holds the ceiling and leaves the rest alone", "[live]") {
    const auto model = std::make_shared<const GeneratorModel>(example_generator("two"));
    LiveSession session(model, {.mode = LiveMode::together, .listen = 0});
    session.prepare(8000, 64, 1, 1);
    session.set_gain_db(20);
    const std::vector<float> out = play(session, std::vector<float>(8000), 64);
    for (const float v : out) REQUIRE(std::abs(v) <= 0.9801f);
    CHECK(session.meters().limited);
}

namespace {

std::shared_ptr<const Model> stereo_model() {
    return std::make_shared<const Model>(Model::load(SERPENT_TEST_DATA "/models/stereo_6_12_4_2.safetensors"));
}

} // namespace

TEST_CASE("a device that is refused leaves the session as it was", "[live]") {
    constexpr int n = 64;
    Random random(5);
    const std::vector<float> left = random.vector<float>(n, -0.2, 0.2), right = random.vector<float>(n, -0.2, 0.2);
    const float* in[] = {left.data(), right.data()};
    std::vector<float> a(2 * n), b(2 * n);
    float *to_a[] = {a.data(), a.data() + n}, *to_b[] = {b.data(), b.data() + n};
    LiveSession refused(stereo_model(), {}), plain(stereo_model(), {});
    CHECK_THROWS_AS(refused.prepare(48000, n, 1, 1), Error);
    refused.process(in, to_a, n);  // never prepared: nothing happens
    CHECK(a == b);
    refused.prepare(48000, n, 2, 2), plain.prepare(48000, n, 2, 2);
    for (int block = 0; block < 20; ++block) {
        if (block == 10) CHECK_THROWS_AS(refused.prepare(96000, 1, 1, 1), Error);
        if (block == 12) CHECK_THROWS_AS(refused.prepare(0, n, 4, 4), Error);
        refused.process(in, to_a, n), plain.process(in, to_b, n);
        REQUIRE(a == b);
    }
    CHECK(refused.latency_samples() == plain.latency_samples());
}

TEST_CASE("more channels than outputs are mixed, more outputs than channels repeat them", "[live]") {
    constexpr int n = 128;
    Random random(6);
    std::vector<std::vector<float>> heard;
    std::vector<const float*> in;
    for (int c = 0; c < 4; ++c) heard.push_back(random.vector<float>(n, -0.2, 0.2)), in.push_back(heard.back().data());
    const auto model = stereo_model();
    const auto played = [&](int inputs, int outputs, int first = 0) {
        LiveSession session(model, {});
        session.prepare(48000, n, inputs, outputs);
        std::vector<std::vector<float>> out(static_cast<std::size_t>(outputs), std::vector<float>(n));
        std::vector<float*> to;
        for (auto& channel : out) to.push_back(channel.data());
        session.process(in.data() + first, to.data(), n);
        return out;
    };
    const auto one = played(2, 2), other = played(2, 2, 2), both = played(4, 2), five = played(2, 5);
    for (std::size_t c = 0; c < 2; ++c)
        for (std::size_t t = 0; t < n; ++t) {
            const float mean = 0.5f * (one[c][t] + other[c][t]);
            REQUIRE(std::abs(both[c][t] - mean) <= 1e-6f);  // two instances in one vector round otherwise
        }
    CHECK((five[0] == one[0] && five[1] == one[1] && five[2] == one[0] && five[3] == one[1] && five[4] == one[0]));
}

TEST_CASE("hostile input and sizes", "[live]") {
    const auto model = small_generator();
    for (const LiveMode mode : {LiveMode::answer, LiveMode::together})
        for (const double rate : {8000.0, 44100.0}) {
            LiveSession session(model, {.mode = mode});
            session.prepare(rate, 64, 2, 2);
            std::vector<float> left(1000, NAN), right(1000, INFINITY), a(1000), b(1000);
            const float* in[] = {left.data(), right.data()};
            float* out[] = {a.data(), b.data()};
            for (const int n : {0, 1, 63, 64, 65, 1000}) session.process(in, out, n);
            for (const float v : a) REQUIRE(std::isfinite(v));
        }
    LiveSession session(model, {});
    CHECK_THROWS_AS(session.prepare(0, 64, 1, 1), Error);
    CHECK_THROWS_AS(session.prepare(48000, 64, 0, 1), Error);
    CHECK_THROWS_AS(session.prepare(48000, 0, 1, 1), Error);
}
