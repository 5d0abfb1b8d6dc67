// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "one_of.h"
#include "thread_note.h"
#include "train_command.h"
#include "train_outcome.h"
#include "training_run.h"

#include "serpent/errors.h"
#include "serpent/kernels/device.h"
#include "serpent/takes.h"
#include "serpent/training_data.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace fs = std::filesystem;

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  serpent signal -o dry.wav                        a signal to play through the gear while recording it\n"
    "  serpent train dry.wav wet.wav -o amp.safetensors --minutes 10\n"
    "  serpent train dry.wav wet.wav -o comp.safetensors --memory 2      a compressor that lets go within 2 s\n"
    "  serpent train dry.wav wet.wav -o amp.safetensors --resume       goes on where Ctrl-C or a power cut ended it\n"
    "  serpent train --takes knobs.json -o pedal.safetensors           one model with knobs\n"
    "\n"
    "Dry is what went into the gear, wet what came out, same rate, at least some seconds, better three minutes. The delay\n"
    "of the recording is found and removed. Beside the model appears a report, MODEL.html: look and listen before you\n"
    "keep it. Play as loud as you will later: louder than the recordings, a model rounds off, and stays within 6 dB of\n"
    "their peak. What the training needs to know of the gear it finds out: whether it rides its gain, as compressors do, and\n"
    "how long it remembers. Presets: nano (3 layers) is the cheapest to play, standard has 6, max 12.\n";

serpent::Device device_of(const TrainArguments& a) {
    return a.device == "cpu" ? serpent::Device::cpu : a.device == "cuda" ? serpent::Device::cuda : serpent::Device::automatic;
}

serpent::TrainOptions options_of(const TrainArguments& a) {
    serpent::TrainOptions options = serpent::train_preset(a.preset);
    options.seed = a.seed;
    options.threads = a.threads;
    options.device = device_of(a);
    return options;
}

/// A model with a filter at its output can be as late as the gear rings ahead.
serpent::TrainingData load_data(const TrainArguments& a) {
    constexpr int longest_own_latency_samples = 128;
    serpent::TrainingDataOptions data = a.data;
    serpent::TrainOptions options = options_of(a);
    if (a.memory_s) set_memory(options, *a.memory_s);
    if (!a.config_json.empty()) override_config(options, a.config_json);
    data.own_latency_samples = std::min(longest_own_latency_samples, options.config.fir_out / 2);
    if (!a.takes.empty()) {
        if (!a.dry.empty()) throw serpent::Error("give either DRY and WET or --takes FILE, not both");
        return serpent::load_takes(serpent::TakesFile::load(a.takes), data);
    }
    if (a.dry.empty() || a.wet.empty()) throw serpent::Error("give a DRY and a WET recording, or --takes FILE.json");
    std::optional<std::pair<fs::path, fs::path>> valid;
    if (!a.valid.empty()) valid = {a.valid[0], a.valid[1]};
    return serpent::load_pair(a.dry, a.wet, valid, data);
}

/// `trainer`, before its first update, from the one of its starts that a short trial likes best. Stopped meanwhile, it comes back as it is:
/// its checkpoint, which is there already, begins with the trial again.
serpent::Trainer from_best_start(serpent::Trainer trainer, const TrainArguments& a, const std::shared_ptr<const serpent::TrainingSet>& set) {
    serpent::TrainOptions options = trainer.options();
    if (serpent::start_updates(options.schedule) < 1) return trainer;
    trainer.save_checkpoint(a.files.checkpoint());
    watch_interrupts();
    Progress progress("choosing a start");
    const serpent::Starts starts = serpent::try_starts(set, options, [&](double share) {
        progress.update(std::min(share, 1.0));
        return !interrupted();
    });
    if (!starts.finished) return trainer;
    if (!starts.valid_esr.empty()) {
        std::ostringstream text;
        text << "  start: the closest of " << starts.valid_esr.size() << " after " << starts.updates << " updates each (validation ESR" << std::setprecision(3);
        for (const double esr : starts.valid_esr) text << ' ' << esr;
        progress.note(text.str() + ")");
    }
    options.seed = starts.seed;
    options.threads = a.threads;
    options.schedule.starts = 1;  // chosen
    return serpent::Trainer(set, options);
}

/// A new run with its number of steps decided, or the one that the checkpoint holds.
serpent::Trainer make_trainer(const TrainArguments& a, const std::shared_ptr<const serpent::TrainingSet>& set) {
    if (a.files.resume) {
        serpent::Trainer trainer = serpent::Trainer::resume(set, a.files.checkpoint(), a.threads, device_of(a));
        tell_resumed(trainer);
        return trainer.steps_done() == 0 ? from_best_start(std::move(trainer), a, set) : std::move(trainer);
    }
    serpent::TrainOptions options = options_of(a);
    if (a.memory_s) set_memory(options, *a.memory_s);
    else for (const std::string& note : suit_to_gear(options, *set)) std::cerr << "  " << note << '\n';
    if (!a.config_json.empty()) override_config(options, a.config_json);
    if (!a.schedule_json.empty()) override_schedule(options, a.schedule_json);
    if (a.epochs) {
        std::size_t samples = 0;
        for (const serpent::TrainingTake& take : set->train) samples += take.dry.front().size();
        const auto& k = options.schedule;
        const double per_step = k.lanes * (k.segment * (1 - k.late_share) + k.late_segment * k.late_share);
        options.schedule.steps = std::max<std::int64_t>(1, std::llround(std::min(*a.epochs * double(samples) / per_step, 1e12)));
    }
    serpent::Trainer trainer(set, options);
    decide_length(trainer, a.minutes, 10.0, a.epochs || gives_steps(a.schedule_json));
    return from_best_start(std::move(trainer), a, set);
}

std::string figures(const serpent::Trainer& t) {
    if (t.curve().empty()) return {};
    char text[96];
    std::snprintf(text, sizeof text, "epoch %.1f  validation ESR %.3g  best %.3g", t.curve().back().epoch,
                  t.curve().back().valid_esr, t.best_valid_esr());
    return text;
}

std::vector<fs::path> inputs_of(const TrainArguments& a) {
    std::vector<fs::path> inputs{a.dry, a.wet, a.takes};
    inputs.insert(inputs.end(), a.valid.begin(), a.valid.end());
    if (a.takes.empty()) return inputs;
    const serpent::TakesFile file = serpent::TakesFile::load(a.takes);
    for (const auto* list : {&file.takes, &file.valid, &file.test})
        for (const serpent::Take& take : *list) inputs.insert(inputs.end(), {take.dry, take.wet});
    return inputs;
}

} // namespace

void train(const TrainArguments& a) {
    if (a.device == "cuda" && !serpent::kernels::device_status().available)
        throw serpent::Error("--device cuda: " + serpent::kernels::device_status().description + "; use --device cpu or leave it out");
    if (!a.valid.empty() && !a.takes.empty()) throw serpent::Error("--valid goes with DRY and WET; put a \"valid\" list into the takes file");
    a.files.check(inputs_of(a));
    const serpent::TrainingData data = load_data(a);
    for (const std::string& note : data.notes) std::cerr << "  " << note << '\n';
    serpent::Trainer trainer = make_trainer(a, data.set);
    if (trainer.device() != "cpu") std::cerr << "training on " << trainer.device() << '\n';
    else if (const std::string note = thread_note(a.threads, trainer.threads()); !note.empty()) std::cerr << note << '\n';
    watch_interrupts();
    const std::int64_t steps_before = trainer.steps_done();
    const TrainingRun run = run_training(trainer, a.files, figures);
    if (!run.finished && trainer.steps_done() == 0) {
        if (!a.files.resumes_unasked)
            std::cerr << "stopped before the first update: there is no model yet; " << a.files.resuming_command() << " goes on\n";
        return;
    }
    const TrainOutcome outcome = assess(trainer, data, run.wall_s, a.metadata, a.files.model, command_line());
    conclude_training(
        outcome, a.files, run, [&] { return is_as_good(outcome, a.files.model, data); },
        [&] { print_outcome(outcome, trainer, trainer.steps_done() - steps_before, run.wall_s); },
        [&](const fs::path& report) { write_train_report(report, outcome, trainer, data, command_line()); });
}

CLI::App* add_train_command(CLI::App& app) {
    const auto a = std::make_shared<TrainArguments>();
    CLI::App* command = app.add_subcommand("train", "Turn a dry and a wet recording of a device into a model");
    command->footer(std::string(examples) + training_files_help);
    command->add_option("DRY", a->dry, "What went into the device")->type_name("");
    command->add_option("WET", a->wet, "What came out of it")->type_name("");
    command->add_option("--takes", a->takes, "Several takes of one device at named knob settings (JSON)")->type_name("FILE");
    command->add_option("--valid", a->valid, "Another pair, to choose the best weights by; else the end of the recording")
        ->expected(2)->type_name("DRY WET");
    add_training_file_options(*command, a->files);
    command->add_option("--preset", a->preset, "nano, standard (the default) or max")->type_name("NAME")
        ->check(one_of(serpent::train_preset_names()));
    command->add_option("--memory", a->memory_s,
                        "How many seconds the device remembers, a compressor's release, say (default: found out)")
        ->type_name("S");
    auto* minutes = command->add_option("--minutes", a->minutes, "How long to train (default 10); steps are fixed at the start")
        ->type_name("M")->check(CLI::PositiveNumber.description(""));
    command->add_option("--epochs", a->epochs, "How often to go through the recording instead")
        ->type_name("N")->check(CLI::PositiveNumber.description(""))->excludes(minutes);
    command->add_option("--latency", a->data.latency_samples, "Delay of the wet in samples; else it is found")->type_name("N");
    command->add_flag("--repair", a->data.repair, "Even out what two clocks drifted apart, and leave out what lies round dropouts");
    command->add_option("--seed", a->seed, "Another number gives another, equally good model")->type_name("N");
    command->add_option("--threads", a->threads, "Threads to use; the result does not depend on it")->type_name("N")
        ->check(CLI::NonNegativeNumber.description(""));
    command->add_option("--device", a->device, "Where to train: auto (default: a GPU where there is one), cpu or cuda")->type_name("NAME")
        ->check(one_of({"auto", "cpu", "cuda"}));
    command->add_option("--name", a->metadata.name, "The model's name (default: that of its file)")->type_name("TEXT");
    command->add_option("--author", a->metadata.author, "Who made it")->type_name("TEXT");
    command->add_option("--license", a->metadata.license, "Under what terms others may use it")->type_name("TEXT");
    command->add_option("--gear", a->metadata.gear, "What was captured")->type_name("TEXT");
    command->add_option("--description", a->metadata.description, "What others should know")->type_name("TEXT");
    command->add_option("--config", a->config_json, "For experiments: changes the preset's model, as {\"d_state\": 8}")
        ->type_name("JSON");
    command->add_option("--schedule", a->schedule_json, "Likewise the training, as {\"rate\": 0.002}")->type_name("JSON");
    command->callback([a] { train(*a); });
    return command;
}
