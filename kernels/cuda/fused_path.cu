// SPDX-License-Identifier: MIT
// The fused render path: three kernels to a layer. For other widths add a line to make_fused_path().
#include "cuda/carry.cuh"
#include "cuda/render_path.h"
#include "device/fused_output.h"
#include "device/fused_scan.h"
#include "device/fused_weights.h"
#include "reference/rms_norm.h"

#include <cmath>

namespace serpent::kernels::cuda {
namespace {

using device::FusedLayer;
using device::FusedShape;

constexpr int fused_threads = 128;

/// Blocks that should fit on a multiprocessor: as few registers to a thread as a phase can do with, so that warps hide each
/// other's waits. One block more spills, and is slower (measured).
template <class Shape>
constexpr int scan_blocks = Shape::lanes >= 32 ? 3 : Shape::lanes >= 16 ? 4 : 5;
template <class Shape>
constexpr int output_blocks = Shape::lanes >= 32 ? 3 : Shape::lanes >= 16 ? 5 : 6;

template <class Phase>
__device__ void run_phase(const FusedLayer& layer, float* tiles) {
    using Group = typename Phase::GroupType;
    const int index = static_cast<int>(threadIdx.x) / Group::lanes;
    const Group group;
    Phase(group, layer, std::int64_t{blockIdx.x} * (fused_threads / Group::lanes) + index, tiles + index * Phase::tile_floats).run();
}

template <class Shape>
__global__ void __launch_bounds__(fused_threads, scan_blocks<Shape>) fused_scan_kernel(const __grid_constant__ FusedLayer layer) {
    using Phase = device::FusedScan<Shape, WarpGroup<Shape::lanes>>;
    __shared__ alignas(16) float tiles[fused_threads / Shape::lanes * Phase::tile_floats];
    run_phase<Phase>(layer, tiles);
}

template <class Shape>
__global__ void __launch_bounds__(fused_threads, output_blocks<Shape>) fused_output_kernel(const __grid_constant__ FusedLayer layer) {
    using Phase = device::FusedOutput<Shape, WarpGroup<Shape::lanes>>;
    __shared__ alignas(16) float tiles[fused_threads / Shape::lanes * Phase::tile_floats];
    run_phase<Phase>(layer, tiles);
}

struct Ends {
    const float *encoder_weight, *encoder_bias, *norm_f, *decoder_weight, *decoder_bias, *skip;
    int channels;
};

template <int kModel>
__global__ void encode_kernel(const Ends ends, const DeviceSignal in, float* e, std::int64_t n) {
    const std::int64_t t = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (t >= n) return;
    float row[kModel];
#pragma unroll
    for (int m = 0; m < kModel; ++m) row[m] = ends.encoder_bias[m];
    for (int c = 0; c < ends.channels; ++c) {
        const float x = in.data[c * in.stride + t];
#pragma unroll
        for (int m = 0; m < kModel; ++m) row[m] = fmaf(ends.encoder_weight[m * ends.channels + c], x, row[m]);
    }
#pragma unroll
    for (int m = 0; m < kModel; m += 4) device::store4(e + t * kModel + m, {{row[m], row[m + 1], row[m + 2], row[m + 3]}});
}

template <int kModel>
__global__ void decode_kernel(const Ends ends, const float* e, const DeviceSignal in, const DeviceSignal out, std::int64_t n) {
    const std::int64_t t = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (t >= n) return;
    float row[kModel], r = 1.0f, sum = 0.0f;
#pragma unroll
    for (int m = 0; m < kModel; m += 4) {
        const device::Float4 v = device::load4(e + t * kModel + m);
#pragma unroll
        for (int k = 0; k < 4; ++k) row[m + k] = v.v[k], sum = fmaf(v.v[k], v.v[k], sum);
    }
    if (ends.norm_f) r = device::inverse_sqrt(sum / kModel + static_cast<float>(reference::rms_norm_eps));
    for (int c = 0; c < ends.channels; ++c) {
        float y = ends.decoder_bias[c];
        if (ends.skip) y = fmaf(ends.skip[c], in.data[c * in.stride + t], y);
#pragma unroll
        for (int m = 0; m < kModel; ++m) {
            const float normed = ends.norm_f ? row[m] * r * ends.norm_f[m] : row[m];
            y = fmaf(ends.decoder_weight[c * kModel + m], normed, y);
        }
        out.data[c * out.stride + t] = y;
    }
}

template <class Shape>
class FusedPath : public RenderPath {
public:
    FusedPath(const LiveConfig& config, const LiveWeights& weights, FilmCoefficients film, std::int64_t block)
        : layers_(config.n_layers), e_{DeviceArray<float>(size(block) * Shape::model), DeviceArray<float>(size(block) * Shape::model)},
          states_(size(block / shortest_chunk + 1) * Shape::inner * Shape::state), dt_sum_(size(block / shortest_chunk + 1) * Shape::inner),
          history_(size(config.n_layers) * history_floats), y_(size(tiles(block)) * 4 * Shape::inner), rows_(size(tiles(block)) * Shape::row_floats) {
        for (int l = 0; l < layers_; ++l) {
            const LiveLayerWeights& w = weights.layers[size(l)];
            packed_.emplace_back(device::pack_fused_layer<Shape>(w, film.scale ? film.scale + l * Shape::model : nullptr,
                                                                 film.shift ? film.shift + l * Shape::model : nullptr));
            std::vector<float> rates(std::size_t{Shape::inner} * Shape::decays);
            for (std::size_t i = 0; i < rates.size(); ++i) rates[i] = -std::exp(w.A_log[i]) * device::log2_e;
            rates_.emplace_back(rates);
        }
        const std::size_t ends = size(config.channels) * Shape::model;
        const auto copy = [&](const float* from, std::size_t count) {
            return from ? ends_memory_.emplace_back(std::vector<float>(from, from + count)).data() : nullptr;
        };
        ends_ = {copy(weights.encoder_weight, ends), copy(weights.encoder_bias, Shape::model), copy(weights.norm_f, Shape::model),
                 copy(weights.decoder_weight, ends), copy(weights.decoder_bias, size(config.channels)),
                 copy(weights.skip, size(config.channels)), config.channels};
    }

    /// So long that the chunks fill the device a whole number of times: a rest would leave most of it idle. A multiple of a tile.
    int chunk_for(std::int64_t n) const override {
        const std::int64_t wave = std::int64_t{device_status().multiprocessors} * scan_blocks<Shape> * (fused_threads / Shape::lanes);
        const std::int64_t waves = (n + wave * longest_chunk - 1) / (wave * longest_chunk);
        const std::int64_t chunk = (n + wave * waves - 1) / (wave * waves);
        return static_cast<int>(chunk < 2 * shortest_chunk ? 2 * shortest_chunk : (chunk + 3) / 4 * 4);
    }

    void process(CUstream_st* stream, DeviceSignal in, DeviceSignal out, std::int64_t n, int chunk, float* history, float* h) override {
        const std::int64_t chunks = (n + chunk - 1) / chunk;
        encode_kernel<Shape::model><<<blocks_for(n, 256), 256, 0, stream>>>(ends_, in, e_[0].data(), n);
        int from = 0;
        for (int l = 0; l < layers_; ++l, from ^= 1) {
            float* const state = h + size(l) * Shape::inner * Shape::state;
            const FusedLayer layer{packed_[size(l)].data(), e_[from].data(), e_[from ^ 1].data(), history + size(l) * history_floats,
                                   history_.data() + size(l) * history_floats, states_.data(), dt_sum_.data(), y_.data(), rows_.data(), n, chunk};
            const unsigned blocks = blocks_for(chunks, fused_threads / Shape::lanes);
            fused_scan_kernel<Shape><<<blocks, fused_threads, 0, stream>>>(layer);
            join_chunks(stream, {states_.data(), dt_sum_.data(), rates_[size(l)].data(), state, state, chunks, Shape::inner,
                                 Shape::state, Shape::tied, false});
            fused_output_kernel<Shape><<<blocks, fused_threads, 0, stream>>>(layer);
        }
        check(cudaMemcpyAsync(history, history_.data(), history_.size() * sizeof(float), cudaMemcpyDeviceToDevice, stream), "copying");
        decode_kernel<Shape::model><<<blocks_for(n, 256), 256, 0, stream>>>(ends_, e_[from].data(), in, out, n);
        check_launch("rendering");
    }

private:
    static constexpr int shortest_chunk = 16, longest_chunk = 512;
    static constexpr std::size_t history_floats = std::size_t{Shape::conv - 1} * Shape::inner;
    static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
    static std::int64_t tiles(std::int64_t n) { return (n + Shape::tile_steps - 1) / Shape::tile_steps; }

    int layers_;
    DeviceArray<float> e_[2], states_, dt_sum_, history_, y_, rows_;
    std::vector<DeviceArray<float>> packed_, rates_, ends_memory_;
    Ends ends_{};
};

template <class Shape>
std::unique_ptr<RenderPath> make_if_fits(const LiveConfig& c, const LiveWeights& weights, FilmCoefficients film, std::int64_t block) {
    constexpr bool ema = Shape::rule == reference::InputRule::ema;
    const bool fits = c.d_model == Shape::model && c.d_inner == Shape::inner && c.d_state == Shape::state && c.d_conv == Shape::conv &&
                      c.dt_rank == 1 && c.tied == Shape::tied && c.ema == ema;
    return fits ? std::make_unique<FusedPath<Shape>>(c, weights, film, block) : nullptr;
}

template <class... Shapes>
std::unique_ptr<RenderPath> first_that_fits(const LiveConfig& c, const LiveWeights& weights, FilmCoefficients film, std::int64_t block) {
    std::unique_ptr<RenderPath> path;
    (void)((path = make_if_fits<Shapes>(c, weights, film, block)) || ...);
    return path;
}

} // namespace

std::unique_ptr<RenderPath> make_fused_path(const LiveConfig& c, const LiveWeights& weights, FilmCoefficients film, std::int64_t block) {
    // d_model, d_inner, d_state, tied, ema
    return first_that_fits<FusedShape<8, 8, 4, false, true>,      // nano
                           FusedShape<8, 16, 4, true, true>,      // standard
                           FusedShape<8, 16, 8, false, true>,     // max
                           FusedShape<16, 32, 16, false, false>,  // a public checkpoint's form
                           FusedShape<16, 32, 16, false, true>>(c, weights, film, block);
}

} // namespace serpent::kernels::cuda
