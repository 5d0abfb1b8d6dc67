// SPDX-License-Identifier: GPL-3.0-or-later
// Of a batch's jobs that of one sequence.
#pragma once

#include "benchmark/scan/scan_quads.h"

namespace serpent::kernels::cuda {

__device__ inline gpu::ScanJob scan_sequence(const gpu::ScanJob& all, std::int64_t b) {
    gpu::ScanJob job = all;
    const std::int64_t channels = b * all.length * all.inner, states = b * all.length * all.state, columns = std::int64_t{all.inner} * all.state;
    job.x += channels, job.dt += channels, job.B += states, job.C += states;
    if (job.y) job.y += channels;
    if (job.states) job.states += b * all.chunks() * columns;
    if (job.dt_sum) job.dt_sum += b * all.chunks() * all.inner;
    if (job.h_start) job.h_start += b * columns;
    if (job.h_end) job.h_end += b * columns;
    return job;
}

} // namespace serpent::kernels::cuda
