// SPDX-License-Identifier: GPL-3.0-or-later
// Training a generator: what is read from a folder, that it learns, and that interruptions and threads change no bit.
#include "audio/temporary_folder.h"
#include "close.h"
#include "example_generator.h"
#include "plain_generator.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"
#include "serpent/generator_training.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>

using namespace serpent;
using namespace serpent::test;

namespace {

/// Two voices (pitches) saying two words (rise, fall), some takes of each: 0.1 s at 8 kHz.
void write_recordings(const TemporaryFolder& folder, int takes) {
    Random random(5);
    for (const char* word : {"rise", "fall"})
        for (const char* voice : {"low", "high"})
            for (int take = 0; take < takes; ++take) {
                std::vector<float> audio(800 + std::size_t(take) * 13);
                const double hz = std::string(voice) == "low" ? 200 : 500, phase = random.uniform(0, 6);
                for (std::size_t t = 0; t < audio.size(); ++t) {
                    const double share = double(t) / double(audio.size()), level = std::string(word) == "rise" ? share : 1 - share;
                    audio[t] = float(0.3 * level * std::sin(2 * M_PI * hz * double(t) / 8000 + phase));
                }
                const std::string name = std::string(word) + "_" + voice + "_" + std::to_string(take) + ".wav";
                write_audio(folder / name, {8000, {audio}, Subtype::pcm16}, Subtype::pcm16);
            }
}

GeneratorDataOptions data_options() { return {8000, "{word}_{voice}_*", "*_0.wav", "*_1.wav"}; }

GeneratorTrainOptions train_options(int steps, int threads) {
    GeneratorTrainOptions o;
    o.config = example_config("two");
    o.schedule.steps = steps;
    o.schedule.segment = 130;  // not a multiple of the period: rounded down
    o.schedule.validate_every = 4;
    o.schedule.rate = 1e-2;
    o.schedule.rate_warmup = 5;
    o.schedule.average = 0.9;
    o.threads = threads;
    return o;
}

std::vector<float> all_weights(const GeneratorModel& model) { return model.weights.values; }

std::shared_ptr<const GeneratorData> load(const TemporaryFolder& folder) {
    return std::make_shared<const GeneratorData>(load_generator_data(folder.path(), data_options()));
}

} // namespace

TEST_CASE("a folder's recordings are parted by name, and their names say what they are", "[generator]") {
    const TemporaryFolder folder;
    write_recordings(folder, 4);
    std::filesystem::create_directory(folder / "more");
    write_audio(folder / "more/rise_low_9.flac", {16000, {std::vector<float>(1600, 0.1f), std::vector<float>(1600, 0.3f)}, Subtype::pcm16},
                Subtype::pcm16);
    std::ofstream(folder / "notes.txt") << "no audio";
    const GeneratorData data = load_generator_data(folder.path(), data_options());
    CHECK(data.test.size() == 4);
    CHECK(data.valid.size() == 4);
    CHECK(data.train.size() == 9);
    REQUIRE(data.conditions.size() == 2);
    CHECK(data.conditions[0].name == "word");
    CHECK(data.conditions[0].values == std::vector<std::string>{"fall", "rise"});
    CHECK(data.conditions[1].values == std::vector<std::string>{"high", "low"});
    for (const auto& r : data.train) {
        const std::string name = r.path.stem().string();
        CHECK(r.conditions[0] == (name.starts_with("fall") ? 1 : 2));
        CHECK(r.conditions[1] == (name.find("high") != std::string::npos ? 1 : 2));
        if (name != "rise_low_9") continue;
        CHECK(r.classes.size() == 800);                       // resampled to half its rate,
        CHECK(int(r.classes[400]) == mu_law_class(0.2f));     // and the mean of its channels
    }
    CHECK_THROWS_WITH(load_generator_data(folder / "more", data_options()), Catch::Contains("at least two"));
    CHECK_THROWS_WITH(load_generator_data(folder / "nowhere", data_options()), Catch::Contains("not a folder"));
    auto options = data_options();
    options.names = "{word}-{voice}";
    CHECK_THROWS_WITH(load_generator_data(folder.path(), options), Catch::Contains("does not fit"));
    options.names = "{word";
    CHECK_THROWS_AS(load_generator_data(folder.path(), options), Error);
    options = data_options();
    options.valid = "nothing*";
    CHECK_THROWS_WITH(load_generator_data(folder.path(), options), Catch::Contains("nothing*"));
}

TEST_CASE("files that cannot be read are skipped, counted and named, and hidden ones do not count", "[generator]") {
    const TemporaryFolder folder;
    write_recordings(folder, 3);
    const std::size_t whole = load(folder)->train.size() + load(folder)->valid.size() + load(folder)->test.size();
    std::filesystem::create_directory(folder / ".trash");
    for (const char* name : {"._rise_low_0.wav", ".trash/x.wav", "rise_low_7.wav", "rise_low_8.flac"})
        std::ofstream(folder / name) << "no audio";
    std::ofstream(folder / "odd_low_9.wav");  // empty, and the only one that says "odd"
    std::filesystem::copy_file(folder / "rise_low_1.wav", folder / "rise_low_6.wav");
    {
        std::fstream cut(folder / "rise_low_6.wav", std::ios::in | std::ios::out | std::ios::binary);
        cut.seekp(40);
        cut.write("\0\0\0\0", 4);  // as a recorder that died leaves it
    }
    const auto data = load(folder);
    CHECK(data->train.size() + data->valid.size() + data->test.size() == whole + 1);
    CHECK(data->conditions.at(0).values == std::vector<std::string>{"fall", "rise"});
    std::string notes;
    for (const std::string& note : data->notes) notes += note + '\n';
    CHECK_THAT(notes, Catch::Contains("3 of 16 files were skipped"));
    for (const char* name : {"rise_low_7.wav", "rise_low_8.flac", "odd_low_9.wav", "rise_low_6.wav: its header was never finished"})
        CHECK_THAT(notes, Catch::Contains(name));
    CHECK_THAT(notes, !Catch::Contains("._rise"));

    std::filesystem::create_directory(folder / "bad");
    for (const char* name : {"bad/a_b_1.wav", "bad/a_b_2.wav", "bad/a_b_3.wav"}) std::ofstream(folder / name) << "no audio";
    CHECK_THROWS_WITH(load_generator_data(folder / "bad", data_options()), Catch::Contains("no audio file that can be read") &&
                                                                                Catch::Contains("a_b_1.wav"));
}

TEST_CASE("training learns, and scores as the plain model does", "[generator]") {
    const TemporaryFolder folder;
    write_recordings(folder, 5);
    const auto data = load(folder);
    GeneratorTrainer trainer(data, train_options(240, 2));
    while (trainer.step()) {}
    REQUIRE(trainer.curve().size() == 60);
    const double untrained = 8;
    CHECK(trainer.best_valid_bits() < untrained - 2);
    CHECK(trainer.best_valid_bits() <= trainer.curve().back().valid_bits);

    const GeneratorModel model = trainer.best_model();
    double nats = 0, samples = 0;
    for (const GeneratorRecording& r : data->test) {
        PlainGenerator plain(model);
        plain.conditions = r.conditions;
        int previous = mu_law_silence;
        for (const std::uint8_t c : r.classes) {
            const std::vector<double> logits = plain.step(previous);
            double total = 0;
            for (const double v : logits) total += std::exp(v);
            nats += std::log(total) - logits[c];
            ++samples;
            previous = c;
        }
    }
    const double bits = bits_per_sample(model, data->test);
    CHECK(close(nats / samples / std::log(2.0), bits, 1e-4));  // float32 against float64
    CHECK(bits == bits_per_sample(model, data->test, 1));
}

TEST_CASE("neither threads nor an interruption change a bit", "[generator]") {
    const TemporaryFolder folder;
    write_recordings(folder, 4);
    const auto data = load(folder);
    GeneratorTrainOptions options = train_options(11, 1);
    options.schedule.lanes = 48;
    GeneratorTrainer whole(data, options);
    while (whole.step()) {}
    options.threads = 2;
    GeneratorTrainer two(data, options);
    for (int i = 0; i < 6; ++i) REQUIRE(two.step());
    two.save_checkpoint(folder / "half.checkpoint");
    GeneratorTrainer three = GeneratorTrainer::resume(data, folder / "half.checkpoint", 3);
    CHECK(three.steps_done() == 6);
    while (three.step()) {}
    while (two.step()) {}
    CHECK(all_weights(whole.best_model()) == all_weights(two.best_model()));
    CHECK(all_weights(whole.best_model()) == all_weights(three.best_model()));
    CHECK(whole.best_valid_bits() == three.best_valid_bits());
    REQUIRE(whole.curve().size() == three.curve().size());
    for (std::size_t i = 0; i < whole.curve().size(); ++i) CHECK(whole.curve()[i].train_bits == three.curve()[i].train_bits);
    options.seed = 2;
    GeneratorTrainer other(data, options);
    while (other.step()) {}
    CHECK(all_weights(whole.best_model()) != all_weights(other.best_model()));
}

TEST_CASE("a checkpoint of other data, or a damaged one, is refused", "[generator]") {
    const TemporaryFolder folder, elsewhere;
    write_recordings(folder, 4);
    write_recordings(elsewhere, 5);
    const auto data = load(folder);
    GeneratorTrainer trainer(data, train_options(4, 1));
    REQUIRE(trainer.step());
    trainer.save_checkpoint(folder / "one.checkpoint");
    CHECK_THROWS_WITH(GeneratorTrainer::resume(load(elsewhere), folder / "one.checkpoint"), Catch::Contains("other recordings"));
    std::filesystem::resize_file(folder / "one.checkpoint", std::filesystem::file_size(folder / "one.checkpoint") / 2);
    CHECK_THROWS_WITH(GeneratorTrainer::resume(data, folder / "one.checkpoint"), Catch::Contains("cannot be used"));
    GeneratorTrainOptions bad = train_options(4, 1);
    bad.schedule.lanes = 17;
    CHECK_THROWS_WITH(GeneratorTrainer(data, bad), Catch::Contains("multiple of 16"));
    CHECK_THROWS_AS(generator_preset("huge"), Error);
    CHECK_THROWS_WITH(override_generator_schedule(bad, R"({"speed": 1})"), Catch::Contains("speed"));
    CHECK_THROWS_AS(override_generator_config(bad, R"({"tiers": []})"), Error);
}

TEST_CASE("every preset is a model that trains", "[generator]") {
    const TemporaryFolder folder;
    write_recordings(folder, 3);
    const auto data = load(folder);
    for (const std::string& name : generator_preset_names()) {
        if (name == "large") continue;  // too slow here; its shape is that of the others
        GeneratorTrainOptions options = generator_preset(name);
        options.schedule.steps = options.schedule.validate_every = 1;
        options.schedule.lanes = 16;
        GeneratorTrainer trainer(data, options);
        CHECK(trainer.step());
        CHECK(std::isfinite(trainer.best_valid_bits()));
    }
}
