// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "control_option.h"
#include "interrupt.h"
#include "live/audio_device.h"
#include "live/show.h"
#include "model_argument.h"
#include "one_of.h"
#include "sampling_options.h"
#include "shipped_models.h"

#include "serpent/errors.h"
#include "serpent/live.h"
#include "serpent/nam.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <thread>

namespace fs = std::filesystem;

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  serpent live amp.safetensors                                an effect: play through the model\n"
    "  serpent live voice.safetensors                              a generator: say something, and it answers\n"
    "  serpent live voice.safetensors --mode together --listen 0.3 it plays all the time, and is led by what it hears\n"
    "  serpent live amp.safetensors --input 'USB' --input-channel 2 --block 64 --record session.wav\n"
    "\n"
    "'serpent devices' lists what --input and --output may name. Use headphones: what the loudspeaker plays, the\n"
    "microphone hears. Keys are on the screen; --no-ui prints what happens, one line each, for logs.\n";

struct Arguments {
    std::string model, mode = "auto";
    AudioStreamOptions audio;
    unsigned int input_channel = 1, output_channel = 1, inputs = 0, outputs = 0;  // 0: as many as fit
    serpent::LiveOptions live;
    SamplingArguments sampling;
    std::vector<std::string> controls;
    double gain_db = 0;
    fs::path record;
    std::optional<double> seconds, ahead_ms, size;
    bool no_ui = false, scale_rate = false;
};

/// What the generator's steps take on this machine.
struct StepTimes {
    double mean_s = 0, slow_s = 0;  ///< slow: one in a hundred takes longer
};
StepTimes step_times(const std::shared_ptr<const serpent::GeneratorModel>& model, const serpent::GeneratorOptions& options) {
    using Clock = std::chrono::steady_clock;
    serpent::Generator generator(model, options);
    for (int t = 0; t < 200; ++t) (void)generator.next();
    std::vector<double> times(static_cast<std::size_t>(model->config.sample_rate / 8));
    StepTimes found;
    for (double& time : times) {
        const auto begin = Clock::now();
        (void)generator.next();
        time = std::chrono::duration<double>(Clock::now() - begin).count();
        found.mean_s += time / double(times.size());
    }
    std::ranges::sort(times);
    found.slow_s = times[times.size() * 99 / 100];
    return found;
}

/// How far ahead the generator works on a thread of its own: not at all when the dearest block leaves half of its time.
double suitable_ahead_s(const StepTimes& step, double model_rate_hz, double rate_hz, double block) {
    const double block_s = block / rate_hz, steps = std::ceil(block_s * model_rate_hz);
    const double dearest_s = steps * step.mean_s + (step.slow_s - step.mean_s);
    return dearest_s < 0.5 * block_s ? 0.0 : std::max(0.005, 2 * block_s);
}

/// A session, and what decides how far ahead it works.
struct Loaded {
    std::unique_ptr<serpent::LiveSession> session;
    StepTimes step;
    double model_rate_hz = 0;  ///< generators
    int channels = 1;          ///< effects
};

Loaded load_generator_session(const Arguments& a, serpent::LiveOptions options) {
    const auto model = load_generator(a.model);
    if (a.mode == "effect") throw serpent::Error(a.model + " is a generator; its modes are answer and together");
    if (!a.controls.empty()) throw serpent::Error("--control goes with effect models; a generator has --condition");
    options.mode = a.mode == "together" ? serpent::LiveMode::together : serpent::LiveMode::answer;
    options.generator = generator_options(a.sampling, *model);
    const StepTimes step = step_times(model, options.generator);
    const double rate_hz = model->config.sample_rate, speed = 1 / (step.mean_s * rate_hz);
    if (speed < 1.2)
        throw serpent::Error("this machine makes " + a.model + "'s audio only " + std::to_string(speed) +
                             " times as fast as it must be played; use a smaller model");
    std::fprintf(stderr, "the model runs %.1f times faster than real time here\n", speed);
    return {std::make_unique<serpent::LiveSession>(model, options), step, rate_hz};
}

Loaded load_effect_session(const Arguments& a, serpent::LiveOptions options) {
    serpent::Model model = serpent::Model::load(a.model);
    if (a.size) model = serpent::nam_at_size(model, *a.size);
    if (a.mode != "auto" && a.mode != "effect") throw serpent::Error(a.model + " is an effect; --mode " + a.mode + " needs a generator");
    const std::vector<float> values = control_values(model, a.controls);
    for (std::size_t i = 0; i < values.size(); ++i) model.config.controls[i].default_value = values[i];
    options.stream.rate_mode = a.scale_rate ? serpent::RateMode::scale_dt : serpent::RateMode::resample;
    const auto shared = std::make_shared<const serpent::Model>(std::move(model));
    return {std::make_unique<serpent::LiveSession>(shared, options), {}, 0, shared->config.channels};
}

/// Says what was recorded; returns why that is not all.
std::optional<std::string> finish(Recorder& recorder) {
    recorder.finish();
    std::fprintf(stderr, "recorded %.1f s to %s\n", recorder.seconds(), recorder.path().c_str());
    if (const auto trouble = recorder.trouble()) return *trouble + "; the recording ends there";
    if (recorder.lost_samples() == 0) return std::nullopt;
    return "the disk was too slow: " + std::to_string(recorder.lost_samples()) + " samples are missing from " +
           recorder.path().string();
}

void perform(const Arguments& a, Loaded& loaded, AudioStream& stream) {
    double ahead_s = 0;
    if (loaded.model_rate_hz > 0)
        ahead_s = a.ahead_ms ? *a.ahead_ms / 1000
                             : suitable_ahead_s(loaded.step, loaded.model_rate_hz, stream.rate_hz(), stream.block());
    if (ahead_s > 0) std::fprintf(stderr, "the model works on a thread of its own, %.1f ms ahead\n", 1000 * ahead_s);
    serpent::LiveSession& session = *loaded.session;
    session.prepare(stream.rate_hz(), static_cast<int>(stream.block()), static_cast<int>(stream.inputs()),
                    static_cast<int>(stream.outputs()), ahead_s);
    session.set_gain_db(a.gain_db);
    Performance performance{session, stream, CallbackFigures(stream.rate_hz()), nullptr};
    if (!a.record.empty()) performance.recorder = std::make_unique<Recorder>(a.record, static_cast<int>(stream.rate_hz()));
    watch_interrupts();
    const std::optional<std::string> trouble = play(
        performance, [&](Performance& p) { return a.no_ui ? log_until_over(p, a.seconds) : show_until_over(p, a.seconds); });
    const std::optional<std::string> incomplete = performance.recorder ? finish(*performance.recorder) : std::nullopt;
    if (trouble && incomplete) std::fprintf(stderr, "serpent: %s\n", incomplete->c_str());
    if (trouble || incomplete) throw serpent::Error(trouble ? *trouble : *incomplete);
}

void run(Arguments a) {
    if (fs::is_directory(a.record)) throw serpent::Error(a.record.string() + " is a folder; --record names the file to write");
    a.audio.first_input = a.input_channel - 1;
    a.audio.first_output = a.output_channel - 1;
    Loaded loaded = serpent::is_generator(a.model) ? load_generator_session(a, a.live) : load_effect_session(a, a.live);
    a.audio.inputs = a.inputs > 0 ? a.inputs : static_cast<unsigned int>(loaded.channels);
    a.audio.outputs = a.outputs;
    AudioStream stream(a.audio);
    std::fprintf(stderr, "%s, %u Hz, blocks of %u\n", stream.description().c_str(), stream.rate_hz(), stream.block());
    perform(a, loaded, stream);
}

void add_audio_options(CLI::App& command, Arguments& a) {
    command.add_option("--api", a.audio.api, "jack, pulse or alsa; else the first that has a device")->type_name("NAME");
    command.add_option("--input", a.audio.input, "The microphone's device: number, name or part of it")->type_name("DEV");
    command.add_option("--output", a.audio.output, "The loudspeaker's, likewise")->type_name("DEV");
    command.add_option("--input-channel", a.input_channel, "First channel of the input to use (default 1)")
        ->type_name("N")->check(CLI::Range(1, 1024).description(""));
    command.add_option("--output-channel", a.output_channel, "First channel of the output to use (default 1)")
        ->type_name("N")->check(CLI::Range(1, 1024).description(""));
    command.add_option("--inputs", a.inputs, "Input channels (default: as many as the model has)")->type_name("N")
        ->check(CLI::Range(1, 64).description(""));
    command.add_option("--outputs", a.outputs, "Output channels (default: 2, or 1 where the device has one left)")
        ->type_name("N")->check(CLI::Range(1, 64).description(""));
    command.add_option("--rate", a.audio.rate_hz, "The device's sample rate (default: its own); the model's is bridged")
        ->type_name("HZ")->check(CLI::Range(1000, 768000).description(""));
    command.add_option("--block", a.audio.block, "Samples per block, as a wish (default 256)")->type_name("N")
        ->check(CLI::Range(8, 8192).description(""));
    command.add_option("--client-name", a.audio.client_name, "Our name in JACK's graph (default serpent)")->type_name("NAME");
}

} // namespace

CLI::App* add_live_command(CLI::App& app) {
    const auto a = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("live", "Play through a model, or with one, from microphone to loudspeaker");
    command->footer(examples);
    command->add_option("MODEL", a->model, "An effect or a generator")->required()->transform(shipped_model())->type_name("");
    command->add_option("--mode", a->mode, "effect; answer (a generator's default) or together")->type_name("NAME")
        ->check(one_of({"auto", "effect", "answer", "together"}));
    add_audio_options(*command, *a);
    command->add_option("--gate", a->live.gate_db, "answer: level at which a phrase begins (default -40)")->type_name("DBFS")
        ->check(CLI::Range(-100.0, 0.0).description(""));
    command->add_option("--hold", a->live.gate_hold_s, "answer: silence that ends a phrase (default 0.3)")->type_name("S")
        ->check(CLI::Range(0.01, 10.0).description(""));
    command->add_option("--longest", a->live.longest_answer_s, "answer: longest answer (default 30)")->type_name("S")
        ->check(CLI::Range(0.01, 3600.0).description(""));
    command->add_option("--listen", a->live.listen, "together: share of what is heard in what the model hears (default 0.5)")
        ->type_name("0..1")->check(CLI::Range(0.0, 1.0).description(""));
    command->add_option("--ahead", a->ahead_ms, "A generator's thread works so far ahead (default: only where blocks are too short)")
        ->type_name("MS")->check(CLI::Range(0.0, 1000.0).description(""));
    command->add_option("--gain", a->gain_db, "Of the output")->type_name("DB")->check(CLI::Range(-60.0, 24.0).description(""));
    add_sampling_options(*command, a->sampling);
    add_control_option(*command, a->controls);
    add_size_option(*command, a->size);
    command->add_flag("--scale-rate", a->scale_rate, "An effect at another rate than the device: no resampler, no latency");
    command->add_flag("!--no-loop-guard", a->live.loop_guard, "Do not mute when the output comes back as the input");
    command->add_option("--record", a->record, "Keep what was heard (left) and played (right) in a new file, whatever happens")
        ->type_name("FILE");
    command->add_option("--seconds", a->seconds, "Stop after so much audio; else q or Ctrl-C")->type_name("S")
        ->check(CLI::PositiveNumber.description(""));
    command->add_flag("--no-ui", a->no_ui, "No screen: print what happens");
    command->callback([a] { run(*a); });
    return command;
}
