// SPDX-License-Identifier: GPL-3.0-or-later
// Choosing where a training starts: by the validation of short trainings, as many as the schedule says.
#include "random.h"
#include "serpent/training.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace serpent;

namespace {

/// What a soft clipper makes of noise; or noise of its own, which nobody can learn.
std::shared_ptr<const TrainingSet> recordings(bool learnable) {
    test::Random random(3);
    const auto take = [&](std::size_t samples) {
        TrainingTake t{{random.vector<float>(samples)}, {random.vector<float>(samples)}, {}};
        for (std::size_t i = 0; learnable && i < samples; ++i) t.wet[0][i] = std::tanh(3 * t.dry[0][i]);
        return t;
    };
    auto set = std::make_shared<TrainingSet>();
    set->sample_rate = 8000;
    set->train = {take(16000)};
    set->valid = {take(3000)};
    return set;
}

TrainOptions short_run(std::int64_t steps, int starts) {
    TrainOptions o = train_preset("nano");
    o.config.n_layers = 2;
    o.config.fir_in = o.config.fir_out = 0;
    o.schedule.steps = steps;
    o.schedule.lanes = 16;
    o.schedule.segment = o.schedule.late_segment = 64;
    o.schedule.starts = starts;
    o.seed = 7;
    o.threads = 1;
    return o;
}

const auto go_on = [](double) { return true; };

} // namespace

TEST_CASE("a start is tried for a twentieth of the training, and no longer than a thousand updates", "[training][starts]") {
    TrainSchedule k;
    k.steps = 4000;
    CHECK(start_updates(k) == 0);  // one start is no choice
    k.starts = 4;
    CHECK(start_updates(k) == 200);
    k.steps = 1'000'000;
    CHECK(start_updates(k) == 1000);
    k.steps = 1999;
    CHECK(start_updates(k) == 0);  // too few to tell
}

TEST_CASE("the start that came closest is the one whose short training did", "[training][starts]") {
    const auto data = recordings(true);
    const TrainOptions options = short_run(2000, 3);
    double last = -1;
    const Starts found = try_starts(data, options, [&](double share) {
        CHECK(share > last);
        CHECK(share < 1);
        last = share;
        return true;
    });
    CHECK(found.finished);
    CHECK(found.updates == 100);
    REQUIRE(found.valid_esr.size() == 3);
    // The same by hand, of the start it chose and of the first.
    const auto by_hand = [&](std::uint64_t seed) {
        TrainOptions o = options;
        o.seed = seed;
        o.schedule.validate_every = 100;
        Trainer trainer(data, o);
        for (int i = 0; i < 100; ++i) trainer.step();
        return trainer.best_valid_esr();
    };
    CHECK(by_hand(7) == found.valid_esr[0]);
    CHECK(by_hand(found.seed) == *std::ranges::min_element(found.valid_esr));
    CHECK(found.valid_esr[0] != found.valid_esr[1]);
    CHECK(try_starts(data, options, go_on).seed == found.seed);
}

TEST_CASE("where no start gets off the ground, as many more are tried, and where there is nothing to choose by, none", "[training][starts]") {
    double most = 0;
    const auto again = try_starts(recordings(false), short_run(2000, 2), [&](double share) { return (most = std::max(most, share)) < 1; });
    CHECK(again.finished);
    CHECK(again.valid_esr.size() == 4);
    const Starts one = try_starts(recordings(true), short_run(2000, 1), go_on);
    CHECK(one.seed == 7);
    CHECK(one.valid_esr.empty());
    auto blind = std::make_shared<TrainingSet>(*recordings(true));
    blind->valid.clear();
    CHECK(try_starts(blind, short_run(2000, 2), go_on).seed == 7);
}

TEST_CASE("a choice that is broken off says so", "[training][starts]") {
    int left = 5;
    const Starts found = try_starts(recordings(true), short_run(2000, 2), [&](double) { return left-- > 0; });
    CHECK_FALSE(found.finished);
}
