// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "interrupt.h"
#include "one_of.h"
#include "outputs.h"
#include "progress.h"
#include "sampling_options.h"
#include "shipped_models.h"
#include "thread_note.h"

#include "serpent/audio_file.h"
#include "serpent/errors.h"
#include "serpent/output_file.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <system_error>
#include <thread>

namespace fs = std::filesystem;

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  serpent generate voice.safetensors -o babble.wav --seconds 10\n"
    "  serpent generate voice.safetensors -o seven.wav --condition digit=7 --condition speaker=lucas\n"
    "  serpent generate voice.safetensors -o answer.wav --prompt question.wav --seed 3      goes on where the prompt ends\n"
    "  serpent generate voice.safetensors -o takes.wav --count 8 --temperature 0.9          takes-1.wav to takes-8.wav\n"
    "\n"
    "The audio is mono, at the model's rate ('serpent info MODEL' tells it). The same model, options and processor give the\n"
    "same samples. Wilder or tamer: --temperature; fewer accidents: --top-p 0.95.\n";

struct Arguments {
    std::string model;
    fs::path output, prompt;
    double seconds = 5.0;
    int count = 1, threads = 0;
    bool keep_prompt = false;
    std::string subtype = "pcm16";
    SamplingArguments sampling;
};

constexpr int chunk_samples = 512;

/// "takes.wav" and 3: "takes-3.wav".
fs::path numbered(const fs::path& path, int number) {
    fs::path name = path.stem();
    name += "-" + std::to_string(number);
    name += path.extension();
    return path.parent_path() / name;
}

struct Job {
    const Arguments& a;
    std::shared_ptr<const serpent::GeneratorModel> model;
    std::vector<float> prompt;
    std::size_t samples;
    std::atomic<std::uint64_t> made{0};
    std::atomic<int> next{0}, restarts{0};

    /// Audio of one file, or none when interrupted.
    std::vector<float> generate(int index) {
        serpent::GeneratorOptions options = generator_options(a.sampling, *model);
        options.seed += static_cast<std::uint64_t>(index);
        serpent::Generator generator(model, options);
        generator.prime(prompt.data(), static_cast<int>(prompt.size()));
        std::vector<float> audio = a.keep_prompt ? prompt : std::vector<float>();
        const std::size_t first = audio.size();
        audio.resize(first + samples);
        for (std::size_t t = 0; t < samples && !interrupted(); t += chunk_samples) {
            const int n = static_cast<int>(std::min<std::size_t>(chunk_samples, samples - t));
            generator.generate(audio.data() + first + t, n);
            made += static_cast<std::uint64_t>(n);
        }
        restarts += generator.restarts();
        return audio;
    }

    fs::path output(int index) const { return a.count > 1 ? numbered(a.output, index + 1) : a.output; }

    void work() {
        for (int index; (index = next++) < a.count && !interrupted();) {
            std::vector<float> audio = generate(index);
            if (interrupted()) return;
            const fs::path path = output(index);
            const serpent::AudioFormat format =
                serpent::closest_format(path, {model->config.sample_rate, 1, *serpent::subtype_from_name(a.subtype)});
            serpent::AudioBuffer buffer{format.sample_rate, {std::move(audio)}, format.subtype};
            serpent::write_audio(path, buffer, format.subtype);
        }
    }
};

void run(const Arguments& a) {
    if (fs::is_directory(a.output)) throw serpent::Error(a.output.string() + " is a folder; -o names the audio file to write");
    Job job{a, load_generator(a.model), {}, 0};
    if (!a.prompt.empty()) {
        std::string note;
        job.prompt = serpent::read_mono(a.prompt, job.model->config.sample_rate, nullptr, &note);
        if (!note.empty()) std::cerr << "note: " << note << '\n';
    }
    if (a.keep_prompt && a.prompt.empty()) throw serpent::Error("--keep-prompt goes with --prompt FILE");
    job.samples = static_cast<std::size_t>(std::llround(a.seconds * job.model->config.sample_rate));
    (void)generator_options(a.sampling, *job.model);  // mistakes first
    (void)serpent::closest_format(a.output, {job.model->config.sample_rate, 1, *serpent::subtype_from_name(a.subtype)});
    for (int i = 0; i < a.count; ++i) {
        require_no_input(job.output(i), {a.model, a.prompt});
        serpent::require_output(job.output(i), job.samples);  // a byte a sample or more
    }

    watch_interrupts();
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const int threads = std::min(a.count, a.threads > 0 ? a.threads : cores);
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(threads));
    std::vector<std::thread> team;
    team.reserve(static_cast<std::size_t>(threads));
    std::atomic<int> running{0};
    const auto begin = std::chrono::steady_clock::now();
    const auto work = [&](int i) {
        try {
            job.work();
        } catch (...) {
            errors[static_cast<std::size_t>(i)] = std::current_exception();
            job.next = a.count;
        }
        --running;
    };
    for (int i = 0; i < threads; ++i) {
        ++running;
        try {
            team.emplace_back(work, i);
        } catch (const std::exception&) {  // the system gives no more threads: fewer do it, at the least this one
            if (const std::string note = thread_note(threads, std::max(1, i)); !note.empty()) std::cerr << note << '\n';
            if (team.empty()) work(i);
            else --running;
            break;
        }
    }
    {
        Progress progress("generating");
        const double total = double(job.samples) * a.count;
        while (running > 0) {
            progress.update(std::min(1.0, double(job.made) / std::max(1.0, total)));
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    for (std::thread& t : team) t.join();
    for (const std::exception_ptr& error : errors)
        if (error) std::rethrow_exception(error);
    if (interrupted()) throw serpent::Error("interrupted; what was not finished was not written");
    const double wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double audio_s = double(job.samples) * a.count / job.model->config.sample_rate;
    std::fprintf(stderr, "%.1f s of audio in %.1f s, %.1f times real time\n", audio_s, wall_s, audio_s / wall_s);
    if (job.restarts > 0)
        std::fprintf(stderr, "the guard started over %d times because the model ran away\n", job.restarts.load());
}

} // namespace

CLI::App* add_generate_command(CLI::App& app) {
    const auto a = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("generate", "Let a generator make audio of its own, or go on with a recording");
    command->footer(examples);
    command->add_option("MODEL", a->model, "A generator, as 'serpent train-generator' makes them")->required()
        ->transform(shipped_model())->type_name("");
    command->add_option("-o,--output", a->output, "The audio file to write")->required()->type_name("FILE");
    command->add_option("--seconds", a->seconds, "How long (default 5)")
        ->type_name("S")->check(CLI::Range(0.001, 86400.0).description(""));
    command->add_option("--prompt", a->prompt, "A recording that the model hears first, and goes on with")->type_name("FILE");
    command->add_flag("--keep-prompt", a->keep_prompt, "Put the prompt, as the model heard it, in front of the output");
    command->add_option("--count", a->count, "Make N files, with seeds from --seed on, on all cores")
        ->type_name("N")->check(CLI::Range(1, 100000).description(""));
    add_sampling_options(*command, a->sampling);
    command->add_option("--threads", a->threads, "Threads for several files")->type_name("N")
        ->check(CLI::NonNegativeNumber.description(""));
    command->add_option("--subtype", a->subtype, "pcm16 (the default), pcm24, pcm32, float or double")->type_name("NAME")
        ->check(one_of({"pcm16", "pcm24", "pcm32", "float", "double"}));
    command->callback([a] { run(*a); });
    return command;
}
