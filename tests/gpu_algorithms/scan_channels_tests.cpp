// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU's scan with a thread to a channel, run on the CPU, against the float64 reference: any chunk, forward and backward.
#include "benchmark/scan/scan_channels_backward.h"
#include "close.h"
#include "gpu_algorithms/host_scan.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;
using namespace serpent::kernels::gpu;

namespace {

template <class Kind>
struct ChannelScanOnHost : HostScan {
    using HostScan::HostScan;

    template <class Function>
    void each_warp(const Function& function) const {
        for (std::int64_t k = 0; k < job.chunks(); ++k)
            for (int block = 0; block < channel_blocks(job); ++block) function(k, block);
    }

    void forward() {
        const HostGroup<32> group;
        alignas(16) float tile[channel_forward_floats<Kind>];
        using Scan = ScanChannelsForward<Kind, HostGroup<32>>;
        each_warp([&](std::int64_t k, int b) { Scan(group, job, k, b, tile).run_from_zero(); });
        join(states.data(), c.h_start.data(), h_end.data(), false);
        each_warp([&](std::int64_t k, int b) { Scan(group, job, k, b, tile).add_start_states(); });
    }

    ScanGradientVectors<float> backward() {
        const HostGroup<32> group;
        const std::size_t chunks = states.size() / c.shape.state_size(), L = c.shape.length, N = c.shape.states, d = c.shape.channels;
        const std::size_t groups = chunks * static_cast<std::size_t>(job.chunk / checkpoint_samples);
        constexpr int blocks_per_slice = 2;
        const int slices = (channel_blocks(job) + blocks_per_slice - 1) / blocks_per_slice;
        ScanGradientVectors<float> g(c.shape);
        Floats adjoint(states.size(), NAN), checkpoints(groups * d * N, NAN), adjoint_checkpoints(checkpoints), dt_before(groups * d, NAN),
            dt_after(dt_before), dB(static_cast<std::size_t>(slices) * L * N, NAN), dC(dB), dA(states.size(), NAN), dD(chunks * d, NAN);
        const ChannelsBackwardJob b{job, c.dy.data(), adjoint.data(), checkpoints.data(), dt_before.data(), adjoint_checkpoints.data(),
                                    dt_after.data(), g.x.data(), g.dt.data(), dB.data(), dC.data(), dA.data(), dD.data(), blocks_per_slice};
        alignas(16) static float shared[channel_backward_floats<Kind>];
        using Scan = ScanChannelsBackward<Kind, HostGroup<32>>;
        each_warp([&](std::int64_t k, int block) { Scan(group, b, k, shared).walk_from_zero(block); });
        join(states.data(), c.h_start.data(), nullptr, false);
        each_warp([&](std::int64_t k, int block) { Scan(group, b, k, shared).walk_adjoint_from_zero(block); });
        join(adjoint.data(), c.dh_end.data(), g.h_start.data(), true);
        for (std::int64_t k = 0; k < job.chunks(); ++k)
            for (int slice = 0; slice < slices; ++slice) Scan(group, b, k, shared).run(slice);
        add_partial_sums(g, dA, dB, dC, dD);
        return g;
    }
};

template <class Kind>
void check_kind(std::size_t length, std::size_t channels, double tau_max, int chunk) {
    const ScanCase<double> exact = make_scan_case({length, channels, Kind::states, Kind::tied, Kind::rule}, 2, tau_max, length + 7 * Kind::states);
    CAPTURE(length, channels, Kind::states, Kind::tied, static_cast<int>(Kind::rule), chunk);
    ChannelScanOnHost<Kind> forward(exact, chunk);
    forward.forward();
    check_answer(run_scan(exact), forward.y, forward.h_end);
    if (chunk % checkpoint_samples != 0) return;
    check_gradients(run_scan_backward(exact), ChannelScanOnHost<Kind>(exact, chunk).backward());
}

template <bool kTied, bool kEma>
void check_scan(std::size_t length, std::size_t channels, double tau_max, int chunk) {
    check_kind<ChannelKind<kTied, kEma, 4>>(length, channels, tau_max, chunk);
    check_kind<ChannelKind<kTied, kEma, 8>>(length, channels, tau_max, chunk);
    check_kind<ChannelKind<kTied, kEma, 16>>(length, channels, tau_max, chunk);
}

void check_all(std::size_t length, std::size_t channels, double tau_max, int chunk) {
    check_scan<false, false>(length, channels, tau_max, chunk);
    check_scan<false, true>(length, channels, tau_max, chunk);
    check_scan<true, false>(length, channels, tau_max, chunk);
    check_scan<true, true>(length, channels, tau_max, chunk);
}

} // namespace

TEST_CASE("the device's scan by channels equals the reference for any chunk") {
    for (const int chunk : {1, 2, 3, 5, 16, 31, 32, 48, 256, 1024}) check_all(517, 5, 300, chunk);
    for (const std::size_t length : {1u, 3u, 15u, 16u, 17u, 31u, 33u, 128u}) check_all(length, 9, 100, 16);
    for (const std::size_t channels : {1u, 31u, 32u, 33u, 100u}) check_all(61, channels, 100, 32);
}

TEST_CASE("the device's scan by channels keeps a memory of a second") {
    for (const int chunk : {16, 256, 2048}) check_kind<ChannelKind<false, false, 4>>(20011, 3, 48000, chunk);
    check_kind<ChannelKind<false, true, 8>>(20011, 3, 48000, 2048);
    check_kind<ChannelKind<true, false, 16>>(20011, 2, 96000, 2048);
    check_kind<ChannelKind<true, true, 4>>(20011, 3, 96000, 16);
}
