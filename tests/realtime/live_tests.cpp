// SPDX-License-Identifier: GPL-3.0-or-later
// A live session's callback, in every mode and across its changes of state, under watch.
#include "generator/example_generator.h"
#include "serpent/live.h"
#include "stream/stream_helpers.h"
#include "watch.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace serpent;
using namespace serpent::test;

namespace {

/// A second of phrase, silence and interruption in blocks of many sizes.
void callback(LiveSession& session, std::vector<float>& audio, std::vector<float>& out) noexcept {
    int n = 1;
    for (std::size_t t = 0; t < audio.size(); t += std::size_t(n), n = n % 200 + 1) {
        n = std::min(n, int(audio.size() - t));
        const float* in[] = {audio.data() + t, audio.data() + t};
        float* to[] = {out.data() + t, out.data() + t};
        session.process(in, to, n);
        session.set_temperature(0.5);
        session.set_gain_db(-6);
        (void)session.meters();
        (void)session.event();
    }
}

std::vector<float> conversation(double rate_hz) {
    std::vector<float> audio(std::size_t(1.5 * rate_hz));
    for (std::size_t t = 0; t < audio.size(); ++t) {
        const double s = double(t) / rate_hz;
        audio[t] = (s > 0.1 && s < 0.4) ? 0.2f : s > 0.6 && s < 0.7 ? 0.9f : 0.0f;
        if (t % 1001 == 0) audio[t] = NAN;
    }
    return audio;
}

} // namespace

namespace {

void watch_conversation(const char* name, double rate_hz, LiveMode mode, double ahead_s) {
    CAPTURE(name, rate_hz, mode == LiveMode::together, ahead_s);
    LiveSession session(std::make_shared<const GeneratorModel>(example_generator(name)),
                        {.mode = mode, .generator = {.sampling = {.top_k = 50, .top_p = 0.9}}, .gate_hold_s = 0.05});
    session.prepare(rate_hz, 128, 2, 2, ahead_s);
    std::vector<float> audio = conversation(rate_hz), out(audio.size());
    const auto work = [&] { callback(session, audio, out); };
    CHECK(forbidden_calls(work) == std::vector<std::string>{});
    CHECK(system_calls(work) != SystemCalls::some);
    if (mode == LiveMode::answer) CHECK(session.meters().answers >= 1);
}

} // namespace

TEST_CASE("a generator in conversation does nothing forbidden", "[realtime]") {
    for (const char* name : {"two", "three", "wide"})
        for (const double rate_hz : {8000.0, 48000.0})
            for (const LiveMode mode : {LiveMode::answer, LiveMode::together})
                for (const double ahead_s : {0.0, 0.01}) watch_conversation(name, rate_hz, mode, ahead_s);
}

TEST_CASE("an effect live does nothing forbidden", "[realtime]") {
    for (const double rate_hz : {44100.0, 48000.0}) {
        LiveSession session(shipped_model("zamtube"), {.stream = {.rate_mode = RateMode::resample}});
        session.prepare(rate_hz, 128, 2, 2);
        std::vector<float> audio = conversation(rate_hz), out(audio.size());
        const auto work = [&] { callback(session, audio, out); };
        CHECK(forbidden_calls(work) == std::vector<std::string>{});
        CHECK(system_calls(work) != SystemCalls::some);
    }
}

TEST_CASE("the calls of a generator's audio thread are noexcept", "[realtime]") {
    Generator* g = nullptr;
    LiveSession* s = nullptr;
    CHECK((noexcept(g->next()) && noexcept(g->generate(nullptr, 0)) && noexcept(g->prime(nullptr, 0)) && noexcept(g->hear(0.0f)) &&
           noexcept(g->reset(0)) && noexcept(g->set_sampling({})) && noexcept(s->process(nullptr, nullptr, 0))));
}
