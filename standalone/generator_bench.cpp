// SPDX-License-Identifier: GPL-3.0-or-later
// What a generator costs on this machine: every step is timed by itself, since the dearest is what a callback must bear.
#include "generator_bench.h"
#include "json_text.h"

#include "serpent/generator.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace serpent;
using Clock = std::chrono::steady_clock;

double ns_since(Clock::time_point start) { return std::chrono::duration<double, std::nano>(Clock::now() - start).count(); }

/// Of step times in ns. dearest: the median at that place of the model's period where it is greatest, which is what the model
/// itself makes uneven; the percentiles have the machine's interruptions too.
struct Spread {
    double median = 0, dearest = 0, p99 = 0, p999 = 0;
};

double median_of(std::vector<double> times) {
    const auto middle = times.begin() + std::ptrdiff_t(times.size() / 2);
    std::ranges::nth_element(times, middle);
    return *middle;
}

/// `times` from the beginning of a period on.
Spread spread(std::vector<double> times, int period) {
    double dearest = 0;
    for (std::size_t place = 0; place < static_cast<std::size_t>(period) && place < times.size(); ++place) {
        std::vector<double> there;
        for (std::size_t i = place; i < times.size(); i += static_cast<std::size_t>(period)) there.push_back(times[i]);
        dearest = std::max(dearest, median_of(std::move(there)));
    }
    std::ranges::sort(times);
    const auto at = [&](double share) { return times[std::min(times.size() - 1, static_cast<std::size_t>(share * double(times.size())))]; };
    return {at(0.5), dearest, at(0.99), at(0.999)};
}

std::vector<double> time_steps(Generator& generator, std::size_t samples) {
    std::vector<double> times(samples);
    for (double& t : times) {
        const auto start = Clock::now();
        (void)generator.next();
        t = ns_since(start);
    }
    return times;
}

struct Figures {
    kernels::Isa isa;
    Spread step;
    double step_ns, prime_ns;  // means
};

Figures measure(const std::shared_ptr<const GeneratorModel>& model, kernels::Isa isa, double seconds) {
    GeneratorOptions options;
    options.isa = isa;
    Generator generator(model, options);
    const int chunk = std::max(1, 256 / model->config.period()) * model->config.period() * 4;
    std::vector<float> audio(static_cast<std::size_t>(chunk));
    generator.generate(audio.data(), chunk);
    double best_prime = 1e18, best_step = 1e18;
    std::vector<double> times;
    const auto begin = Clock::now();
    do {
        auto start = Clock::now();
        generator.prime(audio.data(), chunk);
        best_prime = std::min(best_prime, ns_since(start) / chunk);
        start = Clock::now();
        generator.generate(audio.data(), chunk);
        best_step = std::min(best_step, ns_since(start) / chunk);
        for (const double t : time_steps(generator, static_cast<std::size_t>(chunk))) times.push_back(t);
    } while (ns_since(begin) < seconds * 1e9);
    return {generator.isa(), spread(std::move(times), model->config.period()), best_step, best_prime};
}

/// Median ns of a step, and its place in minutes of audio.
std::vector<std::pair<double, Spread>> long_run(const std::shared_ptr<const GeneratorModel>& model, double minutes) {
    Generator generator(model);
    const double rate = model->config.sample_rate;
    const auto part = static_cast<std::size_t>(minutes * 60 * rate / 10);
    std::vector<std::pair<double, Spread>> list;
    for (int i = 0; i < 10; ++i) {
        const std::vector<double> times = time_steps(generator, std::max<std::size_t>(1, part));
        list.emplace_back(minutes * (i + 1) / 10, spread(times, model->config.period()));
    }
    return list;
}

} // namespace

void bench_generator(const std::shared_ptr<const GeneratorModel>& model, double seconds, double minutes, bool json) {
    const auto isas = kernels::available_isas();
    std::vector<Figures> figures;
    for (const kernels::Isa isa : isas) figures.push_back(measure(model, isa, seconds / double(isas.size())));
    std::vector<std::pair<double, Spread>> run;
    if (minutes > 0) run = long_run(model, minutes);
    const double rate = model->config.sample_rate;
    const Figures& headline = *std::ranges::find(figures, kernels::default_isa(), &Figures::isa);
    if (json) {
        nlohmann::ordered_json list = nlohmann::ordered_json::array(), over_time = list;
        for (const Figures& f : figures)
            list.push_back({{"isa", std::string(kernels::isa_name(f.isa))}, {"ns_per_sample", f.step_ns}, {"median_ns", f.step.median}, {"dearest_median_ns", f.step.dearest},
                            {"p99_ns", f.step.p99}, {"p999_ns", f.step.p999}, {"prime_ns_per_sample", f.prime_ns},
                            {"real_time_factor", 1e9 / (f.step_ns * rate)}, {"prime_real_time_factor", 1e9 / (f.prime_ns * rate)}});
        for (const auto& [at, s] : run)
            over_time.push_back({{"minutes", at}, {"median_ns", s.median}, {"dearest_median_ns", s.dearest}, {"p99_ns", s.p99}, {"p999_ns", s.p999}});
        const nlohmann::ordered_json object{{"ns_per_sample", headline.step_ns}, {"block", 1},
                                            {"isa", std::string(kernels::isa_name(headline.isa))},
                                            {"results", {{"macs_per_sample", model->macs_per_sample()}, {"sample_rate", rate},
                                                         {"generator", list}, {"over_time", over_time}}}};
        std::cout << json_text(object, 2) << '\n';
        return;
    }
    std::printf("%zu multiply-accumulates per sample, %d Hz\n\n", model->macs_per_sample(), model->config.sample_rate);
    std::printf("One step at a time, ns\n  %-9s%9s%9s%9s%9s%9s%14s%14s%20s\n", "isa", "mean", "median", "dearest", "p99", "p99.9", "x real time",
                "priming", "priming x real time");
    for (const Figures& f : figures)
        std::printf("  %-9s%9.0f%9.0f%9.0f%9.0f%9.0f%14.1f%14.0f%20.1f\n", std::string(kernels::isa_name(f.isa)).c_str(), f.step_ns,
                    f.step.median, f.step.dearest, f.step.p99, f.step.p999, 1e9 / (f.step_ns * rate), f.prime_ns, 1e9 / (f.prime_ns * rate));
    if (!run.empty()) std::printf("\nA long run: ns of a step in each tenth\n  %-10s%9s%9s%9s%9s\n", "minutes", "median", "dearest", "p99", "p99.9");
    for (const auto& [at, s] : run) std::printf("  %-10.1f%9.0f%9.0f%9.0f%9.0f\n", at, s.median, s.dearest, s.p99, s.p999);
}
