// SPDX-License-Identifier: GPL-3.0-or-later
// The time-parallel renderer against the golden models' float64 answers: any call sizes, chunk, thread count and ISA.
#include "lanes/workers.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"
#include "serpent/render.h"
#include "serpent/stream.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <mutex>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

using namespace serpent;

namespace {

const std::filesystem::path models = std::filesystem::path(SERPENT_TEST_DATA) / "models";

struct Golden {
    std::shared_ptr<const Model> model;
    std::vector<float> in, expected;
};

Golden golden(const std::string& name) {
    return {std::make_shared<Model>(Model::load(models / (name + ".safetensors"))),
            read_audio(models / (name + "_in.wav")).channels.at(0), read_audio(models / (name + "_out.wav")).channels.at(0)};
}

/// docs/architecture.md, numerics: 1e-5 rms and 1e-4 max of the reference's rms, the budget for float32 everywhere.
void check_close(const std::vector<float>& expected, const std::vector<float>& got) {
    REQUIRE(expected.size() == got.size());
    double power = 0, error = 0, worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double e = double(got[i]) - double(expected[i]);
        power += double(expected[i]) * double(expected[i]);
        error += e * e;
        worst = !(std::abs(e) <= worst) ? std::abs(e) : worst;
    }
    CHECK_FALSE(!(std::sqrt(error / power) <= 1e-5));
    CHECK_FALSE(!(worst <= 1e-4 * std::sqrt(power / double(expected.size()))));
}

std::vector<float> render(const Golden& g, RendererOptions options, const std::vector<std::size_t>& calls) {
    options.initial_state = InitialState::zero;
    Renderer renderer(g.model, options);
    std::vector<float> out(g.in.size(), NAN);
    std::size_t at = 0;
    for (std::size_t i = 0; at < out.size(); ++i) {
        const std::size_t n = std::min(calls[i % calls.size()], out.size() - at);
        const float* in[] = {g.in.data() + at};
        float* to[] = {out.data() + at};
        renderer.process(in, to, n);
        at += n;
    }
    return out;
}

} // namespace

TEST_CASE("renderer answers the golden models") {
    for (const char* name : {"mamba_reference_16_32_16_4", "tied_ema_8_16_4_4", "slow_ema_8_16_8_2", "odd_widths_5_10_3_3", "rotating_8_8_4_6"}) {
        const Golden g = golden(name);
        CAPTURE(name, g.in.size());
        for (const auto isa : kernels::available_isas()) {
            CAPTURE(kernels::isa_name(isa));
            check_close(g.expected, render(g, {.isa = isa, .threads = 2}, {g.in.size()}));
        }
        for (const int chunk : {1, 5, 31, 32, 33, 256, 4096}) {
            CAPTURE(chunk);
            check_close(g.expected, render(g, {.threads = 1, .chunk = chunk}, {g.in.size()}));
        }
        check_close(g.expected, render(g, {.threads = 2}, {1, 127, 128, 129, 4097, 0, 3}));
    }
}

TEST_CASE("renderer gives the same bits on any number of threads") {
    const Golden g = golden("slow_ema_8_16_8_2");
    const std::vector<float> one = render(g, {.threads = 1, .chunk = 64}, {g.in.size()});
    for (const int threads : {2, 3, 5}) CHECK(one == render(g, {.threads = threads, .chunk = 64}, {g.in.size()}));
}

TEST_CASE("renderer keeps silence silent from the silence state") {
    const Golden g = golden("slow_ema_8_16_8_2");
    Renderer renderer(g.model);
    std::vector<float> out(10000, 0.0f);
    float* io[] = {out.data()};
    renderer.process(io, io, out.size());
    // A fixed point: what is left is the float rounding of one step, summed over the longest memory (96,000 samples).
    for (const float v : out) CHECK_FALSE(!(std::abs(v - out.front()) <= 2e-5f * std::max(1.0f, std::abs(out.front()))));
}

TEST_CASE("an instruction set that is not there is an Error of the library", "[isa]") {
    const auto model = golden("bf16_8_8_4_3").model;
    for (const kernels::Isa isa : {kernels::Isa::sse4, kernels::Isa::avx2, kernels::Isa::avx512, kernels::Isa::neon}) {
        const std::vector<kernels::Isa> there = kernels::available_isas();
        if (std::ranges::find(there, isa) != there.end()) continue;
        CHECK_THROWS_AS(Renderer(model, {.isa = isa}), Error);
        CHECK_THROWS_AS(Stream(model, {.isa = isa}), Error);
    }
}

TEST_CASE("threads that the system does not start are missed by nobody", "[threads]") {
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit few = before;
    few.rlim_cur = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + (std::size_t{100} << 20);  // a stack has 8 MiB
    REQUIRE(setrlimit(RLIMIT_AS, &few) == 0);
    int started = 0, worked = 0;
    {
        Workers workers(200);
        started = workers.count();
        std::mutex mutex;
        workers.run([&](int) {
            const std::lock_guard lock(mutex);
            ++worked;
        });
    }
    setrlimit(RLIMIT_AS, &before);
    CHECK(started >= 1);
    CHECK(started < 200);
    CHECK(worked == started);
}

TEST_CASE("a short signal takes no more memory with more threads", "[memory]") {
    const auto model = golden("bf16_8_8_4_3").model;
    const auto resident = [] {
        std::size_t total = 0, pages = 0;
        std::ifstream("/proc/self/statm") >> total >> pages;
        return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    };
    std::vector<float> audio(1000);
    float* channel = audio.data();
    Renderer renderer(model, {.threads = 2});
    const std::size_t begin = resident();
    Renderer many(model, {.threads = 64, .chunk = 4096});
    many.process(&channel, &channel, audio.size());
    CHECK(resident() < begin + (std::size_t{64} << 20));  // 16 chunks at a time, and what 64 threads touch of their stacks
}
