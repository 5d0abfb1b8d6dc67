// SPDX-License-Identifier: MIT
// The fused render path: three kernels to a layer, and of rotating layers one before the first. For other widths add a line to make_fused_path().
#include "cuda/carry.cuh"
#include "cuda/render_path.h"
#include "gpu/fused_output.h"
#include "gpu/fused_rotating.h"
#include "gpu/fused_scan.h"
#include "gpu/fused_weights.h"
#include "gpu/matrix_output.h"
#include "gpu/matrix_scan.h"
#include "gpu/matrix_weights.h"

#include <algorithm>
#include <cmath>

namespace serpent::kernels::cuda {
namespace {

using gpu::FusedLayer;
using gpu::FusedShape;
using gpu::MatrixShape;

constexpr int fused_threads = 128;

/// Blocks that should fit on a multiprocessor: as few registers to a thread as a phase can do with, so that warps hide each
/// other's waits. One block more spills, and is slower (measured).
template <class Shape>
constexpr int scan_blocks = Shape::threads >= 32 ? 3 : Shape::threads >= 16 ? 4 : 5;
template <class Shape>
constexpr int output_blocks = Shape::threads >= 16 || Shape::rotating ? 4 : 5;

template <class Shape, bool kFirst, bool kLast>
struct Phases {
    using Scan = gpu::FusedScan<Shape, WarpGroup<Shape::threads>, kFirst>;
    using Output = gpu::FusedOutput<Shape, WarpGroup<Shape::threads>, kFirst, kLast>;
};
template <int kModel, int kInner, int kState, bool kTied, bool kFirst, bool kLast>
struct Phases<FusedShape<kModel, kInner, kState, kTied, false, true>, kFirst, kLast> {
    using Shape = FusedShape<kModel, kInner, kState, kTied, false, true>;
    using Scan = gpu::RotatingScan<Shape, WarpGroup<Shape::threads>>;
    using Output = gpu::FusedOutput<Shape, WarpGroup<Shape::threads>, kFirst, kLast>;
};
template <int kModel, int kInner, int kState, bool kEma, bool kFirst, bool kLast>
struct Phases<MatrixShape<kModel, kInner, kState, kEma>, kFirst, kLast> {
    using Scan = gpu::MatrixScan<MatrixShape<kModel, kInner, kState, kEma>, WarpGroup<32>, kFirst>;
    using Output = gpu::MatrixOutput<MatrixShape<kModel, kInner, kState, kEma>, WarpGroup<32>, kFirst, kLast>;
};

/// Chunks of one block.
template <class Shape>
constexpr int block_chunks = fused_threads / Shape::threads;

template <class Shape, bool kFirst>
__global__ void __launch_bounds__(fused_threads, scan_blocks<Shape>) fused_scan_kernel(const __grid_constant__ FusedLayer layer) {
    using Phase = typename Phases<Shape, kFirst, false>::Scan;
    using Ends = gpu::FusedBlockEnds<Shape>;
    __shared__ alignas(16) float tiles[block_chunks<Shape> * Phase::tile_floats];
    __shared__ float chunk_ends[block_chunks<Shape> * Ends::chunk_floats];
    const int k = static_cast<int>(threadIdx.x) / Shape::threads;
    const WarpGroup<Shape::threads> group;
    Phase(group, layer, std::int64_t{blockIdx.x} * block_chunks<Shape> + k, tiles + k * Phase::tile_floats).run(Ends{chunk_ends});
    __syncthreads();
    gpu::join_block<Shape>(BlockTeam{}, layer, blockIdx.x, Ends{chunk_ends});
}

template <class Shape, bool kFirst, bool kLast>
__global__ void __launch_bounds__(fused_threads, output_blocks<Shape>) fused_output_kernel(const __grid_constant__ FusedLayer layer) {
    using Phase = typename Phases<Shape, kFirst, kLast>::Output;
    __shared__ alignas(16) float tiles[block_chunks<Shape> * Phase::tile_floats];
    const int k = static_cast<int>(threadIdx.x) / Shape::threads;
    const WarpGroup<Shape::threads> group;
    Phase(group, layer, std::int64_t{blockIdx.x} * block_chunks<Shape> + k, tiles + k * Phase::tile_floats).run();
}

/// The first layer's x_in, of rotating layers.
template <class Shape>
__global__ void __launch_bounds__(fused_threads) fused_input_kernel(const __grid_constant__ FusedLayer layer) {
    using Phase = gpu::FusedInput<Shape, WarpGroup<Shape::threads>>;
    __shared__ alignas(16) float tiles[block_chunks<Shape> * Phase::tile_floats];
    const int k = static_cast<int>(threadIdx.x) / Shape::threads;
    Phase(WarpGroup<Shape::threads>{}, layer, std::int64_t{blockIdx.x} * block_chunks<Shape> + k, tiles + k * Phase::tile_floats).run();
}

template <class Shape>
class FusedPath : public RenderPath {
public:
    FusedPath(const ModelShape& config, const WeightPointers& weights, FilmCoefficients film, std::int64_t block)
        : layers_(static_cast<int>(config.blocks.size())), e_{DeviceArray<float>(size(block) * Shape::model), DeviceArray<float>(size(block) * Shape::model)},
          states_(size(blocks(block)) * block_chunks<Shape> * Shape::columns), dt_before_(size(blocks(block)) * block_chunks<Shape> * Shape::inner),
          block_states_(size(blocks(block)) * Shape::columns), block_dt_(size(blocks(block)) * Shape::inner),
          history_(Shape::rotating ? 0 : config.conv_floats()), y_(size(tiles(block)) * Shape::y_floats),
          rows_(size(tiles(block)) * Shape::row_floats) {
        std::size_t place = 0;
        for (const BlockShape& b : config.blocks) {
            history_at_.push_back(place);
            place += size(b.conv_floats());
            dilations_.push_back(b.dilation);
            lead_ = std::max(lead_, size(b.conv_floats()));
        }
        if (Shape::rotating) x_in_ = DeviceArray<float>(lead_ + size(block) * Shape::inner);
        for (int l = 0; l < layers_; ++l) {
            const BlockFields<const float*>& w = weights.layers[size(l)];
            packed_.emplace_back(gpu::pack_fused_layer<Shape>(w, film.scale ? film.scale + l * Shape::model : nullptr,
                                                              film.shift ? film.shift + l * Shape::model : nullptr));
            std::vector<float> rates(std::size_t{Shape::inner} * Shape::decays);
            for (std::size_t i = 0; i < rates.size(); ++i) rates[i] = -std::exp(w.A_log[i]) * gpu::log2_e;
            rates_.emplace_back(rates);
            if constexpr (Shape::rotating) angles_.emplace_back(std::vector<float>(w.A_imag, w.A_imag + Shape::inner * Shape::pairs));
        }
        const auto keep = [&](const std::vector<float>& values) { return ends_memory_.emplace_back(values).data(); };
        const auto copy = [&](const float* from, int count) { return from ? keep(std::vector<float>(from, from + count)) : nullptr; };
        ends_ = {keep(gpu::pack_encoder(weights.encoder_weight, config.channels, Shape::model)), copy(weights.encoder_bias, Shape::model),
                 keep(gpu::pack_decoder(weights.decoder_weight, weights.norm_f, config.channels, Shape::model)),
                 copy(weights.decoder_bias, config.channels), copy(weights.skip, config.channels), config.channels, weights.norm_f != nullptr,
                 nullptr, nullptr, 0, 0};
    }

    /// So long that the chunks fill the device a whole number of times: a rest would leave most of it idle. A multiple of a tile.
    int chunk_for(std::int64_t n) const override {
        const std::int64_t wave = std::int64_t{device_status().multiprocessors} * scan_blocks<Shape> * (fused_threads / Shape::threads);
        const std::int64_t waves = (n + wave * longest_chunk - 1) / (wave * longest_chunk);
        const std::int64_t chunk = (n + wave * waves - 1) / (wave * waves);
        return static_cast<int>(chunk < 2 * shortest_chunk ? 2 * shortest_chunk : whole_tiles(chunk));
    }

    void process(CUstream_st* stream, DeviceSignal in, DeviceSignal out, std::int64_t n, int chunk, float* history, float* h) override {
        chunk = static_cast<int>(whole_tiles(chunk));
        const std::int64_t chunks = (n + chunk - 1) / chunk;
        const unsigned grid = blocks_for(chunks, block_chunks<Shape>);
        gpu::FusedEnds ends = ends_;
        ends.in = in.data, ends.in_stride = in.stride, ends.out = out.data, ends.out_stride = out.stride;
        float* const x_in = Shape::rotating ? x_in_.data() + lead_ : nullptr;
        for (int l = 0; l < layers_; ++l) {
            float* const past = history + history_at_[size(l)];
            const bool first = l == 0, last = l == layers_ - 1;
            const FusedLayer layer{packed_[size(l)].data(), e_[l % 2].data(), e_[(l + 1) % 2].data(),
                                   ends, past, Shape::rotating ? nullptr : history_.data() + history_at_[size(l)],
                                   states_.data(), dt_before_.data(), block_states_.data(), block_dt_.data(), y_.data(), rows_.data(),
                                   n, chunk, block_chunks<Shape>, x_in, x_in, last ? nullptr : packed_[size(l + 1)].data(), dilations_[size(l)]};
            const auto output = first ? last ? fused_output_kernel<Shape, true, true> : fused_output_kernel<Shape, true, false>
                                      : last ? fused_output_kernel<Shape, false, true> : fused_output_kernel<Shape, false, false>;
            float* const state = h + size(l) * Shape::columns;
            gpu::CarryJob carry{block_states_.data(), block_dt_.data(), rates_[size(l)].data(), state, state, grid, Shape::inner,
                                Shape::state, Shape::tied, false};
            if constexpr (Shape::rotating) {
                if (first) fused_input_kernel<Shape><<<grid, fused_threads, 0, stream>>>(layer);
                // The history goes in front of x_in for phase 1, and the new one is taken before phase 3 writes the next layer's.
                const std::int64_t past_floats = std::int64_t{Shape::conv - 1} * dilations_[size(l)] * Shape::inner;
                copy(stream, x_in - past_floats, past, past_floats);
                fused_scan_kernel<Shape, false><<<grid, fused_threads, 0, stream>>>(layer);
                copy(stream, past, x_in + n * Shape::inner - past_floats, past_floats);
                carry.angles = angles_[size(l)].data(), carry.chunk = std::int64_t{chunk} * block_chunks<Shape>, carry.steps = n;
                join_chunks<gpu::ComplexCarry>(stream, carry);
            } else {
                const auto scan = first ? fused_scan_kernel<Shape, true> : fused_scan_kernel<Shape, false>;
                scan<<<grid, fused_threads, 0, stream>>>(layer);
                join_chunks(stream, carry);
            }
            output<<<grid, fused_threads, 0, stream>>>(layer);
        }
        if (!Shape::rotating) copy(stream, history, history_.data(), static_cast<std::int64_t>(history_.size()));
        check_launch("rendering");
    }

private:
    static constexpr int shortest_chunk = 16, longest_chunk = Shape::threads >= 32 ? 768 : Shape::threads >= 16 ? 400 : 256;
    static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
    static std::int64_t blocks(std::int64_t n) { return n / (shortest_chunk * block_chunks<Shape>) + 1; }
    static std::int64_t whole_tiles(std::int64_t n) { return tiles(n) * Shape::tile_steps; }
    static void copy(cudaStream_t stream, float* to, const float* from, std::int64_t floats) {
        check(cudaMemcpyAsync(to, from, size(floats) * sizeof(float), cudaMemcpyDeviceToDevice, stream), "copying");
    }
    static std::int64_t tiles(std::int64_t n) { return (n + Shape::tile_steps - 1) / Shape::tile_steps; }

    int layers_;
    std::vector<std::size_t> history_at_;  ///< of every layer
    std::vector<int> dilations_;
    std::size_t lead_ = 0;                 ///< floats of the longest history
    DeviceArray<float> e_[2], x_in_, states_, dt_before_, block_states_, block_dt_, history_, y_, rows_;
    std::vector<DeviceArray<float>> packed_, rates_, angles_, ends_memory_;
    gpu::FusedEnds ends_{};
};

template <class Shape>
std::unique_ptr<RenderPath> make_if_fits(const ModelShape& c, const WeightPointers& weights, FilmCoefficients film, std::int64_t block) {
    constexpr bool ema = Shape::rule == equations::InputRule::ema;
    const bool fits = std::ranges::all_of(c.blocks, [&](const BlockShape& b) {
        const bool kind_fits = Shape::rotating ? b.kind == BlockKind::rotating && b.step_ratio == 1 : b.kind == BlockKind::selective && b.dilation == 1;
        return kind_fits && b.d_model == Shape::model && b.d_inner == Shape::inner && b.d_state == Shape::state &&
               b.d_conv == Shape::conv && b.dt_rank == 1 && b.tied == Shape::tied && b.ema == ema;
    });
    return fits ? std::make_unique<FusedPath<Shape>>(c, weights, film, block) : nullptr;
}

template <class... Shapes>
std::unique_ptr<RenderPath> first_that_fits(const ModelShape& c, const WeightPointers& weights, FilmCoefficients film, std::int64_t block) {
    std::unique_ptr<RenderPath> path;
    (void)((path = make_if_fits<Shapes>(c, weights, film, block)) || ...);
    return path;
}

} // namespace

std::unique_ptr<RenderPath> make_fused_path(const ModelShape& c, const WeightPointers& weights, FilmCoefficients film, std::int64_t block) {
    // d_model, d_inner, d_state, tied, ema, rotating
    return first_that_fits<FusedShape<8, 8, 4, false, false, true>,  // standard and max
                           FusedShape<8, 8, 4, false, true>,      // nano
                           FusedShape<8, 16, 4, true, true>,      // what standard was
                           FusedShape<8, 16, 8, false, true>,     // what max was
                           MatrixShape<16, 32, 16, false>,        // a public checkpoint's form
                           MatrixShape<16, 32, 16, true>>(c, weights, film, block);
}

} // namespace serpent::kernels::cuda
