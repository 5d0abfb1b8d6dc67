// SPDX-License-Identifier: GPL-3.0-or-later
// What serpent.h calls real-time safe, from the shared library, under watch.
#include "serpent/serpent.h"
#include "stream/stream_helpers.h"
#include "watch.h"

#include <catch2/catch.hpp>

using namespace serpent::test;

TEST_CASE("what serpent.h calls real-time safe does nothing forbidden", "[realtime]") {
    for (const char* path : {SERPENT_ASSETS "/models/zamcomp_knobs.safetensors", SERPENT_TEST_DATA "/nam/two_arrays.nam"})
        for (const double rate_hz : {44100.0, 48000.0}) {
            CAPTURE(path, rate_hz);
            serpent_model* model = nullptr;
            serpent_stream* stream = nullptr;
            REQUIRE(serpent_model_load(path, &model) == SERPENT_OK);
            REQUIRE(serpent_stream_create(model, rate_hz, 512, nullptr, &stream) == SERPENT_OK);
            Planar signal = noise(1, 512);
            const float* in[] = {signal[0].data()};
            float* out[] = {signal[0].data()};
            serpent_status status = SERPENT_OK;
            const auto work = [&] {
                for (const int n : {1, 64, 512, 0}) status |= serpent_stream_process(stream, in, out, n);
                serpent_stream_set_control(stream, 0, 0.5f);
                status |= serpent_stream_process(stream, in, out, 512);
                (void)serpent_stream_process(stream, nullptr, out, 512);
                serpent_stream_reset(stream);
                (void)(serpent_stream_channels(stream) + serpent_stream_latency(stream));
            };
            CHECK(system_calls(work) != SystemCalls::some);  // in a child, so that the next line calls everything for the first time
            CHECK(forbidden_calls(work) == std::vector<std::string>{});
            CHECK(status == SERPENT_OK);
            serpent_stream_free(stream);
            serpent_model_free(model);
        }
}
