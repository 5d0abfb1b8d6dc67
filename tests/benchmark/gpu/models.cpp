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

std::vector<Named> benchmark_models() {
    std::vector<Named> list;
    for (const std::string& name : train_preset_names()) list.push_back({name, train_preset(name).config});
    list.push_back({"rotating 8/8/4, 6 layers", rotating_config(6)});
    ModelConfig wide = train_preset("nano").config;
    wide.expand = 2, wide.a = DecayShape::tied;
    list.push_back({"8/16/4, 4 layers, tied", wide});
    wide.a = DecayShape::full, wide.d_state = 8, wide.n_layers = 2;
    list.push_back({"8/16/8, 2 layers", wide});
    wide = {};
    wide.d_model = 16, wide.expand = 2, wide.d_state = 16, wide.n_layers = 4, wide.dt_rank = 1;
    list.push_back({"16/32/16, 4 layers", wide});
    wide.n_layers = 1;
    list.push_back({"16/32/16, 1 layer", wide});
    return list;
}

Model model_of(const ModelConfig& config) { return test::random_model(config, true, 48000.0); }

/// As layer_instructions() below, of a rotating layer (gpu/fused_rotating.h). Of a pair: gain 4, input 2, change and step 8, answer 2;
/// in phase 3 turn 4, answer 3. In phase 3 also the next layer's norm and x half of in_proj, which phase 1 has not.
double rotating_instructions(const ModelConfig& c) {
    const double m = c.d_model, d = c.d_inner(), pairs = c.d_state / 2.0, decays = c.a == DecayShape::tied ? 1 : pairs;
    const double projections = 3 * d * m + 2 * d * c.d_state + d, scan = d * (decays * 12 + pairs * 12);
    return projections + 6 * m + d * c.d_conv + 5 * d + 13 * d + scan + 13 * d + d * (decays * 2 + pairs * 7) + 6 * d;
}

/// Instructions that one sample through one layer cannot do without, by all threads together. A decay takes 8 (decay() of
/// gpu/math.h), an ema step 2, a read-out 1, a SiLU 5, a step size 13. The full euler scan goes by tiles (gpu/tile_scan.h): 5 to
/// a sample and state besides the read-out, a decay and a join to a tile. The projections take one to a weight, or where the matrix
/// units do them (gpu/matrix_layer.h) three to 32 weights and 4 to split an input. Phase 1: norm, in_proj's x half, convolution,
/// x_proj, dt, scan; phase 3: norm, in_proj's z half, dt (not where phase 1 leaves its sums), what the start state adds, gate, out_proj.
double layer_instructions(const ModelConfig& c) {
    if (c.all_blocks(BlockKind::rotating)) return rotating_instructions(c);
    const double m = c.d_model, d = c.d_inner(), n = c.d_state, decays = c.decays();
    const bool by_tile = c.b_bar == BBar::euler && c.a == DecayShape::full, by_matrix = d == 32 && m == 16;
    const double scan = by_tile ? d * n * (6 + 10.0 / (d > 8 ? 8 : 4)) : d * (decays * 8 + n * (c.b_bar == BBar::ema ? 3 : 4));
    const double weights = 3 * d * m + 2 * d * n, projections = by_matrix ? weights * 3 / 32 + 8 * (m + d) : weights;
    return projections + 3 * m + d * c.d_conv + 5 * d + d + 13 * d + scan + 3 * m + (by_matrix ? 0 : 13 * d) + d * (decays * 3 + n) + 6 * d;
}
double layer_exps(const ModelConfig& c) {
    const double d = c.d_inner();
    if (c.all_blocks(BlockKind::rotating)) {
        const double decays = c.a == DecayShape::tied ? 1 : c.d_state / 2.0;
        return 3 * d * decays + 6 * d;  // a gain's root beside the decays of both phases
    }
    return 2 * d * c.decays() + 6 * d;  // decays; exp and division of SiLU and exp of softplus in either phase
}
/// The residual stream three times, but the signal instead of it before the first layer and behind the last; the scan's answers, C
/// and dt's row there and back.
double model_bytes(const ModelConfig& c) {
    if (c.all_blocks(BlockKind::rotating))
        return 4.0 * (c.n_layers * (4 * c.d_inner() + 2 * (c.d_state + 1)) + (c.n_layers - 1) * 2 * c.d_model + 4 * c.channels);
    return 4.0 * (c.n_layers * 2 * (c.d_inner() + c.d_state + 1) + (c.n_layers - 1) * 3 * c.d_model + 3 * c.channels);
}

/// Samples per second at which the first of issue, exp unit and memory is full.
double floor_rate(const ModelConfig& c, const Machine& machine) {
    const double layers = c.n_layers;
    const double issue = machine.peaks.fma_per_s / (layers * layer_instructions(c));
    const double exps = machine.peaks.exp2_per_s / (layers * layer_exps(c));
    const double memory = machine.peaks.copy_bytes_per_s / model_bytes(c);
    return std::min({issue, exps, memory});
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
    std::printf("whole model, 2^22 samples           G sample/s   x real time   of floor   floor G/s   any-width path   from and to host\n");
    for (const Named& m : benchmark_models()) {
        if (!only.empty() && m.name != only) continue;
        const Model model = model_of(m.config);
        const double rate = device_rate(model, std::size_t{1} << 22, true), floor = floor_rate(m.config, machine);
        std::printf("%-34s %11.3f %13.0f %9.0f%% %11.2f %16.3f %18.3f\n", m.name.c_str(), rate * 1e-9, rate / 48000, 100 * rate / floor,
                    floor * 1e-9, device_rate(model, std::size_t{1} << 22, false) * 1e-9, host_rate(model, std::size_t{1} << 26) * 1e-9);
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
