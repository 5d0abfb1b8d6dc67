// SPDX-License-Identifier: GPL-3.0-or-later
// The renderer on the GPU against the golden models' float64 answers and against the CPU renderer.
#include "close.h"
#include "equations/output_bound.h"
#include "golden_file.h"
#include "gpu.h"
#include "gpu_algorithms/segment_case.h"
#include "model/example_model.h"
#include "model/tensors.h"
#include "random.h"
#include "reference_model.h"
#include "serpent/kernels/device_render.h"
#include "serpent/render.h"
#include "serpent/training.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <functional>
#include <memory>

using namespace serpent;
using namespace serpent::test;
using kernels::DeviceRenderer;
using kernels::DeviceRenderOptions;

namespace {

using Channels = std::vector<std::vector<float>>;

struct Signal {
    std::shared_ptr<const Model> model;
    Channels in, expected;
};

Channels planar(const GoldenWav& wav) {
    Channels channels(static_cast<std::size_t>(wav.channels));
    for (std::size_t i = 0; i < wav.samples.size(); ++i) channels[i % channels.size()].push_back(wav.samples[i]);
    return channels;
}

Signal golden(const std::string& name) {
    const auto path = std::filesystem::path(SERPENT_TEST_DATA) / "models" / (name + ".safetensors");
    return {std::make_shared<Model>(Model::load(path)), planar(GoldenWav("models/" + name + "_in.wav")),
            planar(GoldenWav("models/" + name + "_out.wav"))};
}

DeviceRenderer make(const Model& model, const DeviceRenderOptions& options) {
    const Film f = model.config.controls.empty() ? Film{} : film(model);
    return {model_shape(model.config), weight_pointers(model.weights), f.scale.empty() ? nullptr : f.scale.data(),
            f.shift.empty() ? nullptr : f.shift.data(), options};
}

kernels::StatePointers<float> pointers(State& s) { return {s.conv.data(), s.h.data(), s.fir_in.data(), s.fir_out.data()}; }
kernels::StatePointers<const float> pointers(const State& s) { return {s.conv.data(), s.h.data(), s.fir_in.data(), s.fir_out.data()}; }

Channels render(const Signal& s, const DeviceRenderOptions& options, const std::vector<std::size_t>& calls) {
    DeviceRenderer renderer = make(*s.model, options);
    Channels out = s.in;
    const std::size_t n = out.front().size();
    for (std::size_t at = 0, i = 0; at < n; ++i) {
        const std::size_t count = std::min(calls[i % calls.size()], n - at);
        std::vector<float*> io;
        for (auto& channel : out) io.push_back(channel.data() + at);
        renderer.process(io.data(), io.data(), count);
        at += count;
    }
    return out;
}

/// docs/architecture.md, numerics: the budget for float32 everywhere.
void check_audio(const Channels& expected, const Channels& got) {
    REQUIRE(expected.size() == got.size());
    for (std::size_t c = 0; c < expected.size(); ++c) {
        const Distance d = distance(expected[c], got[c]);
        INFO(d.rms << " rms, " << d.max << " max");
        CHECK(d.within(1e-5, 1e-4));
    }
}

/// Noise through a model of any blocks, and what float64 answers.
Signal with_blocks(const ModelConfig& config, std::size_t samples) {
    Signal s{std::make_shared<Model>(random_model(config, true, 2000.0)), {}, {}};
    Random random(9);
    const std::size_t channels = static_cast<std::size_t>(config.channels);
    for (std::size_t c = 0; c < channels; ++c) s.in.push_back(random.vector<float>(samples, -0.5, 0.5));
    std::vector<float> interleaved(samples * channels);
    for (std::size_t i = 0; i < interleaved.size(); ++i) interleaved[i] = s.in[i % channels][i / channels];
    const std::vector<double> out = ReferenceModel(*s.model).process(interleaved);
    s.expected.resize(channels);
    for (std::size_t i = 0; i < out.size(); ++i) s.expected[i % channels].push_back(static_cast<float>(out[i]));
    return s;
}

constexpr std::size_t whole = std::size_t{1} << 30;

} // namespace

namespace {

/// The signal in pieces of `sizes`. Those that `on_gpu` says go through buffers on the GPU, whose answers are fetched at the very
/// end, so that nothing but the renderer itself keeps the calls apart.
Channels render_mixed(const Signal& s, const DeviceRenderOptions& options, const std::vector<std::size_t>& sizes,
                      const std::function<bool(std::size_t)>& on_gpu, std::size_t state_every) {
    DeviceRenderer renderer = make(*s.model, options);
    Channels out = s.in;
    State state = zero_state(s.model->config);
    struct Queued {
        kernels::DeviceBuffer in, out;
        std::size_t at, n;
    };
    std::vector<Queued> queued;  // to the end: freeing memory waits for the GPU
    const std::size_t channels = s.in.size(), total = s.in.front().size();
    for (std::size_t at = 0, i = 0; at < total; ++i) {
        const std::size_t n = std::min(sizes[i % sizes.size()], total - at);
        if (on_gpu(i)) {
            Queued& q = queued.emplace_back(kernels::DeviceBuffer(n * channels), kernels::DeviceBuffer(n * channels), at, n);
            for (std::size_t c = 0; c < channels; ++c) q.in.upload(s.in[c].data() + at, n, c * n);
            renderer.process(q.in, q.out, n);
        } else {
            std::vector<float*> io;
            for (auto& channel : out) io.push_back(channel.data() + at);
            renderer.process(io.data(), io.data(), n);
        }
        if (state_every > 0 && i % state_every == 0) {  // out and in again: that of the call before, whole
            renderer.get_state(pointers(state));
            renderer.set_state(pointers(std::as_const(state)));
        }
        at += n;
    }
    for (const Queued& q : queued)
        for (std::size_t c = 0; c < channels; ++c) q.out.download(out[c].data() + q.at, q.n, c * q.n);
    return out;
}

} // namespace

TEST_CASE("the GPU answers the golden models, fused and not") {
    if (!gpu()) return;
    for (const char* name : {"mamba_reference_16_32_16_4", "tied_ema_8_16_4_4", "slow_ema_8_16_8_2", "odd_widths_5_10_3_3",
                             "stereo_6_12_4_2", "film_8_16_4_2", "tied_euler_8_16_4_2", "f16_8_8_4_3", "bf16_8_8_4_3"}) {
        const Signal s = golden(name);
        for (const bool fused : {true, false}) {
            CAPTURE(name, fused);
            check_audio(s.expected, render(s, {.fused = fused}, {whole}));
            for (const int chunk : {16, 32, 100, 512}) check_audio(s.expected, render(s, {.chunk = chunk, .fused = fused}, {whole}));
            check_audio(s.expected, render(s, {.fused = fused}, {1, 2, 3, 31, 32, 33, 2047, 2049, 0, 5}));
            check_audio(s.expected, render(s, {.block_samples = 16384, .fused = fused}, {whole}));
        }
    }
}

TEST_CASE("the GPU answers models of any blocks and filters as float64 does") {
    if (!gpu()) return;
    for (const auto& [name, config] : block_cases()) {
        const Signal s = with_blocks(config, 20011);
        for (const bool fused : {true, false}) {
            CAPTURE(name, fused);
            check_audio(s.expected, render(s, {.fused = fused}, {whole}));
            for (const int chunk : {16, 100, 512}) check_audio(s.expected, render(s, {.chunk = chunk, .fused = fused}, {whole}));
            check_audio(s.expected, render(s, {.fused = fused}, {1, 2, 3, 31, 32, 33, 2047, 2049, 0, 5}));
            check_audio(s.expected, render(s, {.block_samples = 4096, .fused = fused}, {whole}));
            CHECK(render(s, {.fused = fused}, {whole}) == render(s, {.fused = fused}, {whole}));
            const Channels calls = render_mixed(s, {.block_samples = 4096, .chunk = 64, .fused = fused}, {4000, 64, 1, 517},
                                                [](std::size_t) { return false; }, 0);
            CHECK(calls == render_mixed(s, {.block_samples = 4096, .chunk = 64, .fused = fused}, {4000, 64, 1, 517},
                                        [](std::size_t i) { return i % 2 == 0; }, 2));
        }
    }
}

TEST_CASE("narrow widths, a public checkpoint's and the presets have fused kernels") {
    if (!gpu()) return;
    CHECK(make(*golden("tied_ema_8_16_4_4").model, {}).fused());
    CHECK(make(*golden("slow_ema_8_16_8_2").model, {}).fused());
    CHECK(make(*golden("mamba_reference_16_32_16_4").model, {}).fused());
    CHECK_FALSE(make(*golden("odd_widths_5_10_3_3").model, {}).fused());
    for (const std::string& name : train_preset_names()) {
        CAPTURE(name);
        CHECK(make(random_model(train_preset(name).config), {}).fused());
    }
    for (const auto& [name, config] : block_cases()) {
        CAPTURE(name);
        CHECK(make(random_model(config), {}).fused() == (name == "winner" || name == "in turn"));
    }
}

TEST_CASE("two renders on the GPU are the same bits, whatever the number of blocks in flight") {
    if (!gpu()) return;
    const Signal s = golden("slow_ema_8_16_8_2");
    CHECK(render(s, {.block_samples = 16384, .chunk = 64}, {whole}) == render(s, {.block_samples = 16384, .chunk = 64}, {whole}));
    CHECK(render(s, {.fused = false}, {whole}) == render(s, {.fused = false}, {whole}));
}

TEST_CASE("the GPU's answer to a long signal is the CPU's") {
    if (!gpu()) return;
    Random random(3);
    const auto standard = std::make_shared<Model>(random_model(train_preset("standard").config, true, 2000.0));
    for (const std::shared_ptr<const Model>& model : {golden("tied_ema_8_16_4_4").model, std::shared_ptr<const Model>(standard)})
        for (const std::size_t n : {std::size_t{1}, std::size_t{31}, std::size_t{32}, std::size_t{33}, std::size_t{2047}, std::size_t{2049},
                                    std::size_t{1'000'003}}) {
            Signal s{model, {random.vector<float>(n, -0.5, 0.5)}, {}};
            Renderer cpu(s.model, {.initial_state = InitialState::zero});
            s.expected = s.in;
            float* io[] = {s.expected[0].data()};
            cpu.process(io, io, n);
            CAPTURE(model == standard, n);
            for (const bool fused : {true, false}) check_audio(s.expected, render(s, {.fused = fused}, {whole}));
        }
}

/// Of two channels. dilations: of layers of either kind in turn; empty: selective ones without dilation.
void check_few_layers(const std::vector<int>& dilations) {
    ModelConfig config;
    config.d_model = 8, config.expand = 1, config.d_state = 4, config.dt_rank = 1, config.b_bar = BBar::ema, config.channels = 2;
    config.skip = true;
    if (!dilations.empty()) {
        config.blocks = {BlockKind::rotating, BlockKind::selective}, config.dilations = dilations;
        config.controls = {{"Drive", 0.0f, 10.0f, 4.0f, ""}};
    }
    for (const int layers : {1, 2, 3}) {
        config.n_layers = layers;
        Signal s{std::make_shared<Model>(random_model(config)), {}, {}};
        REQUIRE(make(*s.model, {}).fused());
        Random random(5);
        for (int c = 0; c < 2; ++c) s.in.push_back(random.vector<float>(5003, -0.5, 0.5));
        s.expected = s.in;
        Renderer cpu(s.model, {.initial_state = InitialState::zero});
        float* io[] = {s.expected[0].data(), s.expected[1].data()};
        cpu.process(io, io, 5003);
        CAPTURE(layers);
        check_audio(s.expected, render(s, {}, {whole}));
        check_audio(s.expected, render(s, {.chunk = 16}, {1, 2, 3, 31, 2047}));
    }
}

TEST_CASE("the fused kernels take several channels, knobs and any number of layers") {
    if (!gpu()) return;
    check_few_layers({});
    check_few_layers({1, 40});
}

TEST_CASE("the GPU bounds what a model trained at a lower level puts out") {
    if (!gpu()) return;
    for (const char* name : {"tied_ema_8_16_4_4", "stereo_6_12_4_2"})
        for (const bool fused : {true, false}) {
            CAPTURE(name, fused);
            Signal s = golden(name);
            float peak = 0;
            for (const auto& channel : s.expected)
                for (const float y : channel) peak = std::max(peak, std::abs(y));
            Model model = *s.model;
            model.config.output_peak = peak / 4;
            s.model = std::make_shared<Model>(std::move(model));
            const equations::OutputBound<float> bound(peak / 4);
            for (auto& channel : s.expected)
                for (float& y : channel) y = bound(y);
            check_audio(s.expected, render(s, {.fused = fused}, {whole}));
            check_audio(s.expected, render(s, {.block_samples = 16384, .fused = fused}, {1, 2, 3, 31, 2047}));
            DeviceRenderer renderer = make(*s.model, {.fused = fused});
            const std::size_t n = std::min<std::size_t>(s.in[0].size(), 1000), channels = s.in.size();
            std::vector<float> flat;
            for (const auto& channel : s.in) flat.insert(flat.end(), channel.begin(), channel.begin() + std::ptrdiff_t(n));
            kernels::DeviceBuffer in(n * channels), out(n * channels);
            in.upload(flat.data(), flat.size());
            renderer.process(in, out, n);
            out.download(flat.data(), flat.size());
            for (std::size_t c = 0; c < channels; ++c) {
                Channels expected{{s.expected[c].begin(), s.expected[c].begin() + std::ptrdiff_t(n)}};
                check_audio(expected, {{flat.begin() + std::ptrdiff_t(c * n), flat.begin() + std::ptrdiff_t((c + 1) * n)}});
            }
        }
}

TEST_CASE("calls with audio on the GPU and in the computer follow one another") {
    if (!gpu()) return;
    Random random(11);
    for (const char* name : {"slow_ema_8_16_8_2", "mamba_reference_16_32_16_4", "stereo_6_12_4_2"})
        for (const bool fused : {true, false}) {
            Signal s = golden(name);
            for (auto& channel : s.in) channel = random.vector<float>(1 << 20, -0.5f, 0.5f);
            // Long calls on the GPU, which run on after process() has returned, and short ones behind them.
            const std::vector<std::size_t> sizes{60000, 64, 130000, 1, 4096, 517};
            const DeviceRenderOptions options{.block_samples = 1 << 17, .chunk = 64, .fused = fused};
            const Channels expected = render_mixed(s, options, sizes, [](std::size_t) { return false; }, 0);
            CAPTURE(name, fused);
            CHECK(expected == render_mixed(s, options, sizes, [](std::size_t i) { return i % 2 == 0; }, 0));
            CHECK(expected == render_mixed(s, options, sizes, [](std::size_t i) { return i % 3 != 0; }, 0));
            CHECK(expected == render_mixed(s, options, sizes, [](std::size_t) { return true; }, 2));
        }
}

TEST_CASE("the GPU's state can be read, set and moved to the CPU") {
    if (!gpu()) return;
    const Signal s = golden("slow_ema_8_16_8_2");
    const std::size_t n = s.in[0].size(), half = n / 3;
    DeviceRenderer first = make(*s.model, {});
    Channels out = s.in;
    float* io[] = {out[0].data()};
    first.process(io, io, half);
    State state = zero_state(s.model->config);
    first.get_state(pointers(state));
    SECTION("to another GPU renderer") {
        DeviceRenderer second = make(*s.model, {});
        second.set_state(pointers(std::as_const(state)));
        float* rest[] = {out[0].data() + half};
        second.process(rest, rest, n - half);
    }
    SECTION("to the CPU") {
        Renderer second(s.model);
        second.set_state(state);
        float* rest[] = {out[0].data() + half};
        second.process(rest, rest, n - half);
    }
    check_audio(s.expected, out);
}

TEST_CASE("a GPU without enough memory says so") {
    if (!gpu()) return;
    const Signal s = golden("tied_ema_8_16_4_4");
    try {
        make(*s.model, {.block_samples = std::size_t{1} << 40});
        FAIL("took a terabyte");
    } catch (const kernels::DeviceError& error) {
        CHECK(error.kind() == kernels::DeviceError::Kind::out_of_memory);
        CHECK(std::string(error.what()).find("memory") != std::string::npos);
    }
    check_audio(s.expected, render(s, {}, {whole}));  // and goes on working
}

// Small, for compute-sanitizer, under which everything takes a hundred times as long.
TEST_CASE("one small call of every renderer", "[sanitizer]") {
    if (!gpu()) return;
    for (const char* name : {"mamba_reference_16_32_16_4", "tied_ema_8_16_4_4", "slow_ema_8_16_8_2", "stereo_6_12_4_2"}) {
        Signal s = golden(name);
        for (auto* channels : {&s.in, &s.expected})
            for (auto& channel : *channels) channel.resize(301);
        for (const bool fused : {true, false}) check_audio(s.expected, render(s, {.chunk = 32, .fused = fused}, {250, 51}));
    }
    for (const auto& [name, config] : block_cases()) {
        const Signal s = with_blocks(config, 301);
        for (const bool fused : {true, false}) check_audio(s.expected, render(s, {.chunk = 32, .fused = fused}, {250, 51}));
    }
}
