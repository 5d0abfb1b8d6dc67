// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "control_option.h"
#include "json_text.h"
#include "model_argument.h"
#include "one_of.h"
#include "outputs.h"
#include "shipped_models.h"

#include "serpent/errors.h"
#include "serpent/output_file.h"
#include "serpent/render_file.h"
#include "serpent/report.h"
#include "serpent/take_check.h"
#include "serpent/takes.h"
#include "serpent/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <span>

namespace fs = std::filesystem;

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  serpent evaluate amp.safetensors dry.wav wet.wav\n"
    "  serpent evaluate amp.safetensors dry.wav wet.wav --report amp.html      look and listen\n"
    "  serpent evaluate pedal.safetensors --takes knobs.json --json\n"
    "  serpent evaluate amp.safetensors dry.wav --against amp.nam              two models of any kind\n"
    "\n"
    "  serpent evaluate amp.safetensors dry.wav wet.wav --latency 212      the wet was recorded 212 samples late\n"
    "\n"
    "Recordings may differ in length; what both have is scored. There every sample counts, nothing is shifted (but by\n"
    "--latency and --repair, and by the latency of the recordings that the model learned from, where these came as late)\n"
    "or scaled, and the model starts from silence, as in a player. A recording that does not keep\n"
    "time, by drift or dropouts, is told, and so are a knob moved in mid-take and a delay or reverb left on. ESR is the energy\n"
    "of the error over that of the target: 0 is perfect, 1 is as bad as silence. Read it beside 'static gain', which is what\n"
    "turning a volume knob would reach. The envelope error tells how far the loudness is off, over 100 ms windows.\n";

struct Arguments {
    fs::path model, dry, wet, takes, report, against;
    std::optional<double> size;
    std::vector<std::string> controls;
    std::string initial_state = "silence";
    std::optional<int> latency_samples;
    int threads = 0;
    bool json = false, repair = false;
};

using SharedModel = std::shared_ptr<const serpent::Model>;

struct Scored {
    serpent::Take take;
    std::string name;
    serpent::Metrics metrics;
};

/// A pair and what of it counts.
struct Checked {
    serpent::RecordedTake take;
    std::vector<serpent::Stretch> stretches;
};

/// As `train` reads a pair; nothing is shifted but by the latency and --repair.
Checked read_checked(const serpent::Take& take, const Arguments& a, int latency_samples, int channels) {
    std::vector<std::string> notes;
    Checked c{serpent::read_take(take.dry, take.wet, {.training = false, .channels = channels}, notes), {}};
    const int rate = c.take.dry.sample_rate;
    serpent::TakeTiming timing = serpent::check_timing(c.take, latency_samples, a.repair, take.wet, notes);
    const std::vector<std::ptrdiff_t> latencies(c.take.wet.channels.size(), latency_samples);
    const std::size_t cut = serpent::align_take(c.take, latencies, take.dry, take.wet, notes);
    serpent::check_changes(c.take, cut, take.wet, notes);
    timing = serpent::without_begin(timing, cut);
    if (!a.repair) timing = {};
    c.stretches = serpent::sound_stretches(timing, c.take.dry.frames(), rate);
    for (const std::string& note : notes)
        if (!note.starts_with("timing: ")) std::cerr << note << '\n';
    return c;
}

serpent::RendererOptions renderer_options(const Arguments& a, const std::vector<float>& controls) {
    serpent::RendererOptions options;
    options.controls = controls;
    options.threads = a.threads;
    if (a.initial_state == "zero") options.initial_state = serpent::InitialState::zero;
    return options;
}

/// A dry recording, and what `other` plays of it.
Checked played_by(const SharedModel& other, const serpent::Take& take, const Arguments& a) {
    Checked c;
    c.take.dry = serpent::read_audio(take.dry);
    c.take.wet = serpent::render_audio(other, c.take.dry, renderer_options(a, {}));
    c.stretches = {{0, c.take.dry.frames(), 0}};
    return c;
}

/// The stretches of a channel in a row; `moved` by what the wet's clicks lie later.
std::vector<float> joined(const std::vector<float>& channel, const std::vector<serpent::Stretch>& stretches, bool moved) {
    if (stretches.size() == 1 && stretches[0].end - stretches[0].begin == channel.size()) return channel;
    std::vector<float> all;
    for (const serpent::Stretch& s : stretches)
        for (std::size_t i = s.begin; i < s.end; ++i) {
            const std::ptrdiff_t at = std::ptrdiff_t(i) + (moved ? s.shift_samples : 0);
            all.push_back(at >= 0 && at < std::ssize(channel) ? channel[std::size_t(at)] : 0.0f);
        }
    return all;
}

/// What makes a good model score badly, when it is the recording: the other polarity, or another delay.
void tell_misfit(const fs::path& wet, const std::vector<float>& target, std::vector<float> prediction, int sample_rate,
                 int latency_samples) {
    constexpr double much_better = 0.25; // in ESR, of what was found over what was given
    const double given = serpent::esr(target, prediction);
    if (!(given > 0.1)) return;
    std::vector<float> inverted = prediction;
    for (float& v : inverted) v = -v;
    if (serpent::esr(target, inverted) < much_better * given) {
        std::cerr << "warning: " << wet.string() << " is inverted in polarity beside what the model plays; its figures would "
                  << "be good with the other sign\n";
        return;
    }
    const std::optional<std::ptrdiff_t> late = serpent::find_delay(prediction, target, sample_rate);
    if (late && *late != 0)
        std::cerr << "warning: " << wet.string() << " lies " << std::abs(*late) << " samples "
                  << (*late > 0 ? "behind" : "before") << " what the model plays; if it was recorded so, give --latency "
                  << latency_samples + *late << '\n';
}

/// By how many samples the recordings that the model learned from were late; 0 where it does not say.
std::size_t trained_latency(const serpent::Model& model) {
    const auto training = nlohmann::json::parse(model.metadata.training, nullptr, false);
    if (!training.is_object() || !training.contains("latency_samples") || !training["latency_samples"].is_number_integer()) return 0;
    return static_cast<std::size_t>(std::clamp<std::int64_t>(training["latency_samples"].get<std::int64_t>(), 0, 1'000'000));
}

/// ESR over what both have, the prediction beginning `late` samples into the target.
double esr_when_late(std::span<const float> target, std::span<const float> prediction, std::size_t late) {
    const std::size_t common = std::min(target.size() - late, prediction.size());
    return serpent::esr(target.subspan(late, common), prediction.first(common));
}

/// What was said; else that of the recordings that the model learned from, where the first take came as late: a model of late recordings is
/// early beside others that were made the same way.
int latency_of(const SharedModel& model, const serpent::Take& take, const Arguments& a) {
    constexpr double much_better = 0.25;  // in ESR
    if (a.latency_samples) return *a.latency_samples;
    const std::size_t trained = trained_latency(*model);
    if (trained == 0) return 0;
    std::vector<std::string> told_later;
    const auto [dry, wet] = serpent::read_take(take.dry, take.wet, {.training = false, .channels = model->config.channels}, told_later);
    const std::vector<float>& target = wet.channels.front();
    if (trained >= target.size()) return 0;
    const std::vector<float> prediction = serpent::render_audio(model, dry, renderer_options(a, take.controls)).channels.front();
    if (!(esr_when_late(target, prediction, trained) < much_better * esr_when_late(target, prediction, 0))) return 0;
    std::cerr << "note: scored " << trained
              << " samples later, since the recordings that this model learned from were as late; --latency 0 scores them as they are\n";
    return static_cast<int>(trained);
}

/// Plays a take through the model; returns the mean of the channels' figures.
serpent::Metrics score(const SharedModel& model, const SharedModel& other, const serpent::Take& take, const Arguments& a,
                       int latency_samples, serpent::ReportPart* part) {
    const auto [recorded, stretches] = other ? played_by(other, take, a) : read_checked(take, a, latency_samples, model->config.channels);
    const auto& [dry, wet] = recorded;
    const serpent::AudioBuffer out = serpent::render_audio(model, dry, renderer_options(a, take.controls));
    if (out.channels.size() != wet.channels.size())
        throw serpent::Error(take.wet.string() + " has 1 channel, but the model gives " +
                             std::to_string(out.channels.size()) + "; give recordings of that many channels");
    std::vector<serpent::Metrics> channels;
    for (std::size_t c = 0; c < out.channels.size(); ++c) {
        const auto in = joined(dry.channels[c], stretches, false), target = joined(wet.channels[c], stretches, true);
        const auto prediction = joined(out.channels[c], stretches, false);
        channels.push_back(serpent::evaluate(in, target, prediction, dry.sample_rate));
        if (c > 0) continue;
        if (!other) tell_misfit(take.wet, target, prediction, dry.sample_rate, latency_samples);
        if (part) *part = {take.wet.filename().string(), in, target, prediction, {}};
    }
    const serpent::Metrics metrics = serpent::mean(channels);
    if (part) part->metrics = metrics;
    return metrics;
}

nlohmann::json to_json(const serpent::Metrics& m) {
    return {{"esr", m.esr}, {"esr_pre", m.esr_pre}, {"mrstft", m.mrstft}, {"envelope_rms_db", m.envelope_rms_db},
            {"envelope_max_db", m.envelope_max_db}, {"static_gain_esr", m.static_gain_esr}, {"static_gain", m.static_gain}};
}

void print_table(const std::vector<Scored>& scored, const serpent::Metrics& mean) {
    std::printf("%-34s %10s %10s %8s %12s %12s %12s\n", "", "ESR", "ESR pre", "MR-STFT", "envelope dB", "largest dB",
                "static gain");
    const auto row = [](const std::string& name, const serpent::Metrics& m) {
        std::printf("%-34s %10.3g %10.3g %8.4f %12.2f %12.2f %12.3g\n", name.c_str(), m.esr, m.esr_pre, m.mrstft,
                    m.envelope_rms_db, m.envelope_max_db, m.static_gain_esr);
    };
    for (const Scored& s : scored) row(s.name, s.metrics);
    if (scored.size() > 1) row("mean", mean);
    std::printf("\n%s\n", serpent::esr_in_words(mean.esr).c_str());
}

std::vector<Scored> plan(const Arguments& a, const serpent::Model& model) {
    if (!a.against.empty()) {
        if (a.dry.empty() || !a.wet.empty() || !a.takes.empty())
            throw serpent::Error("--against plays one recording through both models: give DRY alone");
        return {{{a.dry, a.against, control_values(model, a.controls)}, a.against.filename().string(), {}}};
    }
    if (a.takes.empty()) {
        if (a.dry.empty() || a.wet.empty()) throw serpent::Error("give a DRY and a WET recording, or --takes FILE.json");
        return {{{a.dry, a.wet, control_values(model, a.controls)}, a.wet.filename().string(), {}}};
    }
    if (!a.dry.empty() || !a.controls.empty())
        throw serpent::Error("--takes names its own recordings and controls; leave out DRY, WET and --control");
    const serpent::TakesFile file = serpent::TakesFile::load(a.takes);
    std::vector<Scored> list;
    for (serpent::Take take : file.test.empty() ? file.takes : file.test) {
        std::vector<std::string> settings;
        for (std::size_t i = 0; i < file.controls.size(); ++i)
            settings.push_back(file.controls[i].name + "=" + std::to_string(take.controls[i]));
        const std::string name = serpent::describe_controls(file.controls, take.controls);
        take.controls = control_values(model, settings);  // by name: the model may list them in another order
        list.push_back({take, name, {}});
    }
    return list;
}

void run(const Arguments& a) {
    const auto model = at_size(load_model(a.model, "serpent evaluate", {a.dry, a.wet}), a.size);
    const auto other = a.against.empty() ? nullptr : load_model(a.against, "serpent evaluate", {});
    std::vector<Scored> scored = plan(a, *model);
    if (!a.report.empty()) {
        require_no_input(a.report, {a.model, a.takes});
        for (const Scored& s : scored) require_no_input(a.report, {s.take.dry, s.take.wet});
        serpent::require_output(a.report, report_bytes);
    }
    const int latency_samples = other ? 0 : latency_of(model, scored.front().take, a);
    serpent::ReportData report;
    std::vector<serpent::Metrics> all;
    for (Scored& s : scored) {
        const bool shown = !a.report.empty() && report.parts.size() < 3;  // the page carries their audio
        serpent::ReportPart part;
        s.metrics = score(model, other, s.take, a, latency_samples, shown ? &part : nullptr);
        if (shown) report.parts.push_back(std::move(part));
        all.push_back(s.metrics);
    }
    const serpent::Metrics mean = serpent::mean(all);
    if (!a.report.empty()) {
        report.title = model->metadata.name;
        report.subtitle = model->metadata.gear;
        report.command = command_line();
        report.sample_rate = model->config.sample_rate;
        report.facts = {{"Parameters", std::to_string(model->parameter_count())}};
        serpent::write_report(a.report, report);
        std::cerr << "report: " << a.report.string() << '\n';
    }
    if (!a.json) return print_table(scored, mean);
    nlohmann::json json = to_json(mean);
    if (!a.takes.empty()) {
        json["takes"] = nlohmann::json::array();
        for (const Scored& s : scored) {
            nlohmann::json one = to_json(s.metrics);
            one["name"] = s.name;
            one["wet"] = serpent::valid_utf8(s.take.wet.string());
            json["takes"].push_back(one);
        }
    }
    std::cout << json_text(json, 2) << '\n';
}

} // namespace

CLI::App* add_evaluate_command(CLI::App& app) {
    const auto a = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("evaluate", "Measure how close a model comes to a recording of the device");
    command->footer(examples);
    command->add_option("MODEL", a->model, "The model: a .safetensors or .nam file")->required()
        ->transform(shipped_model())->type_name("");
    command->add_option("DRY", a->dry, "What went into the device")->type_name("");
    command->add_option("WET", a->wet, "What came out of it, aligned")->type_name("");
    command->add_option("--takes", a->takes, "Score the takes of this file's \"test\" list (or else \"takes\")")->type_name("FILE");
    command->add_option("--against", a->against, "Score against what this model plays of DRY, instead of a recording")
        ->type_name("MODEL")->transform(shipped_model());
    add_control_option(*command, a->controls);
    add_size_option(*command, a->size);
    command->add_option("--initial-state", a->initial_state, "silence (the default) or zero")->type_name("STATE")
        ->check(one_of({"silence", "zero"}));
    command->add_option("--latency", a->latency_samples, "How many samples the wet was recorded late (default: as late as the model's own recordings, or 0)")->type_name("N");
    command->add_flag("--repair", a->repair, "Even out what two clocks drifted apart; what lies round dropouts does not count");
    command->add_option("--threads", a->threads, "Threads to use (default: all cores)")->type_name("N")
        ->check(CLI::NonNegativeNumber.description(""));
    command->add_option("--report", a->report, "Also write an HTML page with plots and players")->type_name("FILE");
    command->add_flag("--json", a->json, "Print the figures as JSON");
    command->callback([a] { run(*a); });
    return command;
}
