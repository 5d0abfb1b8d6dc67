// SPDX-License-Identifier: GPL-3.0-or-later
// What a model costs on this machine: live by block size and instruction set, rendering by threads, and how much of the
// machine's measured multiply-add peak that is. Every figure is the best of many short runs: what the code can do when
// nothing else disturbs it. --callback measures the opposite: every single callback, disturbances and all.
#include "bench_callback.h"
#include "commands.h"
#include "generator_bench.h"
#include "json_text.h"
#include "model_argument.h"
#include "shipped_models.h"

#include "serpent/kernels/peak.h"
#include "serpent/model.h"
#include "serpent/render.h"
#include "serpent/stream.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace serpent;
using Clock = std::chrono::steady_clock;

constexpr int blocks[] = {1, 16, 64, 512};
constexpr int headline_block = 64;

double ns_since(Clock::time_point start) {
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

/// A decaying two-tone pattern at about -12 dBFS with pauses, the same in every channel.
std::vector<float> test_signal(std::size_t n) {
    std::vector<float> signal(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double t = static_cast<double>(i), note = std::fmod(t, 12000.0);
        signal[i] = static_cast<float>(0.35 * std::exp(-note / 4000.0) * (std::sin(0.0288 * t) + 0.5 * std::sin(0.0911 * t)));
    }
    return signal;
}

/// Planar buffers of any number of channels over one signal.
struct Buffers {
    Buffers(int channels, std::size_t n)
        : signal(test_signal(n)), output(static_cast<std::size_t>(channels), std::vector<float>(n)) {
        for (auto& channel : output) {
            in.push_back(signal.data());
            out.push_back(channel.data());
        }
    }
    std::vector<float> signal;
    std::vector<std::vector<float>> output;
    std::vector<const float*> in;
    std::vector<float*> out;
};

struct StreamFigure {
    kernels::Isa isa;
    int block, instances;
    double ns_per_sample;  // of all instances together
};

StreamFigure bench_stream(const std::shared_ptr<const Model>& model, kernels::Isa isa, int block, int instances,
                          double seconds) {
    Stream stream(model, {.isa = isa, .instances = instances});
    stream.prepare(model->config.sample_rate, block);
    Buffers buffers(stream.channels(), static_cast<std::size_t>(block));
    const int calls = std::max(1, 1024 / block);
    double best = std::numeric_limits<double>::infinity();
    const auto begin = Clock::now();
    do {
        const auto start = Clock::now();
        for (int i = 0; i < calls; ++i) stream.process(buffers.in.data(), buffers.out.data(), block);
        best = std::min(best, ns_since(start) / (calls * block));
    } while (ns_since(begin) < seconds * 1e9);
    return {stream.isa(), block, instances, best};
}

struct RenderFigure {
    int threads;
    double ns_per_sample;
};

RenderFigure bench_render(const std::shared_ptr<const Model>& model, int threads, double seconds) {
    RendererOptions options;
    options.threads = threads;
    Renderer renderer(model, options);
    const std::size_t n = renderer.preferred_block();
    Buffers buffers(model->config.channels, n);
    double best = std::numeric_limits<double>::infinity();
    const auto begin = Clock::now();
    do {
        const auto start = Clock::now();
        renderer.process(buffers.in.data(), buffers.out.data(), n);
        best = std::min(best, ns_since(start) / static_cast<double>(n));
    } while (ns_since(begin) < seconds * 1e9);
    return {threads, best};
}

/// 1, 2, 4 and so on, and all cores.
std::vector<int> thread_counts() {
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    std::vector<int> counts;
    for (int n = 1; n < cores; n *= 2) counts.push_back(n);
    counts.push_back(cores);
    return counts;
}

struct Report {
    std::size_t macs;
    int sample_rate;
    std::vector<StreamFigure> streams;
    std::vector<RenderFigure> renders;
    std::vector<std::pair<kernels::Isa, double>> peaks;  // multiply-adds per ns of one core
    std::optional<CallbackReport> callback;

    double real_time_factor(double ns_per_sample) const { return 1e9 / (ns_per_sample * sample_rate); }
    double peak(kernels::Isa isa) const {
        for (const auto& [which, macs_per_ns] : peaks)
            if (which == isa) return macs_per_ns;
        return std::numeric_limits<double>::quiet_NaN();
    }
    /// Of the peak of `threads` cores.
    double share(double ns_per_sample, kernels::Isa isa, int threads = 1) const {
        return static_cast<double>(macs) / ns_per_sample / (peak(isa) * threads);
    }
    double speedup(const RenderFigure& figure) const { return renders.front().ns_per_sample / figure.ns_per_sample; }
    double ns_at(kernels::Isa isa, int block, int instances) const {
        return std::find_if(streams.begin(), streams.end(), [&](const StreamFigure& f) {
            return f.isa == isa && f.block == block && f.instances == instances;
        })->ns_per_sample;
    }
};

Report measure(const std::shared_ptr<const Model>& model, double seconds) {
    kernels::default_isa();  // a wrong SERPENT_ISA is told before the measurements, not after
    const auto isas = kernels::available_isas();
    const auto threads = thread_counts();
    const double each = seconds / static_cast<double>(isas.size() * (1 + 2 * std::size(blocks)) + 2 * threads.size());
    Report report{model->macs_per_sample(), model->config.sample_rate, {}, {}, {}, {}};
    for (const kernels::Isa isa : isas) {
        report.peaks.emplace_back(isa, kernels::measure_peak_macs_per_ns(isa, each));
        for (const int instances : {1, 2})
            for (const int block : blocks) report.streams.push_back(bench_stream(model, isa, block, instances, each));
    }
    for (const int n : threads) report.renders.push_back(bench_render(model, n, 2 * each));
    return report;
}

std::string name(kernels::Isa isa) { return std::string(kernels::isa_name(isa)); }

nlohmann::ordered_json callback_json(const CallbackReport& report) {
    const auto json = [](const Percentiles& p) {
        return nlohmann::ordered_json{{"p50_us", p.p50}, {"p99_us", p.p99}, {"p99_9_us", p.p99_9}, {"max_us", p.max}};
    };
    return {{"block", report.block}, {"callbacks", report.callbacks}, {"overruns", report.overruns},
            {"stream", json(report.stream)}, {"control", json(report.control)},
            {"busy", json(report.busy)}};
}

void print_callback(const CallbackReport& report) {
    std::cout << "\nOne callback of " << report.block << " samples, " << report.callbacks << " in real time: microseconds\n"
              << "                p50       p99     p99.9       max   p99.9/p50\n" << std::setprecision(2);
    for (const auto& [label, p] : {std::pair("model", report.stream), std::pair("control", report.control),
                                   std::pair("busy", report.busy)})
        std::cout << "  " << std::left << std::setw(8) << label << std::right << std::setw(9) << p.p50 << std::setw(10) << p.p99
                  << std::setw(10) << p.p99_9 << std::setw(10) << p.max << std::setw(12) << p.p99_9 / p.p50 << '\n';
    std::cout << "  control, busy: as long as the median callback, every other time in turns: an empty loop, and one that touches\n"
                 "  as much memory as a small model and keeps the core busy; what they show is the machine's noise.\n"
                 "  Callbacks that took longer than their samples last: " << report.overruns << ".\n";
}

void print_json(const Report& report) {
    using nlohmann::ordered_json;
    const kernels::Isa isa = kernels::default_isa();
    ordered_json streams = ordered_json::array(), renders = ordered_json::array(), peaks = ordered_json::array();
    for (const auto& f : report.streams)
        streams.push_back({{"isa", name(f.isa)}, {"block", f.block}, {"instances", f.instances},
                           {"ns_per_sample", f.ns_per_sample},
                           {"real_time_factor", report.real_time_factor(f.ns_per_sample)},
                           {"gflops", 2.0 * f.instances * static_cast<double>(report.macs) / f.ns_per_sample},
                           {"peak_share", f.instances * report.share(f.ns_per_sample, f.isa)}});
    for (const auto& f : report.renders)
        renders.push_back({{"isa", name(isa)}, {"threads", f.threads}, {"ns_per_sample", f.ns_per_sample},
                           {"real_time_factor", report.real_time_factor(f.ns_per_sample)},
                           {"speedup", report.speedup(f)}, {"peak_share", report.share(f.ns_per_sample, isa, f.threads)}});
    for (const auto& [which, macs_per_ns] : report.peaks)
        peaks.push_back({{"isa", name(which)}, {"gflops_per_core", 2.0 * macs_per_ns}});
    ordered_json object = {
        {"ns_per_sample", report.ns_at(isa, headline_block, 1)}, {"block", headline_block}, {"isa", name(isa)},
        {"results", {{"macs_per_sample", report.macs}, {"sample_rate", report.sample_rate}, {"stream", streams},
                     {"render", renders}, {"peak", peaks}}}};
    if (report.callback) object["results"]["callback"] = callback_json(*report.callback);
    std::cout << json_text(object, 2) << '\n';
}

void print_tables(const Report& report) {
    const auto percent = [](double share) { return 100.0 * share; };
    std::cout << std::fixed << std::setprecision(1) << report.macs << " multiply-accumulates per sample, "
              << report.sample_rate << " Hz\n\nLive: ns per sample by block size\n  " << std::left << std::setw(9) << "isa"
              << std::right;
    for (const int block : blocks) std::cout << std::setw(10) << block;
    std::cout << std::setw(9) << "x one" << std::setw(14) << "x real time" << std::setw(11) << "GFLOP/s" << std::setw(9) << "peak"
              << std::setw(9) << "share" << '\n';
    for (const auto& f : report.streams) {
        if (f.block == blocks[0])
            std::cout << "  " << std::left << std::setw(9) << name(f.isa) + (f.instances == 2 ? " x 2" : "") << std::right;
        std::cout << std::setw(10) << f.ns_per_sample;
        if (f.block != blocks[std::size(blocks) - 1]) continue;
        const double one_ns = report.ns_at(f.isa, headline_block, 1), ns = report.ns_at(f.isa, headline_block, f.instances);
        std::cout << std::setw(9) << std::setprecision(2) << ns / one_ns << std::setprecision(1) << std::setw(14)
                  << report.real_time_factor(ns) << std::setw(11) << 2.0 * f.instances * static_cast<double>(report.macs) / ns
                  << std::setw(9) << 2.0 * report.peak(f.isa) << std::setw(8)
                  << percent(f.instances * report.share(ns, f.isa)) << "%\n";
    }
    const kernels::Isa isa = kernels::default_isa();
    std::cout << "  x 2: two instances, as for stereo. The last five columns are for blocks of " << headline_block << ";\n  peak: multiply-adds in registers on one core, measured now.\n\nRendering on " << name(isa) << '\n'
              << std::setw(11) << "threads" << std::setw(12) << "ns/sample" << std::setw(14) << "x real time"
              << std::setw(10) << "scaling" << std::setw(9) << "share" << '\n';
    for (const auto& f : report.renders)
        std::cout << std::setw(11) << f.threads << std::setw(12) << f.ns_per_sample << std::setw(14)
                  << report.real_time_factor(f.ns_per_sample) << std::setw(9) << report.speedup(f) << "x" << std::setw(8)
                  << percent(report.share(f.ns_per_sample, isa, f.threads)) << "%\n";
    if (report.callback) print_callback(*report.callback);
}

} // namespace

CLI::App* add_bench_command(CLI::App& app) {
    struct Options {
        std::string model;
        bool json = false;
        std::optional<double> size;
        double seconds = 4.0, callback_seconds = 0.0, minutes = 0.0;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("bench", "Measure what a model costs on this machine, live and rendering");
    command->add_option("MODEL", options->model, "The model file")->required()->transform(shipped_model());
    command->add_option("--seconds", options->seconds, "How long to measure, all together; longer is steadier")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    command->add_option("--callback", options->callback_seconds,
                        "Also time every callback of 64 samples in real time, for so many seconds (300: five minutes)")
        ->check(CLI::Range(0.1, 86400.0));
    command->add_option("--minutes", options->minutes, "Generators: also time every step of so much audio")->type_name("M")
        ->check(CLI::Range(0.0, 1440.0).description(""));
    add_size_option(*command, options->size);
    command->add_flag("--json", options->json, "Print JSON for a program");
    command->callback([options] {
        if (is_generator(options->model)) {
            const auto model = std::make_shared<const GeneratorModel>(GeneratorModel::load(options->model));
            bench_generator(model, options->seconds, options->minutes, options->json);
            return;
        }
        const auto model = at_size(std::make_shared<const Model>(Model::load(options->model)), options->size);
        Report report = measure(model, options->seconds);
        if (options->callback_seconds > 0.0) report.callback = bench_callback(model, headline_block, options->callback_seconds);
        if (options->json)
            print_json(report);
        else
            print_tables(report);
    });
    return command;
}
