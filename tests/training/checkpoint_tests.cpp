// SPDX-License-Identifier: GPL-3.0-or-later
// What a damaged checkpoint, a senseless schedule and a training that diverges lead to: a sentence, and never a crash or a loss.
#include "fuzz/checkpoints.h"
#include "model/example_model.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

struct EffectCase {
    std::shared_ptr<const TrainingSet> data = tiny_recordings();
    TrainOptions options = tiny_training();
    using Trainer = serpent::Trainer;
    static void override(TrainOptions& o, const std::string& json) { override_schedule(o, json); }
};

struct GeneratorCase {
    std::shared_ptr<const GeneratorData> data = tiny_sounds();
    GeneratorTrainOptions options = tiny_generator_training();
    using Trainer = GeneratorTrainer;
    static void override(GeneratorTrainOptions& o, const std::string& json) { override_generator_schedule(o, json); }
};

/// Spoils the progress of the checkpoint of a run of some steps.
template <class Case, class Spoil>
void check_refused(const Case& test, const Spoil& spoil) {
    const TemporaryFolder folder;
    const auto path = folder / "checkpoint";
    typename Case::Trainer trainer(test.data, test.options);
    for (int i = 0; i < 4; ++i) REQUIRE(trainer.step());
    trainer.save_checkpoint(path);
    REQUIRE_NOTHROW(Case::Trainer::resume(test.data, path, 1));
    FileParts file(file_text(path));
    auto progress = nlohmann::json::parse(file.header["__metadata__"]["progress"].template get<std::string>());
    spoil(progress);
    file.header["__metadata__"]["progress"] = progress.dump();
    write_text(path, file.joined());
    CHECK_THROWS_WITH(Case::Trainer::resume(test.data, path, 1), Catch::Contains("cannot be used"));
}

using nlohmann::json;

} // namespace

TEST_CASE("a checkpoint with any count, place or size out of range is refused", "[checkpoint]") {
    const EffectCase effect;
    for (const auto& [place, value] : {std::pair<const char*, json>{"/runs/3/1", 2}, {"/runs/3/1", -1}, {"/runs/0/2", 1u << 30},
                                       {"/runs/0/3", 13001}, {"/runs/15/3", 1e300}, {"/runs/2", json::array()},
                                       {"/played/0/0", 1u << 30}, {"/played/1/1", 0}, {"/played", json::array({json::array({0, 0})})},
                                       {"/step", 41}, {"/step", -1}, {"/best_step", 100}, {"/loss_count", -5}, {"/scale/1", 0},
                                       {"/best_valid_esr", ~std::uint64_t{0}}, {"/schedule/replay_every", 0}, {"/schedule/lanes", 32},
                                       {"/schedule/rate", -1}, {"/seed", "x"}, {"/curve", json::array({1})}}) {
        CAPTURE(place, value.dump());
        check_refused(effect, [&, where = place, what = value](json& progress) { progress[json::json_pointer(where)] = what; });
    }
    const GeneratorCase generator;
    for (const auto& [place, value] : {std::pair<const char*, json>{"/lanes/3/1", 3}, {"/lanes/3/4", -1}, {"/lanes/0/5", 256},
                                       {"/lanes/0/6/0", 3}, {"/lanes/2/3", 1e300}, {"/lanes/1/4", 1u << 30}, {"/step", 21}, {"/best_step", 21},
                                       {"/schedule/validate_every", 0}, {"/schedule/lanes", 32}, {"/scored_sum", json::array()}}) {
        CAPTURE(place, value.dump());
        check_refused(generator, [&, where = place, what = value](json& progress) { progress[json::json_pointer(where)] = what; });
    }
}

TEMPLATE_TEST_CASE("a schedule out of range is refused by the name of its field", "[checkpoint]", EffectCase, GeneratorCase) {
    const TestType test;
    std::vector<std::string> fields{"steps", "segment", "rate", "clip", "validate_every", "longest_memory_s"};
    if constexpr (std::is_same_v<TestType, EffectCase>)
        fields.insert(fields.end(), {"replay_every", "late_segment", "shortest_run_s", "longest_run_s"});
    for (const std::string& field : fields)
        for (const char* value : {"0", "-1", "1e300", "null", "\"1\"", "18446744073709551615"}) {
            CAPTURE(field, value);
            auto options = test.options;
            CHECK_THROWS_WITH(TestType::override(options, "{\"" + field + "\": " + value + "}"), Catch::Contains(field));
        }
    auto options = test.options;
    options.schedule.rate = std::nan("");
    CHECK_THROWS_WITH(typename TestType::Trainer(test.data, options), Catch::Contains("rate"));
}

TEMPLATE_TEST_CASE("a training that diverges is saved, resumed and noted, and leaves its best model", "[checkpoint]", EffectCase,
                   GeneratorCase) {
    TestType test;
    test.options.schedule.rate = 1e5;
    test.options.schedule.rate_warmup = 0;
    test.options.schedule.validate_every = 1;
    const TemporaryFolder folder;
    typename TestType::Trainer trainer(test.data, test.options);
    trainer.save_checkpoint(folder / "begin");
    CHECK_NOTHROW(TestType::Trainer::resume(test.data, folder / "begin", 1));
    CHECK(trainer.divergence().empty());
    for (int i = 0; i < 12; ++i) trainer.step();
    CAPTURE(trainer.divergence());
    CHECK_THAT(trainer.divergence(), Catch::Contains("diverged") && Catch::Contains("updates came to nothing"));
    REQUIRE_NOTHROW(trainer.save_checkpoint(folder / "diverged"));
    auto again = TestType::Trainer::resume(test.data, folder / "diverged", 1);
    CHECK(again.divergence() == trainer.divergence());
    while (again.step()) {}
    for (const auto* t : {&trainer, &again}) CHECK_NOTHROW(t->best_model().save(folder / "model.safetensors"));
}

TEMPLATE_TEST_CASE("a training that gets no better any more loses patience in its second half", "[checkpoint]", EffectCase, GeneratorCase) {
    TestType test;
    test.options.schedule.rate = 1e-30;
    test.options.schedule.steps = 20;
    test.options.schedule.validate_every = 3;
    test.options.schedule.patience = 0.2;
    test.options.schedule.average = 0;             // and so the averaged weights are those that do not move
    test.options.schedule.longest_memory_s = 100;  // nor are they tamed
    if constexpr (std::is_same_v<TestType, EffectCase>) {
        auto data = std::make_shared<TrainingSet>(*test.data);
        data->valid = data->train;
        test.data = data;
    }
    typename TestType::Trainer trainer(test.data, test.options);
    while (trainer.step()) {}
    CHECK(trainer.steps_done() == 15);
    test.options.schedule.patience = 1;
    typename TestType::Trainer patient(test.data, test.options);
    while (patient.step()) {}
    CHECK(patient.steps_done() == 20);
}

TEST_CASE("a generator's checkpoint of before there was patience resumes to the same bits", "[checkpoint]") {
    const GeneratorCase test;
    const TemporaryFolder folder;
    GeneratorTrainer whole(test.data, test.options), first(test.data, test.options);
    while (whole.step()) {}
    for (int i = 0; i < 10; ++i) REQUIRE(first.step());
    first.save_checkpoint(folder / "checkpoint");
    FileParts file(file_text(folder / "checkpoint"));
    auto progress = json::parse(file.header["__metadata__"]["progress"].get<std::string>());
    REQUIRE(progress.erase("best_step") == 1);
    REQUIRE(progress["schedule"].erase("patience") == 1);
    file.header["__metadata__"]["progress"] = progress.dump();
    write_text(folder / "checkpoint", file.joined());
    GeneratorTrainer second = GeneratorTrainer::resume(test.data, folder / "checkpoint", 1);
    while (second.step()) {}
    whole.save_checkpoint(folder / "whole");
    second.save_checkpoint(folder / "second");
    CHECK(file_text(folder / "whole") == file_text(folder / "second"));
}
