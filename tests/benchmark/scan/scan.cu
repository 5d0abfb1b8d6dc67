// SPDX-License-Identifier: GPL-3.0-or-later
#include "benchmark/scan/channel_launches.h"
#include "benchmark/scan/device_scan.h"
#include "benchmark/scan/scan_quads_backward.h"
#include "benchmark/scan/scan_sequence.cuh"
#include "cuda/carry.cuh"

namespace serpent::kernels {

using namespace cuda;
using gpu::ScanBackwardJob;
using gpu::ScanJob;

namespace {

constexpr int scan_warps = 4, scan_threads = 32 * scan_warps;
using Warp = WarpGroup<32>;

/// Warp number -> channel block (fastest: neighbours share B and C), chunk.
template <class Kind, bool kOutput>
__global__ void __launch_bounds__(scan_threads) forward_kernel(const __grid_constant__ ScanJob all) {
    const ScanJob job = scan_sequence(all, blockIdx.y);
    const std::int64_t warp = std::int64_t{blockIdx.x} * scan_warps + threadIdx.x / 32, blocks = job.channel_blocks();
    if (warp >= blocks * job.chunks()) return;
    gpu::scan_forward_chunk<Kind, kOutput>(Warp{}, job, warp / blocks, static_cast<int>(warp % blocks));
}

template <class Kind>
__global__ void __launch_bounds__(scan_threads) add_start_kernel(const __grid_constant__ ScanJob all) {
    const ScanJob job = scan_sequence(all, blockIdx.y);
    const std::int64_t warp = std::int64_t{blockIdx.x} * scan_warps + threadIdx.x / 32, blocks = job.channel_blocks();
    if (warp >= blocks * job.chunks()) return;
    gpu::scan_add_start_states<Kind>(Warp{}, job, warp / blocks, static_cast<int>(warp % blocks));
}

__device__ ScanBackwardJob sequence(const ScanBackwardJob& all, std::int64_t b) {
    ScanBackwardJob job = all;
    const ScanJob& s = all.scan;
    const std::int64_t columns = std::int64_t{s.inner} * s.state, channels = b * s.length * s.inner;
    const std::int64_t slices = (s.channel_blocks() + all.blocks_per_slice - 1) / all.blocks_per_slice;
    const std::int64_t spans = (s.chunks() + all.chunks_per_span - 1) / all.chunks_per_span;
    job.scan = scan_sequence(s, b);
    job.dy += channels, job.dx += channels, job.ddt += channels;
    job.adjoint += b * s.chunks() * columns;
    job.dB += b * slices * s.length * s.state, job.dC += b * slices * s.length * s.state;
    job.dA += b * spans * columns, job.dD += b * spans * s.inner;
    return job;
}

template <class Kind>
__global__ void __launch_bounds__(scan_threads) adjoint_kernel(const __grid_constant__ ScanBackwardJob all) {
    const ScanBackwardJob job = sequence(all, blockIdx.y);
    const std::int64_t warp = std::int64_t{blockIdx.x} * scan_warps + threadIdx.x / 32, blocks = job.scan.channel_blocks();
    if (warp >= blocks * job.scan.chunks()) return;
    gpu::scan_adjoint_chunk<Kind>(Warp{}, job, warp / blocks, static_cast<int>(warp % blocks));
}

template <class Kind>
__global__ void __launch_bounds__(scan_threads) backward_kernel(const __grid_constant__ ScanBackwardJob all, std::int64_t spans, int slices) {
    extern __shared__ __align__(16) float tiles[];
    const ScanBackwardJob job = sequence(all, blockIdx.y);
    const std::int64_t warp = std::int64_t{blockIdx.x} * scan_warps + threadIdx.x / 32;
    if (warp >= spans * slices) return;
    gpu::ScanBackwardSpan<Kind, Warp>(Warp{}, job, warp / slices, static_cast<int>(warp % slices),
                                                tiles + threadIdx.x / 32 * gpu::scan_backward_floats).run();
}

/// to[i] = sum over rows of from[row][i], in order; kernel for few, long rows.
__global__ void sum_slices_kernel(const float* from, float* to, std::int64_t batch, int slices, std::int64_t row) {
    for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < batch * row; i += std::int64_t{gridDim.x} * blockDim.x) {
        const float* at = from + i / row * slices * row + i % row;
        float sum = 0.0f;
        for (int s = 0; s < slices; ++s) sum += at[s * row];
        to[i] = sum;
    }
}

constexpr int column_rows = 32;

/// to[i] = sum over rows and over `together` neighbouring columns; for many short rows. One block for 8 results.
__global__ void __launch_bounds__(256) sum_columns_kernel(const float* from, float* to, std::int64_t rows, int results, int together) {
    __shared__ float sums[column_rows][8];
    const int r = threadIdx.x / 8, i = blockIdx.x * 8 + threadIdx.x % 8;
    float sum = 0.0f;
    if (i < results)
        #pragma unroll 8  // loads ahead of their sum
        for (std::int64_t row = r; row < rows; row += column_rows)
            for (int k = 0; k < together; ++k) sum += from[(row * results + i) * together + k];
    sums[r][threadIdx.x % 8] = sum;
    __syncthreads();
    if (r == 0 && i < results) {
        float total = 0.0f;
        for (int k = 0; k < column_rows; ++k) total += sums[k][threadIdx.x % 8];
        to[i] = total;
    }
}

__global__ void rates_kernel(const float* A, float* rates, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) rates[i] = A[i] * gpu::log2_e;
}

std::size_t as_size(std::int64_t n) { return static_cast<std::size_t>(n); }

/// How the last backward phase is cut: a warp takes a slice of channels and a span of chunks.
struct BackwardCut {
    int blocks_per_slice = 8, chunks_per_span = 16;

    /// As small as it must be to fill the device: many slices take memory for their sums, short spans time to add theirs up.
    BackwardCut(std::int64_t batch, int blocks, std::int64_t chunks) {
        const std::int64_t wanted = 24 * device_status().multiprocessors;
        const auto warps = [&] { return batch * slices(blocks) * spans(chunks); };
        while (blocks_per_slice > 1 && warps() < wanted) blocks_per_slice /= 2;
        while (chunks_per_span > 4 && warps() < wanted) chunks_per_span /= 2;
    }
    int slices(int blocks) const { return (blocks + blocks_per_slice - 1) / blocks_per_slice; }
    std::int64_t spans(std::int64_t chunks) const { return (chunks + chunks_per_span - 1) / chunks_per_span; }
};

} // namespace

struct DeviceScan::Impl {
    DeviceScanShape s;
    int phases, chunk;
    DeviceArray<float> rates, states, dt_sum, adjoint, partial_B, partial_C, partial_A, partial_D;
    DeviceArray<float> checkpoints, adjoint_checkpoints, dt_before, dt_after;

    Impl(const DeviceScanShape& shape, const DeviceScanOptions& options) : s(shape) {
        if (s.batch < 1 || s.batch > 65535 || s.length < 1 || s.d_inner < 1 || s.d_state < 1 || s.d_state > 128)
            throw std::invalid_argument("DeviceScan: batch 1..65535, length and d_inner from 1, d_state 1..128");
        if (options.chunk % 4 != 0) throw std::invalid_argument("DeviceScan: chunk must be a multiple of 4");
        const std::int64_t warps = s.batch * job().channel_blocks();
        const bool full = warps >= 8 * device_status().multiprocessors || s.length <= 64;
        phases = options.phases ? options.phases : full ? 1 : 3;
        chunk = options.chunk ? options.chunk : 256;
        while (!options.chunk && chunk > 32 && warps * s.length / chunk < 16 * device_status().multiprocessors) chunk /= 2;
        if (!options.chunk && by_channels()) chunk = ChannelScan::chunk_for(job(), s.batch, ChannelScan::forward_warps(), 4);
        rates = DeviceArray<float>(as_size(decays()));
    }

    /// scan_channels.h; otherwise scan_quads.h, for any shape and for one phase.
    bool by_channels() const { return phases == 3 && ChannelScan::fits(s.d_state); }
    ChannelScan channel_scan() const { return {s.batch, s.tied, s.ema}; }

    int decays() const { return s.tied ? s.d_inner : s.d_inner * s.d_state; }
    std::int64_t columns() const { return std::int64_t{s.d_inner} * s.d_state; }

    ScanJob job() const {
        ScanJob j{};
        j.length = s.length, j.inner = s.d_inner, j.state = s.d_state;
        return j;
    }
    ScanJob job(const DeviceScanInputs& in, int samples) const {
        ScanJob j = job();
        j.chunk = samples, j.rates = rates.data(), j.skip = in.D;
        j.x = in.x, j.dt = in.dt, j.B = in.B, j.C = in.C;
        return j;
    }

    void set_rates(const DeviceScanInputs& in) { rates_kernel<<<blocks_for(decays(), 256), 256>>>(in.A, rates.data(), decays()); }

    /// Calls function(ScanKind<...>{}) with the kind that the shape is.
    template <class Function>
    void with_kind(const Function& function) const {
        const auto vector = [&]<bool kTied, bool kEma>() {
            if (s.d_state % 4 == 0) function(gpu::ScanKind<kTied, kEma, true>{});
            else function(gpu::ScanKind<kTied, kEma, false>{});
        };
        if (s.tied) s.ema ? vector.template operator()<true, true>() : vector.template operator()<true, false>();
        else s.ema ? vector.template operator()<false, true>() : vector.template operator()<false, false>();
    }

    dim3 grid(const ScanJob& j) const {
        return dim3(blocks_for(j.channel_blocks() * j.chunks(), scan_warps), static_cast<unsigned>(s.batch));
    }

    template <bool kOutput>
    void launch(const ScanJob& j) const {
        with_kind([&]<class Kind>(Kind) { forward_kernel<Kind, kOutput><<<grid(j), scan_threads>>>(j); });
    }

    void join(const ScanJob& j, float* ends, const float* start, float* end, bool reverse) const {
        for (std::int64_t b = 0; b < s.batch; ++b)
            join_chunks(nullptr, {ends + b * j.chunks() * columns(), dt_sum.data() + b * j.chunks() * s.d_inner, rates.data(),
                                  start ? start + b * columns() : nullptr, end ? end + b * columns() : nullptr, j.chunks(), s.d_inner,
                                  s.d_state, s.tied, reverse});
    }

    void take_states(ScanJob& j) {
        const std::size_t wanted = as_size(s.batch * j.chunks());
        if (states.size() < wanted * as_size(columns())) states = DeviceArray<float>(wanted * as_size(columns()));
        if (dt_sum.size() < wanted * as_size(s.d_inner)) dt_sum = DeviceArray<float>(wanted * as_size(s.d_inner));
        j.states = states.data(), j.dt_sum = dt_sum.data();
    }

    /// Phases 1 and 2.
    template <bool kOutput>
    void start_states(ScanJob& j, const float* h_start, float* h_end) {
        take_states(j);
        if (kOutput && by_channels()) channel_scan().from_zero(j);
        else launch<kOutput>(j);
        join(j, states.data(), h_start, h_end, false);
    }

    void add_start_states(const ScanJob& j) const {
        if (by_channels()) channel_scan().add_start_states(j);
        else with_kind([&]<class Kind>(Kind) { add_start_kernel<Kind><<<grid(j), scan_threads>>>(j); });
    }

    void backward_by_quads(const DeviceScanInputs& in, const float* dy, const float* dh_end, const DeviceScanGradients& out);
    void backward_by_channels(const DeviceScanInputs& in, const float* dy, const float* dh_end, const DeviceScanGradients& out);

    /// Where dB and dC go: to `out`, or to partial sums of each slice.
    void take_slices(int slices, const DeviceScanGradients& out, float*& dB, float*& dC) {
        const std::size_t wanted = slices > 1 ? as_size(slices * s.batch * s.length * s.d_state) : 0;
        if (partial_B.size() < wanted) partial_B = DeviceArray<float>(wanted), partial_C = DeviceArray<float>(wanted);
        dB = slices > 1 ? partial_B.data() : out.B, dC = slices > 1 ? partial_C.data() : out.C;
    }
    void take_rows(std::int64_t rows, float*& dA, float*& dD) {
        const std::size_t wanted = as_size(s.batch * rows);
        if (partial_A.size() < wanted * as_size(columns())) partial_A = DeviceArray<float>(wanted * as_size(columns()));
        if (partial_D.size() < wanted * as_size(s.d_inner)) partial_D = DeviceArray<float>(wanted * as_size(s.d_inner));
        dA = partial_A.data(), dD = partial_D.data();
    }
    /// The sums of both. rows: of dA and dD in each sequence.
    void add_up(int slices, std::int64_t rows, const DeviceScanGradients& out) const {
        if (slices > 1) {
            const std::int64_t row = s.length * s.d_state;
            sum_slices_kernel<<<4096, 256>>>(partial_B.data(), out.B, s.batch, slices, row);
            sum_slices_kernel<<<4096, 256>>>(partial_C.data(), out.C, s.batch, slices, row);
        }
        sum_columns_kernel<<<blocks_for(decays(), 8), 256>>>(partial_A.data(), out.A, s.batch * rows, decays(), s.tied ? s.d_state : 1);
        sum_columns_kernel<<<blocks_for(s.d_inner, 8), 256>>>(partial_D.data(), out.D, s.batch * rows, s.d_inner, 1);
    }
};

DeviceScan::DeviceScan(const DeviceScanShape& shape, const DeviceScanOptions& options) {
    require_device();
    impl_ = std::make_unique<Impl>(shape, options);
}
DeviceScan::~DeviceScan() = default;
DeviceScan::DeviceScan(DeviceScan&&) noexcept = default;
DeviceScan& DeviceScan::operator=(DeviceScan&&) noexcept = default;
int DeviceScan::phases() const noexcept { return impl_->phases; }
int DeviceScan::chunk() const noexcept { return impl_->chunk; }

void DeviceScan::forward(const DeviceScanInputs& in, float* y, float* h_end) {
    impl_->set_rates(in);
    const bool one = impl_->phases == 1;
    const std::int64_t whole = (impl_->s.length + 3) / 4 * 4;
    if (one && whole > (std::int64_t{1} << 30)) throw std::invalid_argument("DeviceScan: one phase is for shorter signals");
    ScanJob j = impl_->job(in, one ? static_cast<int>(whole) : impl_->chunk);
    j.y = y;
    if (one) {
        j.h_start = in.h_start, j.h_end = h_end;
        impl_->launch<true>(j);
    } else {
        impl_->start_states<true>(j, in.h_start, h_end);
        impl_->add_start_states(j);
    }
    check_launch("scanning");
}

void DeviceScan::backward(const DeviceScanInputs& in, const float* dy, const float* dh_end, const DeviceScanGradients& out) {
    impl_->set_rates(in);
    if (ChannelScan::fits(impl_->s.d_state)) impl_->backward_by_channels(in, dy, dh_end, out);
    else impl_->backward_by_quads(in, dy, dh_end, out);
    check_launch("scanning backwards");
}

void DeviceScan::Impl::backward_by_quads(const DeviceScanInputs& in, const float* dy, const float* dh_end, const DeviceScanGradients& out) {
    ScanBackwardJob j{};
    j.scan = job(in, gpu::scan_backward_chunk);
    start_states<false>(j.scan, in.h_start, nullptr);
    const std::int64_t chunks = j.scan.chunks();
    const int blocks = j.scan.channel_blocks();
    const BackwardCut cut(s.batch, blocks, chunks);
    const std::int64_t spans = cut.spans(chunks);
    const int slices = cut.slices(blocks);
    if (adjoint.size() == 0) adjoint = DeviceArray<float>(as_size(s.batch * chunks * columns()));
    take_slices(slices, out, j.dB, j.dC);
    take_rows(spans, j.dA, j.dD);
    j.dy = dy, j.adjoint = adjoint.data(), j.dx = out.x, j.ddt = out.dt;
    j.blocks_per_slice = cut.blocks_per_slice, j.chunks_per_span = cut.chunks_per_span;

    const dim3 each_chunk(blocks_for(blocks * chunks, scan_warps), static_cast<unsigned>(s.batch));
    with_kind([&]<class Kind>(Kind) { adjoint_kernel<Kind><<<each_chunk, scan_threads>>>(j); });
    join(j.scan, adjoint.data(), dh_end, out.h_start, true);
    const dim3 grid(blocks_for(spans * slices, scan_warps), static_cast<unsigned>(s.batch));
    constexpr int bytes = scan_warps * gpu::scan_backward_floats * static_cast<int>(sizeof(float));
    with_kind([&]<class Kind>(Kind) {
        check(cudaFuncSetAttribute(backward_kernel<Kind>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "preparing a scan");
        backward_kernel<Kind><<<grid, scan_threads, bytes>>>(j, spans, slices);
    });
    add_up(slices, spans, out);
}

void DeviceScan::Impl::backward_by_channels(const DeviceScanInputs& in, const float* dy, const float* dh_end, const DeviceScanGradients& out) {
    const ChannelScan scan = channel_scan();
    gpu::ChannelsBackwardJob j{};
    j.scan = job(in, ChannelScan::chunk_for(job(), s.batch, ChannelScan::backward_warps(), gpu::checkpoint_samples));
    take_states(j.scan);
    const std::int64_t chunks = j.scan.chunks(), groups = s.batch * j.groups_before(chunks);
    const int blocks = gpu::channel_blocks(j.scan);
    j.blocks_per_slice = 8;
    const auto slices = [&] { return (blocks + j.blocks_per_slice - 1) / j.blocks_per_slice; };
    while (j.blocks_per_slice > 1 && s.batch * chunks * slices() < ChannelScan::backward_warps()) j.blocks_per_slice /= 2;
    if (checkpoints.size() == 0) {
        adjoint = DeviceArray<float>(as_size(s.batch * chunks * columns()));
        checkpoints = DeviceArray<float>(as_size(groups * columns())), adjoint_checkpoints = DeviceArray<float>(as_size(groups * columns()));
        dt_before = DeviceArray<float>(as_size(groups * s.d_inner)), dt_after = DeviceArray<float>(as_size(groups * s.d_inner));
    }
    take_slices(slices(), out, j.dB, j.dC);
    take_rows(chunks, j.dA, j.dD);
    j.checkpoints = checkpoints.data(), j.adjoint_checkpoints = adjoint_checkpoints.data();
    j.dt_before = dt_before.data(), j.dt_after = dt_after.data();
    j.dy = dy, j.adjoint = adjoint.data(), j.dx = out.x, j.ddt = out.dt;

    scan.walk_from_zero(j);
    join(j.scan, states.data(), in.h_start, nullptr, false);
    scan.walk_adjoint_from_zero(j);
    join(j.scan, adjoint.data(), dh_end, out.h_start, true);
    scan.backward(j, slices());
    add_up(slices(), chunks, out);
}

} // namespace serpent::kernels
