// SPDX-License-Identifier: MIT
// Rendering with any blocks: a thread block to a chunk of time, by the phases of kernels/gpu/render_layer.h.
#include "cuda/carry.cuh"
#include "cuda/render_path.h"
#include "gpu/render_layer.h"

#include <algorithm>
#include <cmath>

namespace serpent::kernels::cuda {
namespace {

using gpu::Index;
using gpu::Parameters;
using gpu::Rows;
using gpu::Shape;

using gpu::RenderLayer;
using gpu::RenderPhase;

constexpr int generic_threads = 256, inner_chunk = gpu::render_inner_chunk;
constexpr std::size_t workspace_budget = std::size_t{2} << 30;

template <RenderPhase kPhase>
__global__ void __launch_bounds__(generic_threads) generic_kernel(const __grid_constant__ RenderLayer job, float* workspace, Index workspace_floats) {
    const gpu::RenderWorkspace memory = gpu::carve_render(workspace + Index{blockIdx.x} * workspace_floats, job.shape, job.chunk);
    for (Index chunk = blockIdx.x; chunk * job.chunk < job.length; chunk += gridDim.x)
        gpu::render_chunk<kPhase>(BlockTeam{}, job, memory, chunk);
}

__global__ void history_kernel(const gpu::ConvInput x, Index length, float* history_out) {
    gpu::advance_history(GridTeam{}, length, x, history_out);
}
__global__ void constants_kernel(int n_layers, const gpu::Layer* layers, const float* weights,
                                 const gpu::ConstantsOf<float, gpu::Turn> to) {
    gpu::layer_constants(GridTeam{}, n_layers, layers, weights, inner_chunk, to);
}

template <bool kAdd>
__global__ void linear_kernel(const gpu::LinearMap map, Index steps, gpu::ConstRows x, Rows y) {
    gpu::linear<kAdd>(GridTeam{}, map, steps, x, y);
}
__global__ void norm_kernel(int channels, Index steps, const float* w, gpu::ConstRows e, Rows u, float* r) {
    gpu::rms_norm(GridTeam{}, channels, steps, w, nullptr, nullptr, e, u, r);
}
__global__ void skip_kernel(int channels, Index steps, const float* skip, gpu::ConstRows in, Rows out) {
    gpu::each_sample(GridTeam{}, channels, steps, [&](int c, Index t) { out(c, t) = fmaf(skip[c], in(c, t), out(c, t)); });
}

/// Copies host tensors one behind the other.
class FlatWeights {
public:
    int add(const float* values, std::size_t count) {
        if (!values) return -1;
        flat_.resize((flat_.size() + 3) / 4 * 4);
        flat_.insert(flat_.end(), values, values + count);
        return static_cast<int>(flat_.size() - count);
    }
    const std::vector<float>& flat() const { return flat_; }

private:
    std::vector<float> flat_;
};

class GenericPath : public RenderPath {
public:
    GenericPath(const ModelShape& c, const WeightPointers& weights, FilmCoefficients film, std::int64_t block)
        : shape_(gpu::shape_of(c, 0)), stride_((block + 31) / 32 * 32) {
        flatten(c, weights);
        rates_ = DeviceArray<float>(size(shape_.rates));
        turns_ = DeviceArray<gpu::Turn>(size(shape_.turns));
        chunk_turns_ = DeviceArray<gpu::Turn>(size(shape_.turns));
        constants_kernel<<<1, 256>>>(shape_.n_layers, device_layers_.data(), weights_.data(),
                                     {rates_.data(), turns_.data(), chunk_turns_.data()});
        check(cudaStreamSynchronize(nullptr), "computing");
        const std::size_t coefficients = size(shape_.n_layers) * size(shape_.d_model);
        if (film.scale) {
            scale_ = DeviceArray<float>(std::vector<float>(film.scale, film.scale + coefficients));
            shift_ = DeviceArray<float>(std::vector<float>(film.shift, film.shift + coefficients));
        }
        for (auto& e : e_) e = DeviceArray<float>(size(stride_) * size(shape_.d_model));
        x_in_ = DeviceArray<float>(size(stride_) * size(shape_.d_inner));
        r_ = DeviceArray<float>(size(stride_));
        history_ = DeviceArray<float>(std::max<std::size_t>(1, size(shape_.history_floats)));
        workspace_floats_ = gpu::carve_render(nullptr, shape_, chunk_).floats;
        const std::size_t chunks = size((block + chunk_ - 1) / chunk_);
        blocks_ = static_cast<unsigned>(std::min({chunks, size(8 * device_status().multiprocessors),
                                                  std::max<std::size_t>(1, workspace_budget / sizeof(float) / size(workspace_floats_))}));
        workspace_ = DeviceArray<float>(blocks_ * size(workspace_floats_));
        ends_ = DeviceArray<float>(chunks * size(shape_.columns));
        dt_sum_ = DeviceArray<float>(chunks * size(shape_.d_inner));
    }

    int chunk_for(std::int64_t) const override { return chunk_; }  // its workspace is for this one

    void process(CUstream_st* stream, DeviceSignal in, DeviceSignal out, std::int64_t n, int, float* history, float* h) override {
        const gpu::ConstRows audio{in.data, in.stride};
        const Parameters<const float> p{weights_.data(), device_layers_.data(), model_};
        linear_kernel<false><<<grid(shape_.d_model * n), 256, 0, stream>>>(
            gpu::linear_map(p.at(model_.encoder_weight), p.at(model_.encoder_bias), shape_.channels, shape_.d_model), n, audio, rows(0));
        int from = 0;
        for (int l = 0; l < shape_.n_layers; ++l, from ^= 1) layer(stream, l, n, rows(from), rows(from ^ 1), history, h);
        Rows normed = rows(from);
        if (model_.norm_f >= 0) {
            normed = rows(from ^ 1);
            norm_kernel<<<grid(n), 256, 0, stream>>>(shape_.d_model, n, p.at(model_.norm_f), rows(from), normed, r_.data());
        }
        const Rows to{out.data, out.stride};
        linear_kernel<false><<<grid(n), 256, 0, stream>>>(
            gpu::linear_map(p.at(model_.decoder_weight), p.at(model_.decoder_bias), shape_.d_model, shape_.channels), n, normed, to);
        if (model_.skip >= 0) skip_kernel<<<grid(n), 256, 0, stream>>>(shape_.channels, n, p.at(model_.skip), audio, to);
        check_launch("rendering");
    }

private:
    static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
    static unsigned grid(std::int64_t items) { return std::min(blocks_for(items, 256), 1u << 16); }
    Rows rows(int i) const { return {e_[i].data(), stride_}; }

    void flatten(const ModelShape& c, const WeightPointers& weights) {
        FlatWeights flat;
        std::vector<BlockFields<int>> places;
        for (std::size_t l = 0; l < c.blocks.size(); ++l) {
            BlockFields<int>& at = places.emplace_back();
            for (int i = 0; i <= static_cast<int>(BlockField::film_bias); ++i) at[static_cast<BlockField>(i)] = -1;
            for (const BlockTensor& tensor : block_tensors(c.blocks[l].kind)) {
                if (tensor.decay_class == DecayClass::film) continue;  // its coefficients are given
                std::size_t count = 1;
                for (const int n : tensor.shape(c.blocks[l]))
                    if (n > 0) count *= size(n);
                at[tensor.field] = flat.add(weights.layers[l][tensor.field], count);
            }
        }
        const std::size_t ends = size(c.channels) * size(shape_.d_model), dm = size(shape_.d_model), channels = size(c.channels);
        model_ = {flat.add(weights.encoder_weight, ends), flat.add(weights.encoder_bias, dm), flat.add(weights.norm_f, dm),
                  flat.add(weights.decoder_weight, ends), flat.add(weights.decoder_bias, channels), flat.add(weights.skip, channels),
                  -1, -1, -1, -1};
        weights_ = DeviceArray<float>(flat.flat());
        layers_ = gpu::layers_of(c, places);
        device_layers_ = DeviceArray<gpu::Layer>(layers_);
    }

    void layer(cudaStream_t stream, int l, std::int64_t n, Rows from, Rows to, float* history, float* h) {
        const gpu::Layer& layer = layers_[size(l)];
        const BlockShape& b = layer.block;
        float* const past = history + layer.history;
        float* const state = h + layer.h;
        const std::int64_t chunks = (n + chunk_ - 1) / chunk_;
        const Rows x_in{x_in_.data(), stride_};
        const Parameters<const float> p{weights_.data(), device_layers_.data(), model_};
        const RenderLayer job{shape_, p, {rates_.data(), turns_.data(), chunk_turns_.data()},
                               scale_.data() ? scale_.data() + l * shape_.d_model : nullptr,
                               shift_.data() ? shift_.data() + l * shape_.d_model : nullptr,
                               from, to, x_in, past, ends_.data(), dt_sum_.data(), n, l, chunk_};
        const unsigned blocks = static_cast<unsigned>(std::min<std::int64_t>(chunks, blocks_));
        generic_kernel<RenderPhase::inputs><<<blocks, generic_threads, 0, stream>>>(job, workspace_.data(), workspace_floats_);
        generic_kernel<RenderPhase::ends><<<blocks, generic_threads, 0, stream>>>(job, workspace_.data(), workspace_floats_);
        const gpu::CarryJob carry = gpu::render_carry(job, layer, p.at(layer.at.A_imag), state);
        b.kind == BlockKind::selective ? join_chunks(stream, carry) : join_chunks<gpu::ComplexCarry>(stream, carry);
        generic_kernel<RenderPhase::outputs><<<blocks, generic_threads, 0, stream>>>(job, workspace_.data(), workspace_floats_);
        if (b.conv_floats() == 0) return;
        history_kernel<<<grid(b.conv_floats()), 256, 0, stream>>>({x_in, past, b.d_inner, b.d_conv, b.dilation, 0}, n, history_.data());
        check(cudaMemcpyAsync(past, history_.data(), size(b.conv_floats()) * sizeof(float), cudaMemcpyDeviceToDevice, stream), "copying");
    }

    Shape shape_;
    std::int64_t stride_;
    static constexpr int chunk_ = 512;
    EndFields<int> model_{};
    std::vector<gpu::Layer> layers_;
    DeviceArray<gpu::Layer> device_layers_;
    DeviceArray<float> weights_, rates_, scale_, shift_, e_[2], x_in_, r_, history_, workspace_, ends_, dt_sum_;
    DeviceArray<gpu::Turn> turns_, chunk_turns_;
    Index workspace_floats_ = 0;
    unsigned blocks_ = 1;
};

} // namespace

std::unique_ptr<RenderPath> make_generic_path(const ModelShape& config, const WeightPointers& weights, FilmCoefficients film,
                                              std::int64_t block_samples) {
    return std::make_unique<GenericPath>(config, weights, film, block_samples);
}

} // namespace serpent::kernels::cuda
