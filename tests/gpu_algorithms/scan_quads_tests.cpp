// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU's scan operator, run on the CPU, against the float64 reference: any chunk, forward and backward.
#include "benchmark/scan/scan_quads_backward.h"
#include "gpu_algorithms/host_scan.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;
using namespace serpent::kernels::gpu;

namespace {

struct QuadScanOnHost : HostScan {
    using HostScan::HostScan;

    template <class Function>
    void each_warp(const Function& function) const {
        for (std::int64_t k = 0; k < job.chunks(); ++k)
            for (int block = 0; block < job.channel_blocks(); ++block) function(k, block);
    }

    template <class Kind>
    void forward() {
        const HostGroup<32> group;
        each_warp([&](std::int64_t k, int b) { scan_forward_chunk<Kind, true>(group, job, k, b); });
        join(states.data(), c.h_start.data(), h_end.data(), false);
        each_warp([&](std::int64_t k, int b) { scan_add_start_states<Kind>(group, job, k, b); });
    }

    template <class Kind>
    ScanGradientVectors<float> backward() {
        constexpr int blocks_per_slice = 2, chunks_per_span = 3;
        const HostGroup<32> group;
        each_warp([&](std::int64_t k, int b) { scan_forward_chunk<Kind, false>(group, job, k, b); });
        join(states.data(), c.h_start.data(), nullptr, false);
        const auto spans = (job.chunks() + chunks_per_span - 1) / chunks_per_span;
        const int slices = (job.channel_blocks() + blocks_per_slice - 1) / blocks_per_slice;
        const std::size_t L = c.shape.length, N = c.shape.states, d = c.shape.channels;
        ScanGradientVectors<float> g(c.shape);
        Floats adjoint(states.size(), NAN), dB(static_cast<std::size_t>(slices) * L * N, NAN), dC(dB);
        Floats dA(static_cast<std::size_t>(spans) * d * N, NAN), dD(static_cast<std::size_t>(spans) * d, NAN);
        const ScanBackwardJob b{job, c.dy.data(), adjoint.data(), g.x.data(), g.dt.data(), dB.data(), dC.data(), dA.data(), dD.data(),
                                blocks_per_slice, chunks_per_span};
        each_warp([&](std::int64_t k, int block) { scan_adjoint_chunk<Kind>(group, b, k, block); });
        join(adjoint.data(), c.dh_end.data(), g.h_start.data(), true);
        alignas(16) float shared[scan_backward_floats];
        for (std::int64_t span = 0; span < spans; ++span)
            for (int slice = 0; slice < slices; ++slice)
                ScanBackwardSpan<Kind, HostGroup<32>>(group, b, span, slice, shared).run();
        add_partial_sums(g, dA, dB, dC, dD);
        return g;
    }
};

template <class Kind>
void check_kind(std::size_t length, std::size_t channels, std::size_t states, double tau_max, int chunk) {
    const ScanCase<double> exact = make_scan_case({length, channels, states, Kind::tied, Kind::rule}, 2, tau_max, length + 7 * states);
    CAPTURE(length, channels, states, Kind::tied, static_cast<int>(Kind::rule), chunk);
    QuadScanOnHost forward(exact, chunk);
    forward.forward<Kind>();
    check_answer(run_scan(exact), forward.y, forward.h_end);
    if (chunk != scan_backward_chunk) return;
    check_gradients(run_scan_backward(exact), QuadScanOnHost(exact, chunk).backward<Kind>());
}

template <bool kTied, bool kEma>
void check_scan(std::size_t length, std::size_t channels, std::size_t states, double tau_max, int chunk) {
    if (states % 4 == 0) check_kind<ScanKind<kTied, kEma, true>>(length, channels, states, tau_max, chunk);
    check_kind<ScanKind<kTied, kEma, false>>(length, channels, states, tau_max, chunk);
}

void check_all(std::size_t length, std::size_t channels, std::size_t states, double tau_max, int chunk) {
    check_scan<false, false>(length, channels, states, tau_max, chunk);
    check_scan<false, true>(length, channels, states, tau_max, chunk);
    check_scan<true, false>(length, channels, states, tau_max, chunk);
    check_scan<true, true>(length, channels, states, tau_max, chunk);
}

} // namespace

TEST_CASE("the device's scan by warps equals the reference for any chunk") {
    for (const int chunk : {1, 2, 3, 5, 16, 31, 32, 33, 256, 1024}) check_all(517, 5, 4, 300, chunk);
    for (const std::size_t length : {1u, 15u, 16u, 17u, 31u, 33u, 128u}) check_all(length, 9, 16, 100, 16);
    for (const std::size_t states : {1u, 3u, 5u, 8u, 13u, 32u}) check_all(61, 35, states, 100, 16);
}

TEST_CASE("the device's scan keeps a memory of a second") {
    check_scan<false, false>(20011, 3, 4, 48000, 256);
    check_scan<false, true>(20011, 3, 4, 48000, 16);
    check_scan<true, true>(20011, 3, 4, 96000, 1024);
}
