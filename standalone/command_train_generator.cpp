// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "generator_outcome.h"
#include "one_of.h"
#include "thread_note.h"
#include "training_run.h"

#include "serpent/errors.h"
#include "serpent/generator_training.h"

#include <cmath>
#include <cstdio>
#include <iostream>

namespace fs = std::filesystem;

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  serpent train-generator recordings -o voice.safetensors --minutes 60\n"
    "  serpent train-generator digits -o digits.safetensors --rate 8000 --names '{digit}_{speaker}_*'\n"
    "                                         conditions from file names: 7_lucas_12.flac is digit 7, speaker lucas\n"
    "  serpent train-generator recordings -o voice.safetensors --resume      goes on where Ctrl-C or a power cut ended it\n"
    "\n"
    "The folder holds audio files of any rate and length, and may have folders in it. Some minutes of audio are the least;\n"
    "the more alike they sound, the better. Whole files are kept for validation. Beside the model appears a report,\n"
    "MODEL.html, with samples to listen to. 'serpent generate' and 'serpent live' play the model.\n";

struct Arguments {
    fs::path folder;
    TrainingFiles files;
    serpent::GeneratorDataOptions data{8000, "", "", ""};
    std::string preset = "voice", config_json, schedule_json;
    std::optional<double> minutes;
    std::uint64_t seed = 1;
    int threads = 0;
    serpent::Metadata metadata;
};

serpent::GeneratorTrainer make_trainer(const Arguments& a, const std::shared_ptr<const serpent::GeneratorData>& data) {
    if (a.files.resume) {
        serpent::GeneratorTrainer trainer = serpent::GeneratorTrainer::resume(data, a.files.checkpoint(), a.threads);
        tell_resumed(trainer);
        return trainer;
    }
    serpent::GeneratorTrainOptions options = serpent::generator_preset(a.preset);
    options.seed = a.seed;
    options.threads = a.threads;
    if (!a.config_json.empty()) override_generator_config(options, a.config_json);
    if (!a.schedule_json.empty()) override_generator_schedule(options, a.schedule_json);
    serpent::GeneratorTrainer trainer(data, options);
    decide_length(trainer, a.minutes, 60.0, gives_steps(a.schedule_json));
    return trainer;
}

std::string figures(const serpent::GeneratorTrainer& t) {
    if (t.curve().empty()) return {};
    const serpent::GeneratorPoint& last = t.curve().back();
    char text[112];
    std::snprintf(text, sizeof text, "epoch %.1f  bits per sample: training %.3f  validation %.3f  best %.3f", last.epoch,
                  last.train_bits, last.valid_bits, t.best_valid_bits());
    return text;
}

void run(const Arguments& a) {
    a.files.check({});
    const auto data = std::make_shared<const serpent::GeneratorData>(serpent::load_generator_data(a.folder, a.data));
    for (const std::string& note : data->notes) std::cerr << "  " << note << '\n';
    for (const auto* list : {&data->train, &data->valid, &data->test})
        for (const serpent::GeneratorRecording& recording : *list) a.files.require_not_among({recording.path});
    serpent::GeneratorTrainer trainer = make_trainer(a, data);
    if (const std::string note = thread_note(a.threads, trainer.threads()); !note.empty()) std::cerr << note << '\n';
    watch_interrupts();
    const TrainingRun run = run_training(trainer, a.files, figures);
    const GeneratorOutcome outcome = assess_generator(trainer, *data, run.wall_s, a.metadata, a.files.model, command_line());
    conclude_training(
        outcome, a.files, run, [&] { return is_as_good(outcome, a.files.model, *data, a.threads); },
        [&] { print_generator_outcome(outcome, trainer); },
        [&](const fs::path& report) { write_generator_report(report, outcome, trainer, *data, command_line()); });
}

} // namespace

CLI::App* add_train_generator_command(CLI::App& app) {
    const auto a = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("train-generator", "Turn a folder of recordings into a model that makes sound of its own");
    command->footer(std::string(examples) + training_files_help);
    command->add_option("DIR", a->folder, "A folder of recordings")->required()->type_name("");
    add_training_file_options(*command, a->files);
    command->add_option("--preset", a->preset, "small, voice (the default) or large")->type_name("NAME")
        ->check(one_of(serpent::generator_preset_names()));
    command->add_option("--minutes", a->minutes, "How long to train (default 60); steps are fixed at the start")
        ->type_name("M")->check(CLI::PositiveNumber.description(""));
    command->add_option("--rate", a->data.sample_rate, "The model's sample rate (default 8000); recordings are resampled to it")
        ->type_name("HZ")->check(CLI::Range(1000, 192000).description(""));
    command->add_option("--names", a->data.names, "What file names say, as {digit}_{speaker}_*: conditions to generate by")
        ->type_name("PATTERN");
    command->add_option("--test", a->data.test, "File names to score the result on and never train on, as '*_[0-4].flac'")
        ->type_name("GLOB");
    command->add_option("--valid", a->data.valid, "File names to choose the best weights by; else a twentieth of the files")
        ->type_name("GLOB");
    command->add_option("--seed", a->seed, "Another number gives another, equally good model")->type_name("N");
    command->add_option("--threads", a->threads, "Threads to use; the result does not depend on it")->type_name("N")
        ->check(CLI::NonNegativeNumber.description(""));
    command->add_option("--name", a->metadata.name, "The model's name (default: that of its file)")->type_name("TEXT");
    command->add_option("--author", a->metadata.author, "Who made it")->type_name("TEXT");
    command->add_option("--license", a->metadata.license, "Under what terms others may use it")->type_name("TEXT");
    command->add_option("--description", a->metadata.description, "What others should know")->type_name("TEXT");
    command->add_option("--config", a->config_json, "For experiments: changes the preset's model, as {\"tiers\": [...]}")
        ->type_name("JSON");
    command->add_option("--schedule", a->schedule_json, "Likewise the training, as {\"rate\": 0.002}")->type_name("JSON");
    command->callback([a] { run(*a); });
    return command;
}
