// SPDX-License-Identifier: GPL-3.0-or-later
// The fused render path of the GPU, run on the CPU: chunks of any size, joined, against the golden models' float64 answers.
#include "close.h"
#include "golden_file.h"
#include "gpu/carry.h"
#include "gpu/fused_output.h"
#include "gpu/fused_scan.h"
#include "gpu/fused_weights.h"
#include "gpu/matrix_output.h"
#include "gpu/matrix_scan.h"
#include "gpu/matrix_weights.h"
#include "model/example_model.h"
#include "model/tensors.h"
#include "random.h"
#include "serpent/render.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <memory>

using namespace serpent;
using namespace serpent::kernels;
using namespace serpent::kernels::gpu;
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

template <class FusedKind, bool kFirst, bool kLast>
struct Phases {
    using Scan = FusedScan<FusedKind, HostGroup<FusedKind::threads>, kFirst>;
    using Output = FusedOutput<FusedKind, HostGroup<FusedKind::threads>, kFirst, kLast>;
};
template <bool kEma, bool kFirst, bool kLast>
struct Phases<MatrixShape<16, 32, 16, kEma>, kFirst, kLast> {
    using Scan = MatrixScan<MatrixShape<16, 32, 16, kEma>, HostGroup<32>, kFirst>;
    using Output = MatrixOutput<MatrixShape<16, 32, 16, kEma>, HostGroup<32>, kFirst, kLast>;
};

/// What the renderer does on the device, chunk after chunk.
template <class FusedKind>
class HostRender {
public:
    std::vector<float> film;  ///< (layers, scale and shift, d_model), or empty

    explicit HostRender(const Model& model)
        : model_(model), live_(weight_pointers(model.weights)), histories_(zero_state(model.config).conv), h_(zero_state(model.config).h) {}

    /// Channel c begins at in + c * stride, and out + c * stride.
    void process(const float* in, float* out, std::size_t n, int chunk, std::int64_t stride = 0) {
        const int channels = model_.config.channels, width = FusedKind::model;
        std::vector<Pack<4>> e(n * std::size_t{width} / 4), next(e.size());
        const auto encoder = pack_encoder(live_.encoder_weight, channels, width);
        const auto decoder = pack_decoder(live_.decoder_weight, live_.norm_f, channels, width);
        const FusedEnds ends{encoder.data(), live_.encoder_bias, decoder.data(), live_.decoder_bias, live_.skip, channels, live_.norm_f != nullptr,
                             in, out, stride, stride};
        const std::size_t layers = live_.layers.size();
        for (std::size_t l = 0; l < layers; ++l) {
            const auto run = l == 0 ? l == layers - 1 ? &HostRender::layer<true, true> : &HostRender::layer<true, false>
                                    : l == layers - 1 ? &HostRender::layer<false, true> : &HostRender::layer<false, false>;
            (this->*run)(l, ends, e.front().v, next.front().v, static_cast<std::int64_t>(n), chunk);
            e.swap(next);
            std::fill_n(next.front().v, next.size() * 4, NAN);
        }
    }

private:
    template <bool kFirst, bool kLast>
    void layer(std::size_t l, const FusedEnds& ends, const float* e, float* next, std::int64_t n, int chunk) {
        constexpr int segments = 35, block_chunks = 3;
        chunk = (chunk + FusedKind::tile_steps - 1) / FusedKind::tile_steps * FusedKind::tile_steps;
        constexpr std::size_t row = std::size_t{3} * FusedKind::inner, states = FusedKind::columns, inner = FusedKind::inner;
        const std::int64_t blocks = (n + chunk * block_chunks - 1) / (chunk * block_chunks);
        const auto block_count = static_cast<std::size_t>(blocks), chunks = block_count * block_chunks;
        const std::size_t steps = FusedKind::tile_steps, tiles = (static_cast<std::size_t>(n) + steps - 1) / steps;
        const auto packed = pack_fused_layer<FusedKind>(live_.layers[l], film.empty() ? nullptr : &film[2 * l * FusedKind::model],
                                                        film.empty() ? nullptr : &film[(2 * l + 1) * FusedKind::model]);
        const auto rates = log2_rates(model_.weights.layers[l]);
        std::vector<float> starts(chunks * states, NAN), dt_before(chunks * inner, NAN);
        std::vector<float> block_states(block_count * states, NAN), block_dt(block_count * inner, NAN);
        std::vector<float> history(row), scratch(carry_scratch_floats(states, segments));
        std::vector<Float4> y(tiles * FusedKind::y_floats / 4), rows(tiles * FusedKind::row_floats / 4);
        using Phase1 = typename Phases<FusedKind, kFirst, kLast>::Scan;
        using Phase3 = typename Phases<FusedKind, kFirst, kLast>::Output;
        alignas(16) float tile[std::max(Phase1::tile_floats, Phase3::tile_floats)];
        std::fill_n(y.front().v, y.size() * 4, NAN);
        std::fill_n(rows.front().v, rows.size() * 4, NAN);
        const FusedLayer job{packed.data(), e, next, ends, &histories_[l * row], history.data(), starts.data(), dt_before.data(),
                             block_states.data(), block_dt.data(), y.front().v, rows.front().v, n, chunk, block_chunks};
        const HostGroup<FusedKind::threads> group;
        for (std::int64_t b = blocks; b-- > 0;) {  // in any order
            float chunk_ends[block_chunks * FusedBlockEnds<FusedKind>::chunk_floats];
            std::fill(std::begin(chunk_ends), std::end(chunk_ends), NAN);
            for (int k = block_chunks; k-- > 0;) Phase1(group, job, b * block_chunks + k, tile).run({chunk_ends});
            join_block<FusedKind>(SerialTeam{}, job, b, {chunk_ends});
        }
        join_chunk_states(SerialTeam{}, {block_states.data(), block_dt.data(), rates.data(), &h_[l * states], &h_[l * states], blocks, FusedKind::inner,
                                         FusedKind::state, FusedKind::tied, false}, 0, states, segments, scratch.data());
        for (std::int64_t k = blocks * block_chunks; k-- > 0;) Phase3(group, job, k, tile).run();
        std::copy(history.begin(), history.end(), histories_.begin() + static_cast<std::ptrdiff_t>(l * row));
    }

    const Model& model_;
    WeightPointers live_;
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
        check<MatrixShape<16, 32, 16, false>>("mamba_reference_16_32_16_4", {std::size_t{1} << 20}, chunk, 3001);
        check<FusedShape<8, 16, 4, true, true>>("tied_ema_8_16_4_4", {std::size_t{1} << 20}, chunk);
        check<FusedShape<8, 16, 8, false, true>>("slow_ema_8_16_8_2", {std::size_t{1} << 20}, chunk);
    }
    check<FusedShape<8, 16, 8, false, true>>("slow_ema_8_16_8_2", {std::size_t{1} << 20}, 256, 48000);  // its slowest state
    check<FusedShape<8, 16, 8, false, true>>("slow_ema_8_16_8_2", {1, 2, 3, 4, 5, 255, 256, 257}, 64);
    check<MatrixShape<16, 32, 16, false>>("mamba_reference_16_32_16_4", {1, 2, 3, 4, 5, 255, 256, 257}, 64, 3001);
    check<FusedShape<8, 16, 4, true, true>>("tied_ema_8_16_4_4", {1, 2, 3, 4, 5, 255, 256, 257}, 64);
}

TEST_CASE("the fused layers' encoder and decoder take any number of channels and layers") {
    ModelConfig config;
    config.d_model = 8, config.expand = 1, config.d_state = 4, config.dt_rank = 1, config.b_bar = BBar::ema, config.channels = 2;
    config.skip = true;
    for (const int layers : {1, 2, 3}) {
        config.n_layers = layers;
        const auto model = std::make_shared<Model>(random_model(config));
        const std::size_t n = 517;
        const std::vector<float> in = Random(5).vector<float>(2 * n, -0.5, 0.5);
        std::vector<float> expected(2 * n), out(2 * n, NAN);
        Renderer cpu(model, {.initial_state = InitialState::zero});
        const float* from[] = {in.data(), in.data() + n};
        float* to[] = {expected.data(), expected.data() + n};
        cpu.process(from, to, n);
        HostRender<FusedShape<8, 8, 4, false, true>> render(*model);
        for (const std::size_t at : {std::size_t{0}, std::size_t{2}, std::size_t{3}, std::size_t{300}}) {
            const std::size_t end = at == 0 ? 2 : at == 2 ? 3 : at == 3 ? 300 : n;
            render.process(in.data() + at, out.data() + at, end - at, 32, static_cast<std::int64_t>(n));
        }
        const Distance d = distance(expected, out);
        INFO(layers << " layers: " << d.rms << " rms, " << d.max << " max");
        CHECK(d.within(1e-5, 1e-4));
    }
}

TEST_CASE("the step size from x log2(e) is softplus(x)") {
    for (double x = -80.0; x < 80.0; x += 0.0137) {
        const float t = static_cast<float>(x * 1.4426950408889634);
        const double exact = std::max(double(t), 0.0) * 0.6931471805599453 + std::log1p(std::exp2(-std::abs(double(t))));
        INFO(x);
        CHECK(close(exact, softplus_of_log2(t), 3e-7 * exact));  // the polynomial's 1.7e-7, and the C library's exp2
    }
}

TEST_CASE("wide layers by matrices answer as those by rows, with either rule and with knobs") {
    ModelConfig config;
    config.d_model = 16, config.expand = 2, config.d_state = 16, config.dt_rank = 1, config.n_layers = 2;
    const std::size_t n = 701;
    const std::vector<float> in = Random(6).vector<float>(n, -0.5, 0.5), film = Random(7).vector<float>(4 * 16, 0.5, 1.5);
    const auto check_rule = [&]<bool kEma>() {
        config.b_bar = kEma ? BBar::ema : BBar::euler;
        const Model model = random_model(config);
        HostRender<FusedShape<16, 32, 16, false, kEma>> by_rows(model);
        HostRender<MatrixShape<16, 32, 16, kEma>> by_matrices(model);
        by_rows.film = by_matrices.film = film;
        std::vector<float> expected(n, NAN), out(n, NAN);
        by_rows.process(in.data(), expected.data(), n, 64, 0);
        by_matrices.process(in.data(), out.data(), n, 64, 0);
        const Distance d = distance(expected, out);
        INFO((kEma ? "ema: " : "euler: ") << d.rms << " rms, " << d.max << " max");
        CHECK(d.within(1e-5, 1e-4));
    };
    check_rule.template operator()<false>();
    check_rule.template operator()<true>();
}
