// SPDX-License-Identifier: GPL-3.0-or-later
// serpent convert: a .nam capture as a model of Serpent's own, which learns from what the capture plays.
#include "commands.h"
#include "interrupt.h"
#include "model_argument.h"
#include "one_of.h"
#include "train_command.h"

#include "serpent/audio_file.h"
#include "serpent/capture.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"
#include "serpent/nam.h"
#include "serpent/render_file.h"
#include "serpent/stream.h"
#include "serpent/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>

namespace fs = std::filesystem;

namespace {

constexpr const char* footer =
    "Examples:\n"
    "  serpent convert amp.nam -o amp.safetensors\n"
    "  serpent convert amp.nam -o amp.safetensors --minutes 15 --with guitar.wav --with bass.wav\n"
    "  serpent convert captures -o models            all the captures of a folder; those that are done are skipped\n"
    "\n"
    "The capture plays the signal of `serpent signal` and every recording given, and a model is trained on that, as `serpent\n"
    "train` would. At the end stand the error against the capture and what both cost. A conversion that was stopped goes on\n"
    "when the same command is given again. With --force it starts over, and in a folder nothing is skipped.\n";

struct Arguments {
    fs::path input, output;
    std::vector<fs::path> recordings;
    std::optional<double> size;
    double signal_s = serpent::capture_signal_default_s;
    bool force = false;
    TrainArguments training;
};

using SharedModel = std::shared_ptr<const serpent::Model>;

/// A new folder beside `output`, gone when the work is done. One that is there already belongs to somebody else.
class WorkFolder {
public:
    explicit WorkFolder(const fs::path& output) {
        for (int i = 1;; ++i) {
            path_ = output.string() + ".signals-" + std::to_string(i);
            std::error_code error;
            if (fs::create_directory(path_, error)) return;
            if (error && !fs::exists(path_)) throw serpent::Error("cannot create the folder " + path_.string() + ": " + error.message());
        }
    }
    ~WorkFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;

    fs::path operator/(const std::string& name) const { return path_ / name; }

private:
    fs::path path_;
};

/// Where nothing is there yet to go on with.
void stop_if_interrupted() {
    if (interrupted()) throw serpent::Interrupted("interrupted before the training began; the same command begins again");
}

/// Writes `dry` and what `teacher` plays of it.
void write_take(const SharedModel& teacher, const serpent::AudioBuffer& dry, const fs::path& dry_path, const fs::path& wet_path,
                int threads) {
    stop_if_interrupted();
    serpent::RendererOptions options;
    options.threads = threads;
    serpent::write_audio(dry_path, dry, serpent::Subtype::float32);
    serpent::write_audio(wet_path, serpent::render_audio(teacher, dry, options), serpent::Subtype::float32);
}

/// The signal alone as a pair, or with the recordings as takes without controls.
void write_signals(const Arguments& a, const SharedModel& teacher, const WorkFolder& folder, TrainArguments& training) {
    const int rate = teacher->config.sample_rate;
    const auto channels = static_cast<std::size_t>(teacher->config.channels);
    serpent::AudioBuffer signal{rate, {}, serpent::Subtype::float32};
    signal.channels.assign(channels, serpent::capture_signal(rate, a.signal_s));
    std::cerr << "playing " << a.signal_s << " s of signal through the capture...\n";
    write_take(teacher, signal, folder / "dry.wav", folder / "wet.wav", training.threads);
    if (a.recordings.empty()) {
        training.dry = folder / "dry.wav", training.wet = folder / "wet.wav";
        return;
    }
    nlohmann::json takes = {{"takes", {{{"dry", "dry.wav"}, {"wet", "wet.wav"}}}}};
    for (std::size_t i = 0; i < a.recordings.size(); ++i) {
        serpent::AudioBuffer recording = serpent::read_audio(a.recordings[i]);
        if (recording.sample_rate != rate)
            throw serpent::Error(a.recordings[i].string() + " is at " + std::to_string(recording.sample_rate) + " Hz, the capture at " +
                                 std::to_string(rate) + "; give recordings at the capture's rate");
        recording.channels.resize(channels, recording.channels.front());
        const std::string dry = "dry" + std::to_string(i) + ".wav", wet = "wet" + std::to_string(i) + ".wav";
        write_take(teacher, recording, folder / dry, folder / wet, training.threads);
        takes["takes"].push_back({{"dry", dry}, {"wet", wet}});
    }
    training.takes = folder / "takes.json";
    std::ofstream(training.takes) << takes.dump();
}

/// The teacher's card, and what was made of it.
void carry_card_over(const serpent::Model& teacher, const fs::path& file, serpent::Metadata& card) {
    const serpent::Metadata& from = teacher.metadata;
    const auto keep = [](std::string& to, const std::string& own) { if (to.empty()) to = own; };
    keep(card.name, from.name), keep(card.author, from.author), keep(card.gear, from.gear), keep(card.license, from.license);
    keep(card.description, "Converted from " + serpent::valid_utf8(file.filename().string()) +
                               (teacher.nam ? " (" + teacher.nam->architecture + ", " + teacher.nam->layout + ")" : ""));
    card.input_level_dbu = from.input_level_dbu;
    card.other = from.other;
}

/// Nanoseconds of a sample in blocks of 64: the best of many.
double cost_ns(const SharedModel& model) {
    using Clock = std::chrono::steady_clock;
    constexpr int block = 64, calls = 50, rounds = 40;
    serpent::Stream stream(model);
    stream.prepare(model->config.sample_rate, block);
    std::vector<float> samples(block, 0.1f), out(block);
    const std::vector<const float*> from(static_cast<std::size_t>(stream.channels()), samples.data());
    std::vector<std::vector<float>> channels(from.size(), out);
    std::vector<float*> to;
    for (auto& channel : channels) to.push_back(channel.data());
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < rounds; ++round) {
        const auto begin = Clock::now();
        for (int i = 0; i < calls; ++i) stream.process(from.data(), to.data(), block);
        best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - begin).count() / (calls * block));
    }
    return best;
}

bool holds_something(const fs::path& path) {
    std::error_code none_there;
    return fs::is_regular_file(path, none_there) && fs::file_size(path, none_there) > 0;
}

void convert(const Arguments& a, const fs::path& input, const fs::path& output) {
    const SharedModel teacher = at_size(load_model(input, "serpent convert", {}), a.size);
    TrainArguments training = a.training;
    training.files.model = output, training.files.force = a.force;
    training.files.resumes_unasked = true;
    training.files.resume = !a.force && holds_something(training.files.checkpoint());
    training.data.latency_samples = 0;
    carry_card_over(*teacher, input, training.metadata);
    std::vector<fs::path> inputs = a.recordings;
    inputs.push_back(input);
    training.files.check(inputs);
    if (a.force && (holds_something(output) || holds_something(training.files.checkpoint())))
        std::cerr << "starting over: --force replaces what there is of " << output.string() << '\n';
    const WorkFolder folder(output);
    write_signals(a, teacher, folder, training);
    stop_if_interrupted();
    train(training);
    if (interrupted() && holds_something(training.files.checkpoint()))
        throw serpent::Interrupted("interrupted; " + training.files.resuming_command() + " goes on");
    const auto model = std::make_shared<const serpent::Model>(serpent::Model::load(output));
    std::printf("%-32s %.0f ns a sample in blocks of 64; the capture takes %.0f\n", "cost", cost_ns(model), cost_ns(teacher));
    std::fflush(stdout);
}

std::vector<fs::path> captures_in(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
        if (entry.is_regular_file() && serpent::kind_of_file(entry.path()).is_nam()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    if (files.empty()) throw serpent::Error("there is no .nam capture in " + folder.string());
    return files;
}

/// What is made of each of `files`; no two of them may become one.
std::vector<fs::path> outputs_of(const std::vector<fs::path>& files, const fs::path& folder) {
    std::vector<fs::path> outputs;
    std::map<fs::path, fs::path> made_of;
    for (const fs::path& file : files) {
        outputs.push_back(folder / (file.stem().string() + ".safetensors"));
        const auto [other, is_new] = made_of.emplace(outputs.back(), file);
        if (!is_new)
            throw serpent::Error(other->second.string() + " and " + file.string() + " would both become " + outputs.back().string() +
                                 "; rename one of them");
    }
    return outputs;
}

void convert_folder(const Arguments& a) {
    const std::vector<fs::path> files = captures_in(a.input), outputs = outputs_of(files, a.output);
    std::error_code error;
    fs::create_directories(a.output, error);
    if (error) throw serpent::Error("cannot create the folder " + a.output.string() + ": " + error.message());
    std::size_t failed = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const fs::path &file = files[i], &output = outputs[i];
        if (interrupted())
            throw serpent::Interrupted(std::string("interrupted; the same command ") + (a.force ? "without --force " : "") + "goes on");
        TrainingFiles known;
        known.model = output;
        if (!a.force && fs::exists(output, error) && !fs::exists(known.checkpoint(), error)) {
            std::cerr << output.string() << " is there already\n";
            continue;
        }
        std::cerr << "\n" << file.string() << '\n';
        try {
            convert(a, file, output);
        } catch (const serpent::Interrupted&) {
            throw;
        } catch (const serpent::Error& problem) {
            std::cerr << "serpent: " << problem.what() << '\n';
            ++failed;
        }
    }
    if (failed > 0) throw serpent::Error(std::to_string(failed) + " of " + std::to_string(files.size()) + " captures were not converted");
}

void run(const Arguments& a) {
    watch_interrupts();
    std::error_code none_there;
    if (fs::is_directory(a.input, none_there)) return convert_folder(a);
    convert(a, a.input, a.output);
}

} // namespace

CLI::App* add_convert_command(CLI::App& app) {
    const auto a = std::make_shared<Arguments>();
    TrainArguments& t = a->training;
    CLI::App* command = app.add_subcommand("convert", "Train a model of Serpent's own on what a .nam capture plays");
    command->footer(footer);
    command->add_option("CAPTURE", a->input, "The capture, or a folder of them")->required()->type_name("");
    command->add_option("-o,--output", a->output, "The model to write, or the folder for many (created if missing)")
        ->required()->type_name("MODEL|DIR");
    command->add_option("--with", a->recordings, "A recording to play through it too; may be given several times")
        ->type_name("FILE")
        ->allow_extra_args(false);
    add_size_option(*command, a->size);
    command->add_option("--seconds", a->signal_s, "How long the signal is that it plays (default 180)")->type_name("S");
    command->add_option("--preset", t.preset, "nano, standard (the default) or max")->type_name("NAME")
        ->check(one_of({"nano", "standard", "max"}));
    command->add_option("--minutes", t.minutes, "How long to train (default 10)")->type_name("M")->check(CLI::PositiveNumber.description(""));
    command->add_option("--seed", t.seed, "Another number gives another, equally good model")->type_name("N");
    command->add_option("--threads", t.threads, "Threads to use; the result does not depend on it")->type_name("N")
        ->check(CLI::NonNegativeNumber.description(""));
    command->add_option("--device", t.device, "Where to train: auto (default: a GPU where there is one), cpu or cuda")->type_name("NAME")
        ->check(one_of({"auto", "cpu", "cuda"}));
    command->add_flag("--force", a->force, "Start over where there is a model or a conversion that was stopped, and replace it");
    command->add_flag("--no-report", t.files.no_report, "Write no report");
    command->callback([a] { run(*a); });
    return command;
}
