// SPDX-License-Identifier: GPL-3.0-or-later
// The fused render path of rotating layers, run on the CPU: chunks of any size, joined, against float64.
#include "close.h"
#include "gpu/carry.h"
#include "gpu/fused_output.h"
#include "gpu/fused_rotating.h"
#include "gpu/fused_weights.h"
#include "model/example_model.h"
#include "model/tensors.h"
#include "random.h"
#include "reference_model.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::kernels;
using namespace serpent::kernels::gpu;
using namespace serpent::test;

namespace {

using Floats = std::vector<float>;
std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

/// What the renderer does on the device, chunk after chunk. One channel.
template <class Shape>
class HostRender {
public:
    explicit HostRender(const Model& model) : shape_(model_shape(model.config)), weights_(weight_pointers(model.weights)) {
        State state = zero_state(model.config);
        history_ = state.conv, h_ = state.h;
        encoder_ = pack_encoder(weights_.encoder_weight, 1, Shape::model);
        decoder_ = pack_decoder(weights_.decoder_weight, weights_.norm_f, 1, Shape::model);
    }

    void process(const float* in, float* out, std::int64_t n, int chunk) {
        chunk = (chunk + Shape::tile_steps - 1) / Shape::tile_steps * Shape::tile_steps;
        const FusedEnds ends{encoder_.data(), weights_.encoder_bias, decoder_.data(), weights_.decoder_bias, weights_.skip, 1,
                             weights_.norm_f != nullptr, in, out, n, n};
        int longest = 0;
        for (const BlockShape& b : shape_.blocks) longest = std::max(longest, b.history());
        x_in_.assign(size(longest + n) * Shape::inner, NAN);
        float* const x_in = x_in_.data() + size(longest) * Shape::inner;
        e_.assign(size(n) * Shape::model / 4 + 1, {}), next_.assign(e_.size(), {});
        std::size_t history = 0;
        for (std::size_t l = 0; l < shape_.blocks.size(); ++l) {
            const bool first = l == 0, last = l + 1 == shape_.blocks.size();
            const auto run = first ? last ? &HostRender::layer<true, true> : &HostRender::layer<true, false>
                                   : last ? &HostRender::layer<false, true> : &HostRender::layer<false, false>;
            (this->*run)(l, ends, x_in, history_.data() + history, n, chunk);
            history += size(shape_.blocks[l].conv_floats());
            e_.swap(next_);
        }
    }

private:
    template <bool kFirst, bool kLast>
    void layer(std::size_t l, const FusedEnds& ends, float* x_in, float* history, std::int64_t n, int chunk) {
        constexpr int block_chunks = 3, segments = 35;
        const BlockShape& b = shape_.blocks[l];
        const std::int64_t blocks = (n + chunk * block_chunks - 1) / (chunk * block_chunks), tiles = (n + Shape::tile_steps - 1) / Shape::tile_steps;
        const auto pack = [&](std::size_t layer) { return pack_fused_layer<Shape>(weights_.layers[layer], nullptr, nullptr); };
        const Floats packed = pack(l), next_packed = kLast ? Floats{} : pack(l + 1);
        Floats states(size(blocks * block_chunks) * Shape::columns, NAN), dt_before(size(blocks * block_chunks) * Shape::inner, NAN),
            block_states(size(blocks) * Shape::columns, NAN), block_dt(size(blocks) * Shape::inner, NAN);
        std::vector<Float4> y(size(tiles) * Shape::y_floats / 4), rows(size(tiles) * Shape::row_floats / 4);
        FusedLayer job{packed.data(), e_.front().v, next_.front().v, ends, nullptr, nullptr, states.data(), dt_before.data(), block_states.data(),
                       block_dt.data(), y.front().v, rows.front().v, n, chunk, block_chunks, x_in, x_in, kLast ? nullptr : next_packed.data(),
                       b.dilation};
        using Group = HostGroup<Shape::threads>;
        using Scan = RotatingScan<Shape, Group>;
        using Output = FusedOutput<Shape, Group, kFirst, kLast>;
        using Input = FusedInput<Shape, Group>;
        alignas(16) float tile[std::max({Scan::tile_floats, Output::tile_floats, Input::tile_floats})];
        if (kFirst)
            for (std::int64_t k = blocks * block_chunks; k-- > 0;) Input(Group{}, job, k, tile).run();
        std::copy_n(history, b.conv_floats(), x_in - b.conv_floats());
        for (std::int64_t block = blocks; block-- > 0;) {  // in any order
            float chunk_ends[block_chunks * FusedBlockEnds<Shape>::chunk_floats];
            std::fill(std::begin(chunk_ends), std::end(chunk_ends), NAN);
            for (int k = block_chunks; k-- > 0;) Scan(Group{}, job, block * block_chunks + k, tile).run({chunk_ends});
            join_block<Shape>(SerialTeam{}, job, block, {chunk_ends});
        }
        Floats rates;
        for (int i = 0; i < b.d_inner * b.decays(); ++i) rates.push_back(-std::exp(weights_.layers[l].A_log[i]) * log2_e);
        float* const h = h_.data() + l * size(b.h_floats());
        const CarryJob carry{block_states.data(), block_dt.data(), rates.data(), h, h, blocks, b.d_inner, b.d_state, b.tied, false,
                             weights_.layers[l].A_imag, nullptr, false, std::int64_t{chunk} * block_chunks, n};
        std::vector<double> scratch(size(carry_scratch_floats<ComplexCarry>(ComplexCarry::count(carry), segments)));
        join_chunk_states<ComplexCarry>(SerialTeam{}, carry, 0, ComplexCarry::count(carry), segments, reinterpret_cast<float*>(scratch.data()));
        Floats ended(size(b.conv_floats()));
        std::copy_n(x_in + n * Shape::inner - b.conv_floats(), b.conv_floats(), ended.data());
        std::copy(ended.begin(), ended.end(), history);
        for (std::int64_t k = blocks * block_chunks; k-- > 0;) Output(Group{}, job, k, tile).run();
    }

    ModelShape shape_;
    WeightPointers weights_;
    Floats history_, h_, encoder_, decoder_, x_in_;
    std::vector<Float4> e_, next_;
};

ModelConfig rotating(int expand, DecayShape a) {
    ModelConfig c;
    c.d_model = 8, c.expand = expand, c.d_state = 4, c.n_layers = 6, c.a = a, c.skip = true;
    c.blocks = {BlockKind::rotating}, c.dilations = {1, 3, 9, 27, 81, 243};
    return c;
}

template <class Shape>
void check(const ModelConfig& config, double slowest_samples, const std::vector<std::size_t>& calls, int chunk, std::size_t samples) {
    const Model model = random_model(config, true, slowest_samples);
    const Floats in = Random(3).vector<float>(samples, -0.5, 0.5);
    const std::vector<double> expected = ReferenceModel(model).process(in);
    HostRender<Shape> render(model);
    Floats out(samples, NAN);
    for (std::size_t at = 0, i = 0; at < samples; ++i) {
        const std::size_t n = std::min(calls[i % calls.size()], samples - at);
        render.process(in.data() + at, out.data() + at, static_cast<std::int64_t>(n), chunk);
        at += n;
    }
    const Distance d = distance(expected, out);
    INFO("chunk " << chunk << ": " << d.rms << " rms, " << d.max << " max");
    CHECK(d.within(1e-5, 1e-4));
}

} // namespace

TEST_CASE("fused rotating layers answer as float64 at any chunk, dilation and call size") {
    constexpr std::size_t whole = std::size_t{1} << 20;
    using Preset = FusedShape<8, 8, 4, false, false, true>;
    for (const int chunk : {4, 32, 100, 256, 8192}) check<Preset>(rotating(1, DecayShape::full), 1000, {whole}, chunk, 5003);
    check<Preset>(rotating(1, DecayShape::full), 1000, {1, 2, 3, 4, 5, 255, 256, 257, 1001}, 64, 4001);
    check<Preset>(rotating(1, DecayShape::full), 48000, {whole}, 256, 20000);
    ModelConfig one = rotating(1, DecayShape::full);
    one.n_layers = 1, one.dilations = {5};
    check<Preset>(one, 1000, {700, 41}, 64, 2001);
    check<FusedShape<8, 16, 4, true, false, true>>(rotating(2, DecayShape::tied), 1000, {whole, 3}, 64, 3001);
}
