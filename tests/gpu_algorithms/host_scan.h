// SPDX-License-Identifier: GPL-3.0-or-later
// What tests of the GPU's scans on the CPU share: a case in float32 with a job on it, phase 2, and partial sums.
#pragma once

#include "benchmark/scan/scan_quads.h"
#include "kernels/scan_checks.h"

#include <cmath>
#include <vector>

namespace serpent::test {

using Floats = std::vector<float>;

/// Everything that a scan has to write is NaN before.
struct HostScan {
    ScanCase<float> c;
    Floats rates, states, dt_sum, y, h_end;
    kernels::gpu::ScanJob job{};

    HostScan(const ScanCase<double>& exact, int chunk) : c(to<float>(exact)), y(c.x.size(), NAN), h_end(c.h_start.size(), NAN) {
        for (const float a : c.A) rates.push_back(a * kernels::gpu::log2_e);
        const auto chunks = (c.shape.length + static_cast<std::size_t>(chunk) - 1) / static_cast<std::size_t>(chunk);
        states.assign(chunks * c.shape.state_size(), NAN);
        dt_sum.assign(chunks * c.shape.channels, NAN);
        job = {static_cast<std::int64_t>(c.shape.length), static_cast<int>(c.shape.channels), static_cast<int>(c.shape.states), chunk,
               rates.data(), c.D.data(), c.x.data(), c.dt.data(), c.B.data(), c.C.data(), states.data(), dt_sum.data(), y.data(), nullptr};
    }

    void join(float* ends, const float* start, float* end, bool reverse) const {
        constexpr int segments = 19;
        Floats scratch(static_cast<std::size_t>(kernels::gpu::carry_scratch_floats(job.inner * job.state, segments)));
        kernels::gpu::join_chunk_states(kernels::gpu::SerialTeam{},
                                        {ends, dt_sum.data(), rates.data(), start, end, job.chunks(), job.inner, job.state, c.shape.tied, reverse},
                                        0, job.inner * job.state, segments, scratch.data());
    }

    /// dB, dC (slices, length, d_state), dA (rows, d_inner, d_state), dD (rows, d_inner)
    void add_partial_sums(ScanGradientVectors<float>& g, const Floats& dA, const Floats& dB, const Floats& dC, const Floats& dD) const {
        const std::size_t L = c.shape.length, N = c.shape.states, d = c.shape.channels;
        for (std::size_t i = 0; i < dB.size(); ++i) g.B[i % (L * N)] += dB[i], g.C[i % (L * N)] += dC[i];
        for (std::size_t i = 0; i < dA.size(); ++i) g.A[c.shape.tied ? i % (d * N) / N : i % (d * N)] += dA[i];
        for (std::size_t i = 0; i < dD.size(); ++i) g.D[i % d] += dD[i];
    }
};

} // namespace serpent::test
