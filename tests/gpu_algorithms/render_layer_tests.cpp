// SPDX-License-Identifier: GPL-3.0-or-later
// The render path for any blocks, and the filters at the ends, as the GPU runs them, on the CPU: chunks, joined, against float64.
#include "close.h"
#include "gpu/fir.h"
#include "gpu/model_layout.h"
#include "gpu/render_layer.h"
#include "gpu_algorithms/segment_case.h"
#include "lanes/lane_buffer.h"
#include "reference_model.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::kernels::gpu;
using serpent::kernels::BlockShape, serpent::kernels::EndFields;
using namespace serpent::test;

namespace {

using Floats = lanes::LaneBuffer;  // aligned
std::size_t size(Index n) { return static_cast<std::size_t>(n); }

/// What the renderer does on the device, chunk after chunk, in any order. Signals are planar.
class HostRender {
public:
    explicit HostRender(Model& model)
        : layout_(device_layout(model.config, model.weights)), shape_(shape_of(layout_.shape, 0)), layers_(layers_of(layout_.shape, layout_.layers)),
          parameters_(model.weights.values), rates_(size(shape_.rates)), turns_(size(shape_.turns)),
          chunk_turns_(turns_), state_(zero_state(model.config)) {
        layer_constants(SerialTeam{}, shape_.n_layers, layers_.data(), parameters_.data(), render_inner_chunk,
                        {rates_.data(), turns_.data(), chunk_turns_.data()});
    }

    std::vector<float> process(const std::vector<float>& in, int chunk) {
        const SerialTeam team;
        const Index n = static_cast<Index>(in.size()) / shape_.channels, stride = (n + 31) / 32 * 32;
        const Parameters<const float> p{parameters_.data(), layers_.data(), layout_.model};
        const EndFields<int>& at = layout_.model;
        Floats heard(in.size(), NAN), e(size(shape_.d_model * stride), NAN), next(e.size(), NAN), r(size(n)), answer(in.size(), NAN);
        std::vector<float> out(in.size(), NAN);
        const auto planar = [&](auto& signal) { return Rows{const_cast<float*>(signal.data()), n}; };
        filter(layout_.shape.fir_in, p.at(at.fir_in), state_.fir_in, planar(in), planar(heard));
        linear<false>(team, linear_map(p.at(at.encoder_weight), p.at(at.encoder_bias), shape_.channels, shape_.d_model), n, planar(heard), {e.data(), stride});
        for (int l = 0; l < shape_.n_layers; ++l, e.swap(next)) layer(p, l, n, chunk, {e.data(), stride}, {next.data(), stride});
        Rows normed{e.data(), stride};
        if (at.norm_f >= 0) {
            rms_norm(team, shape_.d_model, n, p.at(at.norm_f), nullptr, nullptr, normed, {next.data(), stride}, r.data());
            normed.data = next.data();
        }
        linear<false>(team, linear_map(p.at(at.decoder_weight), p.at(at.decoder_bias), shape_.d_model, shape_.channels), n, normed, planar(answer));
        for (Index i = 0; at.skip >= 0 && i < n * shape_.channels; ++i) answer[size(i)] += p.at(at.skip)[i / n] * heard[size(i)];
        filter(layout_.shape.fir_out, p.at(at.fir_out), state_.fir_out, planar(answer), planar(out));
        return out;
    }

private:
    void filter(int taps, const float* w, std::vector<float>& history, ConstRows in, Rows out) const {
        const SerialTeam team;
        const Index n = in.stride, room = fir_room(taps), stride = room + (n + 31) / 32 * 32 + 32;
        if (taps == 0) return each_sample(team, shape_.channels, n, [&](int c, Index t) { out(c, t) = in(c, t); });
        Floats memory(size(shape_.channels * stride), NAN);
        const Rows x{memory.data() + room, stride};
        begin_fir(team, shape_.channels, taps, n, in, history.data(), x);
        fir<false>(team, shape_.channels, taps, n, w, x, out);
        advance_fir(team, shape_.channels, taps, n, x, history.data());
    }

    void layer(const Parameters<const float>& p, int l, Index n, int chunk, Rows e, Rows next) {
        const Layer& layer = layers_[size(l)];
        const BlockShape& b = layer.block;
        const Index chunks = chunk_count(n, chunk);
        Floats x_in(size(b.d_inner * e.stride), NAN), ends(size(chunks * b.h_floats()), NAN), dt_sum(size(chunks * b.d_inner), NAN);
        Floats workspace(size(carve_render(nullptr, shape_, chunk).floats), NAN);
        const RenderWorkspace memory = carve_render(workspace.data(), shape_, chunk);
        const RenderLayer job{shape_, p, {rates_.data(), turns_.data(), chunk_turns_.data()}, nullptr, nullptr, e, next, {x_in.data(), e.stride},
                              state_.conv.data() + layer.history, ends.data(), dt_sum.data(), n, l, chunk};
        for (Index k = chunks; k-- > 0;) render_chunk<RenderPhase::inputs>(SerialTeam{}, job, memory, k);
        for (Index k = chunks; k-- > 0;) render_chunk<RenderPhase::ends>(SerialTeam{}, job, memory, k);
        const CarryJob carry = render_carry(job, layer, p.at(layer.at.A_imag), state_.h.data() + layer.h);
        constexpr int segments = 35;
        Floats scratch(size(carry_scratch_floats<ComplexCarry>(carry.columns(), segments)));
        if (b.kind == BlockKind::selective) join_chunk_states<RealCarry>(SerialTeam{}, carry, 0, carry.columns(), segments, scratch.data());
        else join_chunk_states<ComplexCarry>(SerialTeam{}, carry, 0, carry.columns() / 2, segments, scratch.data());
        for (Index k = chunks; k-- > 0;) render_chunk<RenderPhase::outputs>(SerialTeam{}, job, memory, k);
        std::vector<float> ended(size(b.conv_floats()));
        advance_history(SerialTeam{}, n, {{x_in.data(), e.stride}, job.history, b.d_inner, b.d_conv, b.dilation}, ended.data());
        std::copy(ended.begin(), ended.end(), state_.conv.begin() + layer.history);
    }

    kernels::DeviceModelLayout layout_;
    Shape shape_;
    std::vector<Layer> layers_;
    std::vector<float> parameters_, rates_;
    std::vector<Turn> turns_, chunk_turns_;
    State state_;
};

std::vector<float> slice(const std::vector<float>& planar, std::size_t channels, std::size_t first, std::size_t n) {
    const std::size_t all = planar.size() / channels;
    std::vector<float> part;
    for (std::size_t c = 0; c < channels; ++c) part.insert(part.end(), &planar[c * all + first], &planar[c * all + first] + n);
    return part;
}

} // namespace

TEST_CASE("the render path for any blocks and filters answers as float64 in any chunks and calls") {
    const std::size_t n = 3001;
    for (const auto& [name, config] : block_cases()) {
        Model model = random_model(config, true, 2000.0);
        const std::size_t channels = size(config.channels);
        const std::vector<float> in = Random(9).vector<float>(n * channels, -0.5, 0.5);
        std::vector<float> interleaved(in.size());
        for (std::size_t i = 0; i < in.size(); ++i) interleaved[i % n * channels + i / n] = in[i];
        const std::vector<double> expected = ReferenceModel(model).process(interleaved);
        for (const int chunk : {8, 64, 512})
            for (const std::size_t call : {n, std::size_t{700}, std::size_t{97}}) {
                HostRender render(model);
                std::vector<float> got(n * channels);
                for (std::size_t at = 0; at < n; at += call) {
                    const std::size_t count = std::min(call, n - at);
                    const std::vector<float> out = render.process(slice(in, channels, at, count), chunk);
                    for (std::size_t i = 0; i < out.size(); ++i) got[(at + i % count) * channels + i / count] = out[i];
                }
                const Distance d = distance(expected, got);
                CAPTURE(name, chunk, call);
                INFO(d.rms << " rms, " << d.max << " max");
                CHECK(d.within(1e-5, 1e-4));
            }
    }
}
