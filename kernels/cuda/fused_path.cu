// SPDX-License-Identifier: MIT
// The fused render path: three kernels to a layer, and of dilated shapes one before the first. For other widths add a line to make_fused_path().
#include "cuda/carry.cuh"
#include "cuda/render_path.h"
#include "gpu/fused_dilated.h"
#include "gpu/fused_output.h"
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
constexpr int output_blocks = Shape::threads >= 16 || Shape::dilated ? 4 : 5;

template <class Shape, bool kFirst, bool kLast>
struct Phases {
    using Scan = gpu::FusedScan<Shape, WarpGroup<Shape::threads>, kFirst>;
    using Output = gpu::FusedOutput<Shape, WarpGroup<Shape::threads>, kFirst, kLast>;
};
template <class Shape, bool kFirst, bool kLast>
    requires(Shape::dilated)
struct Phases<Shape, kFirst, kLast> {
    using Scan = gpu::DilatedScan<Shape, WarpGroup<Shape::threads>>;
    using Output = gpu::FusedOutput<Shape, WarpGroup<Shape::threads>, kFirst, kLast>;
};
template <class Shape, bool kFirst, bool kLast>
    requires(Shape::by_matrix)
struct Phases<Shape, kFirst, kLast> {
    using Scan = gpu::MatrixScan<Shape, WarpGroup<32>, kFirst>;
    using Output = gpu::MatrixOutput<Shape, WarpGroup<32>, kFirst, kLast>;
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

/// The first layer's x_in, of dilated shapes.
template <class Shape>
__global__ void __launch_bounds__(fused_threads) fused_input_kernel(const __grid_constant__ FusedLayer layer) {
    using Phase = gpu::FusedInput<Shape, WarpGroup<Shape::threads>>;
    __shared__ alignas(16) float tiles[block_chunks<Shape> * Phase::tile_floats];
    const int k = static_cast<int>(threadIdx.x) / Shape::threads;
    Phase(WarpGroup<Shape::threads>{}, layer, std::int64_t{blockIdx.x} * block_chunks<Shape> + k, tiles + k * Phase::tile_floats).run();
}

/// Whether a block's layer is of this shape.
template <class Shape>
bool fits(const BlockShape& b) {
    const bool kind_fits = Shape::rotating ? b.kind == BlockKind::rotating && b.step_ratio == 1
                                           : b.kind == BlockKind::selective && b.ema == (Shape::rule == equations::InputRule::ema);
    return kind_fits && (Shape::dilated || b.dilation == 1) && b.d_model == Shape::model && b.d_inner == Shape::inner &&
           b.d_state == Shape::state && b.d_conv == Shape::conv && b.dt_rank == 1 && b.tied == Shape::tied;
}

/// Each layer is of the one shape or of the other.
template <class Shape, class Other = Shape>
class FusedPath : public RenderPath {
    static_assert(gpu::fused_together<Shape, Other>() && scan_blocks<Shape> == scan_blocks<Other>);

public:
    static bool takes(const ModelShape& c) {
        return std::ranges::all_of(c.blocks, [](const BlockShape& b) { return fits<Shape>(b) || fits<Other>(b); });
    }

    FusedPath(const ModelShape& config, const WeightPointers& weights, FilmCoefficients film, std::int64_t block)
        : e_{DeviceArray<float>(size(block) * Shape::model), DeviceArray<float>(size(block) * Shape::model)},
          states_(size(blocks(block)) * block_chunks<Shape> * Shape::columns), dt_before_(size(blocks(block)) * block_chunks<Shape> * Shape::inner),
          block_states_(size(blocks(block)) * Shape::columns), block_dt_(size(blocks(block)) * Shape::inner),
          history_(Shape::dilated ? 0 : config.conv_floats()), y_(size(tiles(block)) * Shape::y_floats),
          rows_(size(tiles(block)) * Shape::row_floats) {
        std::size_t place = 0, lead = 0;
        for (const BlockShape& b : config.blocks) {
            Layer& layer = layers_.emplace_back();
            layer.history_at = place, layer.dilation = b.dilation, layer.other = !fits<Shape>(b);
            place += size(b.conv_floats());
            lead = std::max(lead, size(b.conv_floats()));
        }
        if (Shape::dilated) x_in_memory_ = DeviceArray<float>(lead + size(block) * Shape::inner), x_in_ = x_in_memory_.data() + lead;
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            const auto at_layer = [&](const float* values) { return values ? values + l * Shape::model : nullptr; };
            const FilmCoefficients own{at_layer(film.scale), at_layer(film.shift)};
            layers_[l].other ? pack<Other>(layers_[l], weights.layers[l], own) : pack<Shape>(layers_[l], weights.layers[l], own);
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
        gpu::FusedEnds ends = ends_;
        ends.in = in.data, ends.in_stride = in.stride, ends.out = out.data, ends.out_stride = out.stride;
        const Call call{stream, ends, n, static_cast<int>(whole_tiles(chunk)), history, h};
        for (std::size_t l = 0; l < layers_.size(); ++l)
            layers_[l].other ? run_layer<Other>(call, l) : run_layer<Shape>(call, l);
        if (!Shape::dilated) copy(stream, history, history_.data(), static_cast<std::int64_t>(history_.size()));
        check_launch("rendering");
    }

private:
    static constexpr int shortest_chunk = 16, longest_chunk = Shape::threads >= 32 ? 768 : Shape::threads >= 16 ? 400 : 256;

    struct Layer {
        std::size_t history_at = 0;
        int dilation = 1;
        bool other = false;  ///< of the other shape
        DeviceArray<float> packed, rates, angles;
    };
    /// What is the same for all layers of a call of process().
    struct Call {
        cudaStream_t stream;
        gpu::FusedEnds ends;
        std::int64_t n;
        int chunk;
        float *history, *h;
    };

    /// film: this layer's.
    template <class Of>
    static void pack(Layer& layer, const BlockFields<const float*>& w, FilmCoefficients film) {
        layer.packed = DeviceArray<float>(gpu::pack_fused_layer<Of>(w, film.scale, film.shift));
        std::vector<float> rates(std::size_t{Of::inner} * Of::decays);
        for (std::size_t i = 0; i < rates.size(); ++i) rates[i] = -std::exp(w.A_log[i]) * gpu::log2_e;
        layer.rates = DeviceArray<float>(rates);
        if constexpr (Of::rotating) layer.angles = DeviceArray<float>(std::vector<float>(w.A_imag, w.A_imag + Of::inner * Of::pairs));
    }

    template <class Of>
    void run_layer(const Call& call, std::size_t l) const {
        const bool first = l == 0, last = l + 1 == layers_.size();
        const Layer& own = layers_[l];
        float* const past = call.history + own.history_at;
        const unsigned grid = blocks_for((call.n + call.chunk - 1) / call.chunk, block_chunks<Of>);
        const FusedLayer layer{own.packed.data(), e_[l % 2].data(), e_[(l + 1) % 2].data(), call.ends, past,
                               Of::dilated ? nullptr : history_.data() + own.history_at, states_.data(), dt_before_.data(),
                               block_states_.data(), block_dt_.data(), y_.data(), rows_.data(), call.n, call.chunk, block_chunks<Of>,
                               x_in_, x_in_, last ? nullptr : layers_[l + 1].packed.data(), own.dilation};
        if constexpr (Of::dilated) {
            if (first) fused_input_kernel<Of><<<grid, fused_threads, 0, call.stream>>>(layer);
            // The history goes in front of x_in for phase 1, and the new one is taken before phase 3 writes the next layer's.
            const std::int64_t past_floats = std::int64_t{Of::conv - 1} * own.dilation * Of::inner;
            copy(call.stream, x_in_ - past_floats, past, past_floats);
            fused_scan_kernel<Of, false><<<grid, fused_threads, 0, call.stream>>>(layer);
            copy(call.stream, past, x_in_ + call.n * Of::inner - past_floats, past_floats);
        } else {
            const auto scan = first ? fused_scan_kernel<Of, true> : fused_scan_kernel<Of, false>;
            scan<<<grid, fused_threads, 0, call.stream>>>(layer);
        }
        join_blocks<Of>(call, own, call.h + l * Of::columns, grid);
        const auto output = first ? last ? fused_output_kernel<Of, true, true> : fused_output_kernel<Of, true, false>
                                  : last ? fused_output_kernel<Of, false, true> : fused_output_kernel<Of, false, false>;
        output<<<grid, fused_threads, 0, call.stream>>>(layer);
    }

    /// Phase 2. state: this layer's, which moves on.
    template <class Of>
    void join_blocks(const Call& call, const Layer& own, float* state, std::int64_t blocks) const {
        gpu::CarryJob carry{block_states_.data(), block_dt_.data(), own.rates.data(), state, state, blocks, Of::inner, Of::state, Of::tied, false};
        if constexpr (Of::rotating) {
            carry.angles = own.angles.data(), carry.chunk = std::int64_t{call.chunk} * block_chunks<Of>, carry.steps = call.n;
            join_chunks<gpu::ComplexCarry>(call.stream, carry);
        } else {
            join_chunks(call.stream, carry);
        }
    }

    static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
    static std::int64_t blocks(std::int64_t n) { return n / (shortest_chunk * block_chunks<Shape>) + 1; }
    static std::int64_t whole_tiles(std::int64_t n) { return tiles(n) * Shape::tile_steps; }
    static std::int64_t tiles(std::int64_t n) { return (n + Shape::tile_steps - 1) / Shape::tile_steps; }
    static void copy(cudaStream_t stream, float* to, const float* from, std::int64_t floats) {
        check(cudaMemcpyAsync(to, from, size(floats) * sizeof(float), cudaMemcpyDeviceToDevice, stream), "copying");
    }

    std::vector<Layer> layers_;
    DeviceArray<float> e_[2], x_in_memory_, states_, dt_before_, block_states_, block_dt_, history_, y_, rows_;
    float* x_in_ = nullptr;  ///< in x_in_memory_, behind room for the longest history
    std::vector<DeviceArray<float>> ends_memory_;
    gpu::FusedEnds ends_{};
};

template <class... Paths>
std::unique_ptr<RenderPath> first_that_takes(const ModelShape& c, const WeightPointers& weights, FilmCoefficients film, std::int64_t block) {
    std::unique_ptr<RenderPath> path;
    (void)((path = Paths::takes(c) ? std::make_unique<Paths>(c, weights, film, block) : nullptr) || ...);
    return path;
}

} // namespace

std::unique_ptr<RenderPath> make_fused_path(const ModelShape& c, const WeightPointers& weights, FilmCoefficients film, std::int64_t block) {
    // d_model, d_inner, d_state, tied, ema, rotating, dilated. Of two paths that take a model the cheaper one is first.
    using Rotating = FusedShape<8, 8, 4, false, false, true>;
    using Selective = FusedShape<8, 8, 4, false, true, false, true>;
    return first_that_takes<FusedPath<FusedShape<8, 8, 4, false, true>>,    // what nano was
                            FusedPath<Rotating, Selective>,                 // the presets
                            FusedPath<FusedShape<8, 16, 4, true, true>>,    // what standard was
                            FusedPath<FusedShape<8, 16, 8, false, true>>,   // what max was
                            FusedPath<MatrixShape<16, 32, 16, false>>,      // a public checkpoint's form
                            FusedPath<MatrixShape<16, 32, 16, true>>>(c, weights, film, block);
}

} // namespace serpent::kernels::cuda
