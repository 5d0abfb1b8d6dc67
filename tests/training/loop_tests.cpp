// SPDX-License-Identifier: GPL-3.0-or-later
// The loop that trains captures and generators, on a task of which everything is known: a quadratic.
#include "equations/adamw.h"
#include "serpent/errors.h"
#include "training/loop_checkpoint.h"
#include "training/training_loop.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace serpent;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
const float nan_float = std::numeric_limits<float>::quiet_NaN();

struct ToyState : LoopState {
    std::vector<float> w{2, -1, 0.5f, 4, 3, 1, -2}, average_w = w, best_w;  // five weights and two biases
    std::vector<float> m_w = std::vector<float>(w.size()), v_w = m_w;
    std::vector<CurvePoint> curve;
};

/// Loss: half the squared distance of w and bias from 1, seen through a noise that depends on the step alone.
struct Toy final : TrainingTask {
    LoopSchedule k{40, 0.05, 0.1, 5, 1.0, 0.8, 4, 1.0};
    ToyState s;
    std::vector<std::string> calls;
    std::int64_t bad_step = -1;              ///< whose gradient is not finite
    std::vector<double> scores;              ///< of the validations, in order; else the loss of the averaged weights
    bool can_ship = true, device = false;
    int replays_every = 0;
    double fetched = 0;

    LoopSchedule schedule() const override { return k; }
    TrainedWeights trained() override {
        return {s.w, s.average_w, s.m_w, s.v_w, {{5, kernels::Transform::none, 0.01}, {2, kernels::Transform::none, 0}}};
    }
    void gradient(std::vector<float>& g, LossSum& loss) override {
        calls.push_back("gradient");
        g.clear();
        for (const float v : s.w) {
            g.push_back(v - 1 + 0.1f * static_cast<float>(std::sin(double(s.step) * 1.7 + double(g.size()))));
            loss.sum += 0.5 * (v - 1) * (v - 1);
        }
        loss.weight += 2;
        if (s.step == bad_step) g[1] = nan_float;
    }
    Validation validate(double) override {
        calls.push_back("validate");
        if (!scores.empty()) return {scores[std::min(s.curve.size(), scores.size() - 1)], can_ship};
        double sum = 0;
        for (const float v : s.average_w) sum += (v - 1) * (v - 1);
        return {sum, can_ship};
    }
    void keep_best() override { s.best_w = s.average_w; }
    void add_point(const CurvePoint& p) override { s.curve.push_back(p); }
    double epochs(std::int64_t steps) const override { return double(steps) / 10; }
    std::set<int> overflowed_lanes() const override { return {3, 7}; }
    int replay_every() const override { return replays_every; }
    void replay() override { calls.push_back("replay"); }
    bool on_device() const override { return device; }
    void update_on_device(const UpdateRates& rates, LossSum& loss) override {
        calls.push_back("device " + std::to_string(rates.number));
        loss.weight += 1;
    }
    double fetch() override {
        calls.push_back("fetch");
        return fetched;
    }
};

/// Runs `toy` to its end, or for so many steps; returns the steps made.
std::int64_t run(Toy& toy, std::int64_t most = 1000, int threads = 1) {
    Workers workers(threads);
    TrainingLoop loop(toy, toy.s, workers);
    std::int64_t steps = 0;
    while (steps < most && loop.step()) ++steps;
    return steps;
}

bool same(const ToyState& a, const ToyState& b) {
    return a.w == b.w && a.average_w == b.average_w && a.m_w == b.m_w && a.v_w == b.v_w && a.best_w == b.best_w &&
           a.best_score == b.best_score && a.best_step == b.best_step && a.step == b.step &&
           a.loss.sum == b.loss.sum && a.loss.weight == b.loss.weight && a.curve.size() == b.curve.size();
}

} // namespace

TEST_CASE("the loop trains to the end, validates when it is time to and keeps the best average", "[loop]") {
    Toy toy;
    toy.k.steps = 402;
    CHECK(run(toy) == 402);
    for (const float v : toy.s.average_w) CHECK_FALSE(!(std::abs(v - 1) < 0.1f));
    REQUIRE(toy.s.curve.size() == 101);                    // every 4, and at the end
    CHECK(toy.s.curve[1].step == 8);
    CHECK(toy.s.curve[1].epoch == 0.8);
    CHECK(toy.s.curve[1].rate == learning_rate(toy.k, 8));
    CHECK(toy.s.curve.back().step == 402);
    double best = infinite;
    for (const CurvePoint& p : toy.s.curve) best = std::min(best, p.score);
    CHECK(toy.s.best_score == best);
    CHECK(toy.s.best_w != toy.s.w);
    CHECK(toy.s.divergence.note(402, 1).empty());
}

TEST_CASE("the training loss of a point is the mean since the one before", "[loop]") {
    Toy toy;
    toy.k.rate = 1e-30;  // moves nothing
    run(toy, 8);
    const double loss = 0.5 * (1 + 4 + 0.25 + 9 + 4 + 0 + 9);
    REQUIRE(toy.s.curve.size() == 2);
    for (const CurvePoint& p : toy.s.curve) CHECK(p.train_loss == Approx(loss / 2).epsilon(1e-12));
    CHECK(toy.s.loss.weight == 0);
}

TEST_CASE("a gradient is clipped to its largest norm, and left alone below it", "[loop]") {
    Workers workers(1);
    for (const float size : {0.1f, 10.0f}) {
        Toy toy;
        Optimiser optimiser(toy.trained());
        std::vector<float> g{3 * size, 0, 0, 0, 0, 0, 4 * size};
        REQUIRE(optimiser.update(g, {1, 0.1, 1.0, 0.0f}, workers));
        const float shrunk = std::min(1.0f, 1 / (5 * size));
        CHECK(g[0] == Approx(3 * size * shrunk));
        CHECK(g[6] == Approx(4 * size * shrunk));
        CHECK(toy.s.m_w[0] == Approx(0.1f * 3 * size * shrunk));     // AdamW's moments are of the clipped one
        CHECK(toy.s.v_w[6] == Approx(0.01f * std::pow(4 * size * shrunk, 2)));
    }
}

TEST_CASE("weights move by AdamW, each tensor with its own decay, and those of a decay by their own gradient", "[loop]") {
    std::vector<float> w{0.5f, -1.5f}, average_w = w, m_w(2), v_w(2);  // the second is a decay's logarithm
    Optimiser optimiser({w, average_w, m_w, v_w, {{1, kernels::Transform::none, 0.3}, {1, kernels::Transform::decay, 0}}});
    Workers workers(2);
    double p[2]{0.5, -1.5}, m[2]{}, v[2]{}, average[2]{0.5, -1.5};
    for (int step = 1; step <= 5; ++step) {
        std::vector<float> g{0.2f, -0.4f};
        REQUIRE(optimiser.update(g, {step, 0.01, 100.0, 0.75f}, workers));
        const double of[2]{0.2, -0.4 * -std::exp(p[1])};
        for (int i = 0; i < 2; ++i) {
            equations::adamw<double>(1, {0.01, 0.9, 0.99, 1e-8, i == 0 ? 0.3 : 0.0}, step, &of[i], &p[i], &m[i], &v[i]);
            average[i] = 0.75 * average[i] + 0.25 * p[i];
        }
        for (std::size_t i = 0; i < 2; ++i) {
            CHECK(w[i] == Approx(p[i]).epsilon(1e-6));
            CHECK(average_w[i] == Approx(average[i]).epsilon(1e-6));
        }
    }
}

TEST_CASE("the rate warms up, then follows a cosine down to its last share", "[loop]") {
    const LoopSchedule k{1000, 0.5, 0.1, 50, 1, 0.9, 10, 1};
    CHECK(learning_rate(k, 0) == Approx(0.5 / 50));
    CHECK(learning_rate(k, 24) == Approx(0.25).epsilon(0.01));
    CHECK(learning_rate(k, 500) == Approx(0.5 * 0.55));
    CHECK(learning_rate(k, 1000) == Approx(0.05));
    for (int step = 50; step < 1000; ++step) REQUIRE(learning_rate(k, step + 1) < learning_rate(k, step));
    LoopSchedule cold = k;
    cold.rate_warmup = 0;
    CHECK(learning_rate(cold, 0) == 0.5);
}

TEST_CASE("averaged weights begin as a plain mean and then forget at the schedule's pace", "[loop]") {
    const LoopSchedule k{1000, 0.5, 0.1, 50, 1, 0.9, 10, 1};
    CHECK(average_keep(k, 0) == 0.0f);
    CHECK(average_keep(k, 10) == 0.5f);
    CHECK(average_keep(k, 500) == 0.9f);
    Toy toy;
    run(toy, 1);
    CHECK(toy.s.average_w == toy.s.w);
    const float before = toy.s.average_w[3];
    run(toy, 1);
    CHECK(toy.s.average_w[3] == Approx(before / 11 + toy.s.w[3] * 10 / 11));
}

TEST_CASE("a run that brings nothing new any more ends, but not in its first half", "[loop]") {
    Toy toy;
    toy.k.steps = 200;
    toy.k.patience = 0.1;
    toy.scores = {3, 2, 5};
    CHECK(run(toy) == 121);            // 20 updates behind the half, and the one that tells
    CHECK(toy.s.best_step == 8);
    CHECK(run(toy, 5) == 0);
    Toy later;
    later.k = toy.k;
    for (int i = 0; i < 40; ++i) later.scores.push_back(100 - i);
    later.scores.push_back(1000);
    CHECK(run(later) == 181);
    CHECK(later.s.best_step == 160);
    Toy patient;
    patient.k = toy.k;
    patient.scores = toy.scores;
    patient.k.patience = 1;
    CHECK(run(patient) == 200);
}

TEST_CASE("an update whose gradient is not finite moves nothing and is told", "[loop]") {
    Toy toy;
    toy.bad_step = 6;
    run(toy, 6);
    const ToyState before = toy.s;
    CHECK(before.divergence.lanes.empty());
    run(toy, 1);
    CHECK(toy.s.step == 7);
    CHECK(toy.s.w == before.w);
    CHECK(toy.s.average_w == before.average_w);
    CHECK(toy.s.m_w == before.m_w);
    CHECK(toy.s.divergence.skipped_updates == 1);
    CHECK(toy.s.divergence.lanes == std::set<int>{3, 7});
    CHECK_THAT(toy.s.divergence.note(7, 0.05), Catch::Contains("1 of 7 updates came to nothing") && Catch::Contains("lanes 3, 7"));
    CHECK(run(toy) == 33);
    CHECK(toy.s.w != before.w);
    CHECK(toy.s.divergence.skipped_updates == 1);
}

TEST_CASE("what cannot ship is not kept, nor what has no score", "[loop]") {
    Toy toy;
    toy.scores = {5, 1, std::nan(""), 4};
    run(toy, 4);
    CHECK(toy.s.best_score == 5);
    const std::vector<float> kept = toy.s.best_w;
    toy.can_ship = false;
    run(toy, 8);
    CHECK(toy.s.best_score == 5);
    CHECK(toy.s.best_w == kept);
    toy.can_ship = true;
    run(toy, 4);
    CHECK(toy.s.best_score == 4);
    CHECK(toy.s.best_step == 16);
}

TEST_CASE("a run that goes on from any of its states gives the bits of one never stopped, on any number of threads", "[loop]") {
    Toy whole;
    run(whole);
    for (const std::int64_t stop : {1, 4, 17, 39}) {
        CAPTURE(stop);
        Toy first;
        run(first, stop, 2);
        Toy second;
        second.s = first.s;
        CHECK(run(second, 1000, 3) == 40 - stop);
        CHECK(same(whole.s, second.s));
    }
}

TEST_CASE("replays come when it is time to, after a validation", "[loop]") {
    Toy toy;
    toy.replays_every = 6;
    run(toy, 12);
    std::vector<std::string> wanted;
    for (int step = 1; step <= 12; ++step) {
        wanted.push_back("gradient");
        if (step % 4 == 0) wanted.push_back("validate");
        if (step % 6 == 0) wanted.push_back("replay");
    }
    CHECK(toy.calls == wanted);
}

TEST_CASE("a device updates by itself, and is asked before a validation", "[loop]") {
    Toy toy;
    toy.device = true;
    toy.fetched = 6;
    toy.k.validate_every = 3;
    run(toy, 3);
    CHECK(toy.calls == std::vector<std::string>{"device 1", "device 2", "device 3", "fetch", "validate"});
    CHECK(toy.s.curve.at(0).train_loss == 2);
    CHECK(toy.s.divergence.lanes.empty());
    toy.fetched = std::nan("");
    run(toy, 3);
    CHECK(toy.s.divergence.lanes == std::set<int>{3, 7});
}

TEST_CASE("a run is as long as the time that there is for it", "[loop]") {
    CHECK(steps_within(2, 0.1, 50) == 1200);
    CHECK(steps_within(0.01, 0.1, 50) == 50);
    CHECK(steps_within(1e300, 1e-3, 50) == most_steps);
    Toy toy;
    Workers workers(1);
    TrainingLoop loop(toy, toy.s, workers);
    const double seconds = loop.seconds_per_step();
    CHECK(seconds > 0);
    CHECK(seconds < 0.1);
}

TEST_CASE("what the loop knows survives a checkpoint", "[loop]") {
    constexpr checkpoint::LoopNames names{"best", "sum", "weight", "loss", "score"};
    LoopState s;
    for (const bool begun : {false, true}) {
        if (begun) {
            s.step = 90;
            s.best_score = 0.1;
            s.best_step = 70;
            s.loss = {std::nan(""), 12.5};
            s.divergence = {{1, 15}, 4};
        }
        auto j = nlohmann::json::parse(checkpoint::loop_json(s, names).dump());
        j["curve"] = {checkpoint::point_json({60, 1.5, infinite, 0.25, 1e-3}, names), checkpoint::point_json({65, 2, 3, 0.1, 1e-4}, names)};
        LoopState again = checkpoint::loop_of(j, names, 100, 16);
        CHECK(again.step == s.step);
        CHECK(again.best_score == s.best_score);
        CHECK(again.best_step == s.best_step);
        CHECK(checkpoint::loop_json(again, names) == checkpoint::loop_json(s, names));
        if (!begun) continue;
        CHECK(std::isnan(again.loss.sum));
        CHECK(checkpoint::point_of(j["curve"][0], names, 100).train_loss == infinite);
        j.erase("best_step");                     // as generators' were
        CHECK(checkpoint::loop_of(j, names, 100, 16).best_step == 65);
        CHECK_THROWS_AS(checkpoint::loop_of(j, names, 80, 16), Error);
        CHECK_THROWS_AS(checkpoint::loop_of(j, names, 100, 8), Error);
    }
}
