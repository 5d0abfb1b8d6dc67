// SPDX-License-Identifier: GPL-3.0-or-later
#include "benchmark/scan/channel_launches.h"

#include "benchmark/scan/scan_sequence.cuh"
#include "cuda/device_group.cuh"
#include "cuda/support.cuh"

#include <algorithm>

namespace serpent::kernels::cuda {

using gpu::ChannelKind;
using gpu::ChannelsBackwardJob;
using gpu::ScanJob;

namespace {

constexpr int warps = 4, threads = 32 * warps;
constexpr int forward_blocks = 4, backward_blocks = 3;  ///< on a multiprocessor: what registers and shared memory allow
using Warp = WarpGroup<32>;

/// Warp number -> channel block (fastest: neighbours share B and C), chunk.
struct Place {
    std::int64_t chunk;
    int block;
    bool exists;
    __device__ Place(const ScanJob& job, int blocks) {
        const std::int64_t warp = std::int64_t{blockIdx.x} * warps + threadIdx.x / 32;
        chunk = warp / blocks, block = static_cast<int>(warp % blocks), exists = chunk < job.chunks();
    }
};

template <class Kind, bool kFromZero>
__global__ void __launch_bounds__(threads, forward_blocks) forward_kernel(const __grid_constant__ ScanJob all) {
    __shared__ alignas(16) float tiles[warps * gpu::channel_forward_floats<Kind>];
    const ScanJob job = scan_sequence(all, blockIdx.y);
    const Place place(job, gpu::channel_blocks(job));
    if (!place.exists) return;
    const Warp warp;
    gpu::ScanChannelsForward<Kind, Warp> scan(warp, job, place.chunk, place.block,
                                              tiles + threadIdx.x / 32 * gpu::channel_forward_floats<Kind>);
    if constexpr (kFromZero) scan.run_from_zero();
    else scan.add_start_states();
}

__device__ ChannelsBackwardJob sequence(const ChannelsBackwardJob& all, std::int64_t b) {
    ChannelsBackwardJob job = all;
    const ScanJob& s = all.scan;
    const std::int64_t columns = std::int64_t{s.inner} * s.state, channels = b * s.length * s.inner, groups = b * all.groups_before(s.chunks());
    const std::int64_t slices = (gpu::channel_blocks(s) + all.blocks_per_slice - 1) / all.blocks_per_slice;
    job.scan = scan_sequence(s, b);
    job.dy += channels, job.dx += channels, job.ddt += channels;
    job.adjoint += b * s.chunks() * columns;
    job.checkpoints += groups * columns, job.adjoint_checkpoints += groups * columns;
    job.dt_before += groups * s.inner, job.dt_after += groups * s.inner;
    job.dB += b * slices * s.length * s.state, job.dC += b * slices * s.length * s.state;
    job.dA += b * s.chunks() * columns, job.dD += b * s.chunks() * s.inner;
    return job;
}

enum class Pass { states, adjoint, gradients };

template <class Kind, Pass kPass>
constexpr int pass_floats = kPass == Pass::gradients ? gpu::channel_backward_floats<Kind> : gpu::channel_rows_floats<Kind>;

/// parts: channel blocks, or slices of them.
template <class Kind, Pass kPass>
__global__ void __launch_bounds__(threads, kPass == Pass::gradients ? backward_blocks : forward_blocks)
    backward_kernel(const __grid_constant__ ChannelsBackwardJob all, int parts) {
    extern __shared__ __align__(16) float tiles[];
    const ChannelsBackwardJob job = sequence(all, blockIdx.y);
    const Place place(job.scan, parts);
    if (!place.exists) return;
    const Warp warp;
    gpu::ScanChannelsBackward<Kind, Warp> scan(warp, job, place.chunk, tiles + threadIdx.x / 32 * pass_floats<Kind, kPass>);
    if constexpr (kPass == Pass::states) scan.walk_from_zero(place.block);
    if constexpr (kPass == Pass::adjoint) scan.walk_adjoint_from_zero(place.block);
    if constexpr (kPass == Pass::gradients) scan.run(place.block);
}

/// Calls function(ChannelKind<...>{}) with the kind that the shape is.
template <class Function>
void with_kind(bool tied, bool ema, int d_state, const Function& function) {
    const auto states = [&]<bool kTied, bool kEma>() {
        if (d_state == 4) function(ChannelKind<kTied, kEma, 4>{});
        else if (d_state == 8) function(ChannelKind<kTied, kEma, 8>{});
        else function(ChannelKind<kTied, kEma, 16>{});
    };
    if (tied) ema ? states.template operator()<true, true>() : states.template operator()<true, false>();
    else ema ? states.template operator()<false, true>() : states.template operator()<false, false>();
}

dim3 grid(const ScanJob& job, int parts, std::int64_t batch) {
    return dim3(blocks_for(job.chunks() * parts, warps), static_cast<unsigned>(batch));
}

template <Pass kPass>
void launch(const ChannelScan& s, const ChannelsBackwardJob& job, int parts) {
    with_kind(s.tied, s.ema, job.scan.state, [&]<class Kind>(Kind) {
        constexpr int bytes = warps * pass_floats<Kind, kPass> * static_cast<int>(sizeof(float));
        check(cudaFuncSetAttribute(backward_kernel<Kind, kPass>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "preparing a scan");
        backward_kernel<Kind, kPass><<<grid(job.scan, parts, s.batch), threads, bytes>>>(job, parts);
    });
}

} // namespace

int ChannelScan::forward_warps() { return warps * forward_blocks * device_status().multiprocessors; }
int ChannelScan::backward_warps() { return warps * backward_blocks * device_status().multiprocessors; }

int ChannelScan::chunk_for(const ScanJob& job, std::int64_t batch, int warps_at_once, int multiple) {
    constexpr std::int64_t shortest = 32, longest = 2048;
    const std::int64_t samples = batch * gpu::channel_blocks(job) * job.length;
    const std::int64_t times = (samples + warps_at_once * longest - 1) / (warps_at_once * longest);
    const std::int64_t chunk = (samples + warps_at_once * times - 1) / (warps_at_once * times);
    return static_cast<int>((std::max(chunk, shortest) + multiple - 1) / multiple * multiple);
}

void ChannelScan::from_zero(const ScanJob& job) const {
    with_kind(tied, ema, job.state,
              [&]<class Kind>(Kind) { forward_kernel<Kind, true><<<grid(job, gpu::channel_blocks(job), batch), threads>>>(job); });
}
void ChannelScan::add_start_states(const ScanJob& job) const {
    with_kind(tied, ema, job.state,
              [&]<class Kind>(Kind) { forward_kernel<Kind, false><<<grid(job, gpu::channel_blocks(job), batch), threads>>>(job); });
}
void ChannelScan::walk_from_zero(const ChannelsBackwardJob& job) const {
    launch<Pass::states>(*this, job, gpu::channel_blocks(job.scan));
}
void ChannelScan::walk_adjoint_from_zero(const ChannelsBackwardJob& job) const {
    launch<Pass::adjoint>(*this, job, gpu::channel_blocks(job.scan));
}
void ChannelScan::backward(const ChannelsBackwardJob& job, int slices) const { launch<Pass::gradients>(*this, job, slices); }

} // namespace serpent::kernels::cuda
