// SPDX-License-Identifier: GPL-3.0-or-later
// For ThreadSanitizer: an audio thread plays while one thread changes models as fast as it can and another collects and
// asks for the latency. With --race a plain int is shared as well, to prove that a race would be reported.
#include "serpent/player.h"

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
    const bool with_race = argc > 1 && std::strcmp(argv[1], "--race") == 0;
    std::vector<std::shared_ptr<const serpent::Model>> models{nullptr};
    for (const char* name : {"film_8_16_4_2", "tied_ema_8_16_4_4", "odd_widths_5_10_3_3"})
        models.push_back(std::make_shared<const serpent::Model>(
            serpent::Model::load(std::string(SERPENT_TEST_DATA) + "/models/" + name + ".safetensors")));

    serpent::Player player;
    player.prepare(96000, 64, 2);
    std::atomic<bool> over{false};
    std::atomic<int> changes{0};
    int racy = 0;

    std::thread loader([&] {
        for (std::size_t i = 0; i < 1000; ++i) {
            player.load(models[i % models.size()]);
            if (i % 7 == 0)
                player.set_rate_options(i % 2 ? serpent::RateMode::resample : serpent::RateMode::scale_dt, i % 4 ? 1 : 2);
            changes.fetch_add(1);
            if (with_race) ++racy;
        }
        over = true;
    });
    std::thread collector([&] {
        while (!over) {
            player.collect();
            (void)player.latency_samples();
        }
    });
    std::vector<float> left(64), right(64);
    float* pointers[] = {left.data(), right.data()};
    long bad = 0, callbacks = 0;
    for (; !over; ++callbacks) {
        for (std::size_t t = 0; t < left.size(); ++t) left[t] = right[t] = 0.1f * std::sin(0.05f * static_cast<float>(t));
        player.set_control(static_cast<int>(callbacks % 2), static_cast<float>(callbacks % 10));
        player.process(pointers, pointers, 64);
        if (callbacks % 500 == 499) player.reset();
        for (const float v : left) bad += !std::isfinite(v);
        if (with_race) ++racy;
    }
    loader.join();
    collector.join();
    std::printf("%ld callbacks, %d changes of the model, %ld samples not finite\n", callbacks, changes.load(), bad);
    return bad == 0 && callbacks > 0 ? 0 : 1;
}
