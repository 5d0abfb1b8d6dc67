// SPDX-License-Identifier: GPL-3.0-or-later
// The fused render path of the GPU, run on the CPU: chunks of any size, joined, against the golden models' float64 answers.
#include "close.h"
#include "device/carry.h"
#include "device/fused_output.h"
#include "device/fused_scan.h"
#include "device/fused_weights.h"
#include "golden_file.h"
#include "stream/live_weights.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <memory>

using namespace serpent;
using namespace serpent::kernels;
using namespace serpent::kernels::device;
using namespace serpent::test;

namespace {

struct Signal {
    Model model;
    std::vector<float> in, expected;
};

Signal golden(const std::string& name) {
    const auto path = std::filesystem::path(SERPENT_TEST_DATA) / "models" / (name + ".safetensors");
    return {Model::load(path), GoldenWav("models/" + name + "_in.wav").samples, GoldenWav("models/" + name + "_out.wav").samples};
}

std::vector<float> log2_rates(const LayerWeights& w) {
    std::vector<float> rates;
    for (const float a : w.A_log) rates.push_back(-std::exp(a) * log2_e);
    return rates;
}

/// What the renderer does on the device, chunk after chunk.
template <class FusedKind>
class HostRender {
public:
    explicit HostRender(const Model& model)
        : model_(model), live_(live_weights(model.weights)), histories_(zero_state(model.config).conv), h_(zero_state(model.config).h) {}

    void process(const float* in, float* out, std::size_t n, int chunk) {
        const std::size_t width = FusedKind::model;
        std::vector<float> e(n * width), next(e.size());
        for (std::size_t t = 0; t < n; ++t)
            for (std::size_t m = 0; m < width; ++m)
                e[t * width + m] = model_.weights.encoder_bias[m] + model_.weights.encoder_weight[m] * in[t];
        for (std::size_t l = 0; l < live_.layers.size(); ++l) {
            layer(l, e, next, static_cast<std::int64_t>(n), chunk);
            e.swap(next);
        }
        for (std::size_t t = 0; t < n; ++t) {
            std::vector<double> row(e.begin() + static_cast<std::ptrdiff_t>(t * width), e.begin() + static_cast<std::ptrdiff_t>((t + 1) * width));
            if (live_.norm_f) {
                const std::vector<double> norm(live_.norm_f, live_.norm_f + width);
                reference::rms_norm<double>(1, width, row.data(), norm.data(), row.data());
            }
            double sum = live_.decoder_bias[0] + (live_.skip ? live_.skip[0] * in[t] : 0.0);
            for (std::size_t m = 0; m < width; ++m) sum += live_.decoder_weight[m] * row[m];
            out[t] = static_cast<float>(sum);
        }
    }

private:
    void layer(std::size_t l, const std::vector<float>& e, std::vector<float>& next, std::int64_t n, int chunk) {
        constexpr int states = FusedKind::inner * FusedKind::state, segments = 35;
        constexpr std::size_t row = std::size_t{3} * FusedKind::inner;
        const std::int64_t chunks = (n + chunk - 1) / chunk;
        const auto packed = pack_fused_layer<FusedKind>(live_.layers[l], nullptr, nullptr);
        const auto rates = log2_rates(model_.weights.layers[l]);
        std::vector<float> ends(static_cast<std::size_t>(chunks * states), NAN), dt_sum(static_cast<std::size_t>(chunks) * FusedKind::inner, NAN);
        std::vector<float> history(row), scratch(carry_scratch_floats(states, segments));
        const std::size_t tiles = static_cast<std::size_t>(n + 3) / 4;
        std::vector<Float4> y(tiles * FusedKind::inner), rows(tiles * FusedKind::row_floats / 4);
        using Phase1 = FusedScan<FusedKind, HostGroup<FusedKind::lanes>>;
        using Phase3 = FusedOutput<FusedKind, HostGroup<FusedKind::lanes>>;
        alignas(16) float tile[std::max(Phase1::tile_floats, Phase3::tile_floats)];
        std::fill_n(y.front().v, y.size() * 4, NAN);
        std::fill_n(rows.front().v, rows.size() * 4, NAN);
        std::fill(next.begin(), next.end(), NAN);
        const FusedLayer job{packed.data(), e.data(), next.data(), &histories_[l * row], history.data(), ends.data(), dt_sum.data(),
                             y.front().v, rows.front().v, n, chunk};
        const HostGroup<FusedKind::lanes> group;
        for (std::int64_t k = chunks; k-- > 0;) Phase1(group, job, k, tile).run();  // in any order
        join_chunk_states(SerialTeam{}, {ends.data(), dt_sum.data(), rates.data(), &h_[l * std::size_t{states}], &h_[l * std::size_t{states}], chunks, FusedKind::inner,
                                         FusedKind::state, FusedKind::tied, false}, 0, states, segments, scratch.data());
        for (std::int64_t k = chunks; k-- > 0;) Phase3(group, job, k, tile).run();
        std::copy(history.begin(), history.end(), histories_.begin() + static_cast<std::ptrdiff_t>(l * row));
    }

    const Model& model_;
    LiveWeights live_;
    std::vector<float> histories_, h_;
};

/// Tolerance: docs/architecture.md, numerics; the budget for float32 everywhere.
template <class FusedKind>
void check(const std::string& name, const std::vector<std::size_t>& calls, int chunk, std::size_t samples = 6007) {
    Signal s = golden(name);
    s.in.resize(samples), s.expected.resize(samples);
    HostRender<FusedKind> render(s.model);
    std::vector<float> out(s.in.size(), NAN);
    std::size_t at = 0;
    for (std::size_t i = 0; at < out.size(); ++i) {
        const std::size_t n = std::min(calls[i % calls.size()], out.size() - at);
        render.process(s.in.data() + at, out.data() + at, n, chunk);
        at += n;
    }
    const Distance d = distance(s.expected, out);
    INFO(name << ", chunk " << chunk << ": " << d.rms << " rms, " << d.max << " max");
    CHECK(d.within(1e-5, 1e-4));
}

} // namespace

TEST_CASE("the fused layer answers the golden models at any chunk and call size") {
    for (const int chunk : {4, 8, 28, 32, 36, 256, 1024, 8192}) {
        check<FusedShape<16, 32, 16, false, false>>("mamba_reference_16_32_16_4", {std::size_t{1} << 20}, chunk, 3001);
        check<FusedShape<8, 16, 4, true, true>>("tied_ema_8_16_4_4", {std::size_t{1} << 20}, chunk);
        check<FusedShape<8, 16, 8, false, true>>("slow_ema_8_16_8_2", {std::size_t{1} << 20}, chunk);
    }
    check<FusedShape<8, 16, 8, false, true>>("slow_ema_8_16_8_2", {std::size_t{1} << 20}, 256, 48000);  // its slowest state
    check<FusedShape<8, 16, 8, false, true>>("slow_ema_8_16_8_2", {1, 2, 3, 4, 5, 255, 256, 257}, 64);
    check<FusedShape<8, 16, 4, true, true>>("tied_ema_8_16_4_4", {1, 2, 3, 4, 5, 255, 256, 257}, 64);
}
