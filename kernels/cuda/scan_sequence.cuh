// SPDX-License-Identifier: MIT
// Of a batch's jobs that of one sequence.
#pragma once

#include "device/scan_lanes.h"

namespace serpent::kernels::cuda {

__device__ inline device::ScanLanesJob scan_sequence(const device::ScanLanesJob& all, std::int64_t b) {
    device::ScanLanesJob job = all;
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
