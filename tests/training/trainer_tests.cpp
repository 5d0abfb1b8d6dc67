// SPDX-License-Identifier: GPL-3.0-or-later
// The trainer on a small synthetic device: it learns, and its result is a function of data, options and seed alone.
#include "serpent/errors.h"
#include "serpent/metrics.h"
#include "serpent/render.h"
#include "serpent/training.h"
#include "training/played_states.h"
#include "training/segment_sampler.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>
#include <limits>

using namespace serpent;

namespace {

constexpr int rate_hz = 8000;

/// A soft clipper behind a one-pole low-pass, played with a swept tone whose level rides up and down.
TrainingTake device_take(std::size_t samples, float drive, double phase) {
    TrainingTake take;
    std::vector<float> dry(samples), wet(samples);
    double low = 0;
    for (std::size_t t = 0; t < samples; ++t) {
        const double s = double(t) / rate_hz;
        dry[t] = static_cast<float>(0.4 * (0.6 + 0.4 * std::sin(5 * s + phase)) * std::sin(2 * M_PI * (150 * s + 60 * s * s) + phase));
        low += 0.3 * (dry[t] - low);
        wet[t] = static_cast<float>(0.5 * std::tanh(double(drive) * low));
    }
    take.dry = {dry};
    take.wet = {wet};
    return take;
}

std::shared_ptr<const TrainingSet> device(std::vector<float> drives = {}) {
    auto set = std::make_shared<TrainingSet>();
    set->sample_rate = rate_hz;
    if (drives.empty()) {
        set->train = {device_take(40000, 4.0f, 0)};
        set->valid = {device_take(4000, 4.0f, 1)};
        return set;
    }
    set->controls = {{"Drive", 1, 5, 3, ""}};
    for (const float drive : drives) {
        set->train.push_back(device_take(20000, drive, drive));
        set->train.back().controls = {drive};
    }
    set->valid = {device_take(4000, 3.0f, 1)};
    set->valid.back().controls = {3.0f};
    return set;
}

/// Of selective layers alone, or of the presets' kind.
TrainOptions quick(std::int64_t steps, bool resonant = false) {
    TrainOptions o = train_preset("nano");
    o.config.n_layers = 2;
    if (!resonant) {
        o.config.blocks = {BlockKind::selective};
        o.config.dilations = {1};
        o.config.fir_in = o.config.fir_out = 0;
        o.config.final_norm = false;
        o.schedule.rate = 4e-3;
        o.schedule.pre_emphasis_weight = 0.25;
        o.schedule.unscored_s = 0.02;
    }
    o.schedule.steps = steps;
    o.schedule.segment = 128;
    o.schedule.late_segment = 300;
    o.schedule.validate_every = 20;
    o.schedule.rate_warmup = 10;
    o.schedule.longest_memory_s = 0.05;
    o.schedule.mrstft_weight = 0.001;
    o.schedule.patience = 1;
    o.schedule.silence_share = 0.4;
    o.schedule.replay_every = 15;
    o.threads = 1;
    return o;
}

bool same_weights(const Model& a, const Model& b) { return a.weights.values == b.weights.values; }

void run(Trainer& t) {
    while (t.step()) {}
}

struct TemporaryFile {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("serpent_checkpoint_" + std::to_string(std::rand()));
    ~TemporaryFile() { std::filesystem::remove(path); }
};

} // namespace

TEST_CASE("training learns a device far beyond a static gain") {
    const auto data = device();
    Trainer t(data, quick(300));
    run(t);
    CHECK(t.steps_done() == 300);
    const auto model = std::make_shared<Model>(t.best_model());
    Renderer renderer(model, {.threads = 1});
    std::vector<float> out = data->valid[0].dry[0];
    float* io[] = {out.data()};
    renderer.process(io, io, out.size());
    const Metrics m = evaluate(data->valid[0].dry[0], data->valid[0].wet[0], out, rate_hz);
    // The trainer's own figure is that of the exported model: same renderer, same state; summation order differs.
    CHECK_FALSE(!(std::abs(m.esr - t.best_valid_esr()) <= 1e-6 * m.esr));
    CHECK_FALSE(!(m.esr < 0.1 * m.static_gain_esr));
}

TEST_CASE("a trained model knows the largest sample of the recordings, as recorded") {
    auto data = std::make_shared<TrainingSet>(*device());
    data->train[0].wet[0][20000] = -0.75f;
    TrainOptions options = quick(1);
    options.config.output_peak = 0.1f;
    Trainer t(data, options);
    run(t);
    CHECK(t.options().config.output_peak == 0.0f);
    CHECK(t.best_model().config.output_peak == 0.75f);
    data = std::make_shared<TrainingSet>(*data);
    data->valid[0].wet[0][2000] = 0.8f;
    CHECK(Trainer(data, quick(1)).best_model().config.output_peak == 0.8f);
}

TEST_CASE("a trained model remembers no longer than the schedule says, at any setting of its controls") {
    TrainOptions options = quick(45);  // ends between two validations
    options.schedule.start = "slow";
    options.schedule.rate = 0.03;      // memories grow and shrink
    options.schedule.rate_warmup = 0;
    for (const float longest_s : {0.002f, 0.02f}) {
        options.schedule.longest_memory_s = longest_s;
        const double longest_samples = longest_s * rate_hz;
        Trainer t(device({1.5f, 4.5f}), options);
        CHECK(time_constants(t.best_model()).longest_samples <= longest_samples * (1 + 1e-5));  // of no update yet
        run(t);
        const Model model = t.best_model();
        for (const std::vector<float>& controls : {std::vector<float>{1}, {3}, {5}}) {
            CHECK(time_constants(model, controls).longest_samples <= longest_samples * (1 + 1e-5));  // A_log in float32
        }
        CHECK(time_constants(model).longest_samples > 0.2 * longest_samples);
    }
}

TEST_CASE("any number of threads trains the same bits") {
    const auto data = device();
    TrainOptions o = quick(30);
    Trainer one(data, o);
    o.threads = 3;
    Trainer three(data, o);
    run(one);
    run(three);
    CHECK(same_weights(one.best_model(), three.best_model()));
    o.seed = 2;
    Trainer other(data, o);
    run(other);
    CHECK_FALSE(same_weights(one.best_model(), other.best_model()));
}

TEST_CASE("a resumed run gives the bits of a run never stopped") {
    for (const auto& data : {device(), device({1, 2.5f, 5})}) for (const bool resonant : {false, true}) {
        Trainer whole(data, quick(60, resonant));
        run(whole);
        for (const int stop : {1, 27, 40}) {
            CAPTURE(stop, resonant);
            const TemporaryFile file;
            {
                Trainer first(data, quick(60, resonant));
                for (int i = 0; i < stop; ++i) REQUIRE(first.step());
                first.save_checkpoint(file.path);
            }
            Trainer second = Trainer::resume(data, file.path, 2);
            CHECK(second.steps_done() == stop);
            run(second);
            CHECK(same_weights(whole.best_model(), second.best_model()));
            CHECK(second.best_model().config.output_peak == whole.best_model().config.output_peak);
            CHECK(whole.best_valid_esr() == second.best_valid_esr());
            CHECK(whole.curve().size() == second.curve().size());
        }
    }
}

TEST_CASE("checkpoints refuse other data and damage") {
    const auto data = device();
    const TemporaryFile file;
    Trainer t(data, quick(10));
    t.step();
    t.save_checkpoint(file.path);
    CHECK_THROWS_AS(Trainer::resume(device({1, 5}), file.path), Error);
    CHECK_THROWS_AS(Trainer::resume(data, "/nonexistent/checkpoint"), Error);
    std::filesystem::resize_file(file.path, std::filesystem::file_size(file.path) - 4);
    CHECK_THROWS_AS(Trainer::resume(data, file.path), Error);
    std::ofstream(file.path) << "not a checkpoint";
    CHECK_THROWS_AS(Trainer::resume(data, file.path), Error);
}

TEST_CASE("a model with a control follows it") {
    const auto data = device({1, 2, 4, 5});
    Trainer t(data, quick(400));
    run(t);
    const auto model = std::make_shared<Model>(t.best_model());
    const auto error_at = [&](float told) {
        Renderer renderer(model, {.controls = {told}, .threads = 1});
        std::vector<float> out = data->valid[0].dry[0];
        float* io[] = {out.data()};
        renderer.process(io, io, out.size());
        return esr(data->valid[0].wet[0], out);
    };
    // Drive 3 was never trained on; told the truth it must do better than told either end of the knob.
    CHECK(error_at(3.0f) < 0.5 * error_at(1.0f));
    CHECK(error_at(3.0f) < error_at(5.0f));
}

TEST_CASE("the schedule's segments and runs stay inside the recordings") {
    const auto data = device({1, 5});
    TrainSchedule schedule;
    schedule.longest_run_s = 0.5;
    schedule.shortest_run_s = 0.01;
    schedule.silence_share = 0.5;
    const SegmentSampler sampler(*data, schedule, 3);
    std::size_t restarts = 0, beginnings = 0, played = 0;
    for (int lane = 0; lane < 4; ++lane) {
        LaneRun run;
        for (std::int64_t step = 0; step < 2000; ++step) {
            const int n = sampler.segment_length(step);
            REQUIRE(n >= 1);
            REQUIRE(n <= sampler.longest_segment());
            const RunBegin begin = sampler.advance(run, lane, n, lane >= 2);
            restarts += begin != RunBegin::none ? 1 : 0;
            beginnings += run.position == 0 ? 1 : 0;
            if (begin == RunBegin::from_played) {
                ++played;
                REQUIRE(lane >= 2);
                REQUIRE(run.position % PlayedStates::spacing_samples == 0);
                REQUIRE(run.unscored == 0);
            }
            REQUIRE(run.position + static_cast<std::size_t>(n) <= data->train[run.take].dry[0].size());
            run.position += static_cast<std::size_t>(n);
        }
    }
    CHECK(restarts > 4 * 100);
    CHECK(beginnings > 0);
    CHECK(played > 100);
}

TEST_CASE("played states are those of the model playing the take from silence") {
    const auto data = device({1, 5});
    Trainer t(data, quick(20));
    run(t);
    const Model model = t.best_model();
    PlayedStates played;
    CHECK(played.empty());
    played.play(*data, model, 0.5, {}, 1);
    REQUIRE(played.takes.size() == 2);
    Renderer renderer(std::make_shared<const Model>(model), {.controls = {5.0f}, .threads = 2});
    std::vector<float> dry = data->train[1].dry[0];
    for (float& x : dry) x *= 0.5f;
    float* io[] = {dry.data()};
    renderer.process(io, io, PlayedStates::spacing_samples);
    const State there = played.at(model.config, 1, PlayedStates::spacing_samples), start = played.at(model.config, 1, 0);
    CHECK(there.h == renderer.state().h);
    CHECK(there.conv == renderer.state().conv);
    CHECK(start.h == silence_state(model, std::vector<float>{5.0f}).h);
}

TEST_CASE("overrides refuse what they do not know") {
    TrainOptions o = train_preset("standard");
    override_config(o, R"({"d_state": 8, "a": "tied"})");
    CHECK(o.config.d_state == 8);
    CHECK(o.config.a == DecayShape::tied);
    override_schedule(o, R"({"steps": 77})");
    CHECK(o.schedule.steps == 77);
    CHECK_THROWS_AS(override_schedule(o, R"({"stesp": 77})"), Error);
    CHECK_THROWS_AS(override_schedule(o, R"({"steps": "many"})"), Error);
    CHECK_THROWS_AS(override_config(o, R"({"d_sate": 8})"), Error);
    CHECK_THROWS_AS(override_config(o, "["), Error);
    CHECK_THROWS_AS(train_preset("huge"), Error);
    set_memory(o, 5.0);
    CHECK(o.schedule.longest_memory_s == 5.0);
    CHECK(o.schedule.silence_share < 1.0);
    for (const double impossible : {0.0, -1.0, 61.0, std::numeric_limits<double>::quiet_NaN()})
        CHECK_THROWS_AS(set_memory(o, impossible), Error);
}
