// SPDX-License-Identifier: GPL-3.0-or-later
// The fused render path of dilated shapes, rotating, selective and both in one model, run on the CPU: chunks of any size, joined,
// against float64.
#include "close.h"
#include "gpu/carry.h"
#include "gpu/fused_dilated.h"
#include "gpu/fused_output.h"
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

/// What the renderer does on the device, chunk after chunk. One channel. Layers are of the one shape or of the other.
template <class Shape, class Other = Shape>
class HostRender {
    static_assert(fused_together<Shape, Other>());

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
            const auto run = [&]<class Of>() {
                const auto layer = first ? last ? &HostRender::layer<Of, true, true> : &HostRender::layer<Of, true, false>
                                         : last ? &HostRender::layer<Of, false, true> : &HostRender::layer<Of, false, false>;
                (this->*layer)(l, ends, x_in, history_.data() + history, n, chunk);
            };
            is_other(l) ? run.template operator()<Other>() : run.template operator()<Shape>();
            history += size(shape_.blocks[l].conv_floats());
            e_.swap(next_);
        }
    }

private:
    bool is_other(std::size_t l) const { return (shape_.blocks[l].kind == BlockKind::rotating) != Shape::rotating; }

    Floats pack(std::size_t l) const {
        const BlockFields<const float*>& w = weights_.layers[l];
        return is_other(l) ? pack_fused_layer<Other>(w, nullptr, nullptr) : pack_fused_layer<Shape>(w, nullptr, nullptr);
    }

    template <class Of, bool kFirst, bool kLast>
    void layer(std::size_t l, const FusedEnds& ends, float* x_in, float* history, std::int64_t n, int chunk) {
        constexpr int block_chunks = 3;
        const BlockShape& b = shape_.blocks[l];
        const std::int64_t blocks = (n + chunk * block_chunks - 1) / (chunk * block_chunks), tiles = (n + Of::tile_steps - 1) / Of::tile_steps;
        const Floats packed = pack(l), next_packed = kLast ? Floats{} : pack(l + 1);
        Floats states(size(blocks * block_chunks) * Of::columns, NAN), dt_before(size(blocks * block_chunks) * Of::inner, NAN),
            block_states(size(blocks) * Of::columns, NAN), block_dt(size(blocks) * Of::inner, NAN);
        std::vector<Float4> y(size(tiles) * Of::y_floats / 4), rows(size(tiles) * Of::row_floats / 4);
        FusedLayer job{packed.data(), e_.front().v, next_.front().v, ends, nullptr, nullptr, states.data(), dt_before.data(), block_states.data(),
                       block_dt.data(), y.front().v, rows.front().v, n, chunk, block_chunks, x_in, x_in, kLast ? nullptr : next_packed.data(),
                       b.dilation};
        using Group = HostGroup<Of::threads>;
        using Scan = DilatedScan<Of, Group>;
        using Output = FusedOutput<Of, Group, kFirst, kLast>;
        using Input = FusedInput<Of, Group>;
        alignas(16) float tile[std::max({Scan::tile_floats, Output::tile_floats, Input::tile_floats})];
        if (kFirst)
            for (std::int64_t k = blocks * block_chunks; k-- > 0;) Input(Group{}, job, k, tile).run();
        std::copy_n(history, b.conv_floats(), x_in - b.conv_floats());
        for (std::int64_t block = blocks; block-- > 0;) {  // in any order
            float chunk_ends[block_chunks * FusedBlockEnds<Of>::chunk_floats];
            std::fill(std::begin(chunk_ends), std::end(chunk_ends), NAN);
            for (int k = block_chunks; k-- > 0;) Scan(Group{}, job, block * block_chunks + k, tile).run({chunk_ends});
            join_block<Of>(SerialTeam{}, job, block, {chunk_ends});
        }
        join_blocks<Of>(l, block_states, block_dt, chunk * block_chunks, n);
        Floats ended(size(b.conv_floats()));
        std::copy_n(x_in + n * Of::inner - b.conv_floats(), b.conv_floats(), ended.data());
        std::copy(ended.begin(), ended.end(), history);
        for (std::int64_t k = blocks * block_chunks; k-- > 0;) Output(Group{}, job, k, tile).run();
    }

    /// Phase 2. block: samples.
    template <class Of>
    void join_blocks(std::size_t l, Floats& block_states, const Floats& block_dt, int block, std::int64_t n) {
        constexpr int segments = 35;
        using Carry = std::conditional_t<Of::rotating, ComplexCarry, RealCarry>;
        const BlockShape& b = shape_.blocks[l];
        Floats rates;
        for (int i = 0; i < b.d_inner * b.decays(); ++i) rates.push_back(-std::exp(weights_.layers[l].A_log[i]) * log2_e);
        float* const h = h_.data() + l * size(b.h_floats());
        CarryJob carry{block_states.data(), block_dt.data(), rates.data(), h, h, (n + block - 1) / block, b.d_inner, b.d_state, b.tied, false};
        carry.chunk = block, carry.steps = n;
        if (Of::rotating) carry.angles = weights_.layers[l].A_imag;
        std::vector<double> scratch(size(carry_scratch_floats<Carry>(Carry::count(carry), segments)));
        join_chunk_states<Carry>(SerialTeam{}, carry, 0, Carry::count(carry), segments, reinterpret_cast<float*>(scratch.data()));
    }

    ModelShape shape_;
    WeightPointers weights_;
    Floats history_, h_, encoder_, decoder_, x_in_;
    std::vector<Float4> e_, next_;
};

ModelConfig stack(const std::vector<BlockKind>& kinds, int expand, DecayShape a, BBar b_bar) {
    ModelConfig c;
    c.d_model = 8, c.expand = expand, c.d_state = 4, c.n_layers = 6, c.a = a, c.b_bar = b_bar;
    c.blocks = kinds, c.dilations = {1, 3, 9, 27, 81, 243};
    return c;
}

template <class... Shapes>
void check(const ModelConfig& config, double slowest_samples, const std::vector<std::size_t>& calls, int chunk, std::size_t samples) {
    Model model = random_model(config, true, slowest_samples);
    for (LayerWeights& layer : model.weights.layers)  // else e is mostly the encoder's
        for (float& w : layer.out_proj) w *= 16;
    const Floats in = Random(3).vector<float>(samples, -0.5, 0.5);
    const std::vector<double> expected = ReferenceModel(model).process(in);
    HostRender<Shapes...> render(model);
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

constexpr std::size_t whole = std::size_t{1} << 20;

/// Chunks that the longest dilation reaches over and such that it does not, one block and several, ragged ends, calls of any size.
template <class... Shapes>
void check_stack(const ModelConfig& config) {
    for (const int chunk : {4, 32, 100, 256, 8192}) check<Shapes...>(config, 1000, {whole}, chunk, 5003);
    check<Shapes...>(config, 1000, {1, 2, 3, 4, 5, 255, 256, 257, 1001}, 64, 4001);
    check<Shapes...>(config, 48000, {whole}, 256, 20000);
}

using Rotating = FusedShape<8, 8, 4, false, false, true>;
using Ema = FusedShape<8, 8, 4, false, true, false, true>;
using Euler = FusedShape<8, 8, 4, false, false, false, true>;

} // namespace

TEST_CASE("fused rotating layers answer as float64 at any chunk, dilation and call size") {
    using enum BlockKind;
    check_stack<Rotating>(stack({rotating}, 1, DecayShape::full, BBar::euler));
    ModelConfig one = stack({rotating}, 1, DecayShape::full, BBar::euler);
    one.n_layers = 1, one.dilations = {5};
    check<Rotating>(one, 1000, {700, 41}, 64, 2001);
    check<FusedShape<8, 16, 4, true, false, true>>(stack({rotating}, 2, DecayShape::tied, BBar::euler), 1000, {whole, 3}, 64, 3001);
}

TEST_CASE("fused dilated selective layers answer as float64, with either rule") {
    using enum BlockKind;
    check_stack<Ema>(stack({selective}, 1, DecayShape::full, BBar::ema));
    check_stack<Euler>(stack({selective}, 1, DecayShape::full, BBar::euler));
    check<FusedShape<8, 16, 4, true, true, false, true>>(stack({selective}, 2, DecayShape::tied, BBar::ema), 1000, {whole, 3}, 64, 3001);
}

TEST_CASE("fused stacks of rotating and selective layers answer as float64, in any order") {
    using enum BlockKind;
    check_stack<Rotating, Ema>(stack({rotating, selective}, 1, DecayShape::full, BBar::ema));  // the presets
    check_stack<Rotating, Euler>(stack({rotating, selective}, 1, DecayShape::full, BBar::euler));
    for (const std::vector<BlockKind>& kinds : {std::vector{selective, rotating}, {selective, selective, rotating}, {rotating, rotating, selective}})
        check<Rotating, Ema>(stack(kinds, 1, DecayShape::full, BBar::ema), 1000, {whole, 3, 700, 41}, 64, 3001);
    for (const int layers : {1, 2, 3}) {  // the last of either shape
        ModelConfig few = stack({selective, rotating}, 1, DecayShape::full, BBar::ema);
        few.n_layers = layers, few.dilations = {5, 40};
        check<Ema, Rotating>(few, 1000, {700, 41}, 64, 2001);
    }
    ModelConfig undilated = stack({rotating, selective}, 1, DecayShape::full, BBar::ema);
    undilated.dilations = {1};
    check<Rotating, Ema>(undilated, 1000, {whole}, 64, 2001);
    using WideRotating = FusedShape<8, 16, 4, true, false, true>;
    using WideSelective = FusedShape<8, 16, 4, true, true, false, true>;
    check<WideRotating, WideSelective>(stack({rotating, selective}, 2, DecayShape::tied, BBar::ema), 1000, {whole, 3}, 64, 3001);
}
