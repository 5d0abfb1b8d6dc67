// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu_benchmark.h"
#include "model/example_model.h"
#include "serpent/kernels/device_render.h"
#include "serpent/training.h"
#include "model/tensors.h"

#include <chrono>
#include <cmath>
#include <cstdio>

namespace serpent::bench {
namespace {

struct Named {
    std::string name;
    ModelConfig config;
};

/// Selective layers without dilation, with the ema rule.
ModelConfig selective_config(int expand, int d_state, int layers, DecayShape a) {
    ModelConfig c;
    c.d_model = 8, c.expand = expand, c.d_state = d_state, c.n_layers = layers, c.dt_rank = 1, c.a = a, c.b_bar = BBar::ema, c.skip = true;
    return c;
}

std::vector<Named> benchmark_models() {
    std::vector<Named> list;
    for (const std::string& name : train_preset_names()) list.push_back({name, train_preset(name).config});
    ModelConfig layers = train_preset("standard").config;
    layers.fir_in = layers.fir_out = 0;
    list.push_back({"standard, no filters", layers});
    layers.blocks = {BlockKind::selective};
    list.push_back({"the same, all selective", layers});
    layers.blocks = {BlockKind::rotating};
    list.push_back({"the same, all rotating", layers});
    list.push_back({"rotating 8/8/4, 6 layers", rotating_config(6)});
    list.push_back({"8/8/4, 4 layers", selective_config(1, 4, 4, DecayShape::full)});
    list.push_back({"8/16/4, 4 layers, tied", selective_config(2, 4, 4, DecayShape::tied)});
    list.push_back({"8/16/8, 2 layers", selective_config(2, 8, 2, DecayShape::full)});
    ModelConfig wide;
    wide.d_model = 16, wide.expand = 2, wide.d_state = 16, wide.n_layers = 4, wide.dt_rank = 1;
    list.push_back({"16/32/16, 4 layers", wide});
    wide.n_layers = 1;
    list.push_back({"16/32/16, 1 layer", wide});
    return list;
}

Model model_of(const ModelConfig& config) { return test::random_model(config, true, 48000.0); }

/// As layer_instructions() below, of a rotating layer (gpu/fused_dilated.h). Of a pair: gain 4, input 2, change and step 8, answer 2;
/// in phase 3 turn 4, answer 3.
double rotating_instructions(const kernels::BlockShape& b) {
    const double m = b.d_model, d = b.d_inner, pairs = b.pairs(), decays = b.decays();
    const double projections = 3 * d * m + 2 * d * b.d_state + d, scan = d * (decays * 12 + pairs * 12);
    return projections + 6 * m + d * b.d_conv + 5 * d + 13 * d + scan + 13 * d + d * (decays * 2 + pairs * 7) + 6 * d;
}

/// Instructions that one sample through one layer cannot do without, by all threads together. A decay takes 8 (decay() of
/// gpu/math.h), an ema step 2, a read-out 1, a SiLU 5, a step size 13. The full euler scan goes by tiles (gpu/tile_scan.h): 5 to
/// a sample and state besides the read-out, a decay and a join to a tile. The projections take one to a weight, or where the matrix
/// units do them (gpu/matrix_layer.h) three to 32 weights and 4 to split an input. Phase 1: norm, in_proj's x half, convolution,
/// x_proj, dt, scan; phase 3: norm, in_proj's z half, dt (not where phase 1 leaves its sums), what the start state adds, gate, out_proj.
/// Where convolutions are dilated, phase 3 has the first norm and in_proj's x half, of the next layer, instead of phase 1: as many.
double layer_instructions(const kernels::BlockShape& b) {
    if (b.kind == BlockKind::rotating) return rotating_instructions(b);
    const double m = b.d_model, d = b.d_inner, n = b.d_state, decays = b.decays();
    const bool by_tile = !b.ema && !b.tied, by_matrix = d == 32 && m == 16;
    const double scan = by_tile ? d * n * (6 + 10.0 / (d > 8 ? 8 : 4)) : d * (decays * 8 + n * (b.ema ? 3 : 4));
    const double weights = 3 * d * m + 2 * d * n, projections = by_matrix ? weights * 3 / 32 + 8 * (m + d) : weights;
    return projections + 3 * m + d * b.d_conv + 5 * d + d + 13 * d + scan + 3 * m + (by_matrix ? 0 : 13 * d) + d * (decays * 3 + n) + 6 * d;
}
/// Decays, and of rotating layers a gain's root beside those of both phases; exp and division of SiLU and exp of softplus in either phase.
double layer_exps(const kernels::BlockShape& b) {
    const double d = b.d_inner;
    return (b.kind == BlockKind::rotating ? 3 : 2) * d * b.decays() + 6 * d;
}
/// The residual stream three times, but the signal instead of it before the first layer and behind the last; the scan's answers, C
/// and dt's row there and back. Where the convolution's inputs go through memory (gpu/fused_dilated.h): the stream twice, and these
/// inputs there and back.
double model_bytes(const ModelConfig& c) {
    const bool plain = c.all_blocks(BlockKind::selective) && std::ranges::all_of(c.dilations, [](int dilation) { return dilation == 1; });
    if (!plain) return 4.0 * (c.n_layers * (4 * c.d_inner() + 2 * (c.d_state + 1)) + (c.n_layers - 1) * 2 * c.d_model + 4 * c.channels);
    return 4.0 * (c.n_layers * 2 * (c.d_inner() + c.d_state + 1) + (c.n_layers - 1) * 3 * c.d_model + 3 * c.channels);
}

/// Samples per second at which the first of issue, exp unit and memory is full. The filters at the ends are not counted.
struct Floor {
    double rate;
    const char* full;
};
Floor floor_of(const ModelConfig& c, const Machine& machine) {
    double instructions = 0, exps = 0;
    for (int l = 0; l < c.n_layers; ++l) instructions += layer_instructions(c.block(l)), exps += layer_exps(c.block(l));
    const Floor floors[] = {{machine.peaks.fma_per_s / instructions, "issue"}, {machine.peaks.exp2_per_s / exps, "exp"},
                            {machine.peaks.copy_bytes_per_s / model_bytes(c), "memory"}};
    return *std::ranges::min_element(floors, {}, &Floor::rate);
}

double device_rate(const Model& model, std::size_t n, bool fused) {
    kernels::DeviceRenderer renderer(model_shape(model.config), weight_pointers(model.weights), nullptr, nullptr,
                                     {.block_samples = n, .fused = fused});
    const kernels::DeviceBuffer in = random_buffer(n, -0.5, 0.5, 1);
    kernels::DeviceBuffer out(n);
    return double(n) / (median_ms([&] { renderer.process(in, out, n); }, n > (1u << 24) ? 3 : 7) * 1e-3);
}

double host_rate(const Model& model, std::size_t n) {
    kernels::DeviceRenderer renderer(model_shape(model.config), weight_pointers(model.weights), nullptr, nullptr);
    std::vector<float> audio(n, 0.1f);
    test::Random random(2);
    for (float& v : audio) v = static_cast<float>(random.uniform(-0.5, 0.5));
    float* io[] = {audio.data()};
    renderer.process(io, io, n);
    const auto begin = std::chrono::steady_clock::now();
    renderer.process(io, io, n);
    return double(n) / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace

Machine measure_machine() {
    const Machine machine{kernels::measure_device_peaks()};
    const kernels::DeviceStatus& status = kernels::device_status();
    std::printf("%s, %d multiprocessors\n", status.description.c_str(), status.multiprocessors);
    std::printf("copy %.2f TB/s, multiply-adds %.1f T/s, exp2 %.2f T/s (measured now)\n\n", machine.peaks.copy_bytes_per_s * 1e-12,
                machine.peaks.fma_per_s * 1e-12, machine.peaks.exp2_per_s * 1e-12);
    return machine;
}

void print_models(const Machine& machine, const std::string& only) {
    constexpr std::size_t samples = std::size_t{1} << 22;
    std::printf("whole model, 2^22 samples   G sample/s  x layers  x real time  bytes/layer  TB/s  of floor  floor G/s  (full)  any width  to host\n");
    for (const Named& m : benchmark_models()) {
        if (!only.empty() && m.name != only) continue;
        const Model model = model_of(m.config);
        const Floor floor = floor_of(m.config, machine);
        const double rate = device_rate(model, samples, true), layers = m.config.n_layers, bytes = model_bytes(m.config);
        std::printf("%-27s %10.3f %9.2f %12.0f %12.0f %5.2f %8.0f%% %10.2f  %-6s %10.3f %8.3f\n", m.name.c_str(), rate * 1e-9, layers * rate * 1e-9,
                    rate / 48000, bytes / layers, bytes * rate * 1e-12, 100 * rate / floor.rate, floor.rate * 1e-9, floor.full,
                    device_rate(model, samples, false) * 1e-9, host_rate(model, std::size_t{1} << 26) * 1e-9);
    }
    std::printf("\n");
}

void print_lengths() {
    std::printf("cost against length: ns per sample\n%10s", "samples");
    std::vector<Model> models;
    for (const Named& m : benchmark_models()) {
        std::printf(" %20s", m.name.c_str());
        models.push_back(model_of(m.config));
    }
    std::printf("\n");
    for (int power = 10; power <= 27; power += power < 26 ? 2 : 1) {
        std::printf("%10d", 1 << power);
        for (const Model& model : models) std::printf(" %20.4f", 1e9 / device_rate(model, std::size_t{1} << power, true));
        std::printf("\n");
    }
    std::printf("\n");
}

} // namespace serpent::bench
