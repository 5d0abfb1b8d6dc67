// SPDX-License-Identifier: GPL-3.0-or-later
// What DeviceScan is measured against: one block to each sequence and channel, organised as the public Mamba kernel is.
#include "benchmark/scan/device_scan.h"
#include "cuda/support.cuh"
#include "equations/scan_step.h"
#include "gpu/math.h"

namespace serpent::kernels {

using namespace cuda;

namespace {

constexpr int baseline_threads = 128, baseline_steps = 16;

struct BaselineJob {
    DeviceScanShape s;
    DeviceScanInputs in;
    float* y;
};

template <bool kEma>
__global__ void __launch_bounds__(baseline_threads) baseline_kernel(const __grid_constant__ BaselineJob job) {
    constexpr auto rule = kEma ? equations::InputRule::ema : equations::InputRule::euler;
    __shared__ float warp_dt[4], warp_h[4], carry[256];
    const DeviceScanShape& s = job.s;
    const int c = blockIdx.x, thread = threadIdx.x % 32, warp = threadIdx.x / 32;
    const std::int64_t b = blockIdx.y;
    const std::int64_t row = (b * s.d_inner + c) * s.length;
    const float *x_row = job.in.x + row, *dt_row = job.in.dt + row;
    const float *B_rows = job.in.B + b * s.d_state * s.length, *C_rows = job.in.C + b * s.d_state * s.length;
    for (int n = threadIdx.x; n < s.d_state; n += baseline_threads) carry[n] = 0.0f;
    __syncthreads();
    for (std::int64_t tile = 0; tile < s.length; tile += baseline_threads * baseline_steps) {
        const std::int64_t first = tile + std::int64_t{threadIdx.x} * baseline_steps;
        float x[baseline_steps], dt[baseline_steps], y[baseline_steps];
#pragma unroll
        for (int i = 0; i < baseline_steps; ++i) {
            const bool valid = first + i < s.length;
            x[i] = valid ? x_row[first + i] : 0.0f;
            dt[i] = valid ? dt_row[first + i] : 0.0f;
            y[i] = job.in.D ? job.in.D[c] * x[i] : 0.0f;
        }
        for (int n = 0; n < s.d_state; ++n) {
            const float rate = job.in.A[c * s.d_state + n] * gpu::log2_e;
            float q[baseline_steps], B[baseline_steps], total = 0.0f, h = 0.0f;
#pragma unroll
            for (int i = 0; i < baseline_steps; ++i) {
                B[i] = first + i < s.length ? B_rows[n * s.length + first + i] : 0.0f;
                q[i] = gpu::decay(dt[i] * rate);
                total += dt[i];
                h = equations::scan_step(rule, h, q[i], dt[i], B[i], x[i]);
            }
            // Scan of (total, h) over the block: threads, then warps.
            for (int apart = 1; apart < 32; apart *= 2) {
                const float dt_before = __shfl_up_sync(0xffffffffu, total, apart), h_before = __shfl_up_sync(0xffffffffu, h, apart);
                if (thread >= apart) {
                    h = equations::join_chunks(h_before, gpu::decay(total * rate), h);
                    total += dt_before;
                }
            }
            if (thread == 31) warp_dt[warp] = total, warp_h[warp] = h;
            __syncthreads();
            float start = carry[n];
            for (int w = 0; w < warp; ++w) start = equations::join_chunks(start, gpu::decay(warp_dt[w] * rate), warp_h[w]);
            const float dt_before = __shfl_up_sync(0xffffffffu, total, 1), h_before = __shfl_up_sync(0xffffffffu, h, 1);
            const float end = equations::join_chunks(start, gpu::decay(total * rate), h);
            if (thread > 0) start = equations::join_chunks(start, gpu::decay(dt_before * rate), h_before);
            __syncthreads();
            if (threadIdx.x == baseline_threads - 1) carry[n] = end;
            h = start;
#pragma unroll
            for (int i = 0; i < baseline_steps; ++i) {
                h = equations::scan_step(rule, h, q[i], dt[i], B[i], x[i]);
                if (first + i < s.length) y[i] = fmaf(C_rows[n * s.length + first + i], h, y[i]);
            }
        }
#pragma unroll
        for (int i = 0; i < baseline_steps; ++i)
            if (first + i < s.length) job.y[row + first + i] = y[i];
    }
}

} // namespace

void baseline_device_scan(const DeviceScanShape& shape, const DeviceScanInputs& in, float* y) {
    require_device();
    if (shape.tied || shape.d_state > 256) throw std::invalid_argument("baseline_device_scan: full A, d_state at most 256");
    const dim3 grid(static_cast<unsigned>(shape.d_inner), static_cast<unsigned>(shape.batch));
    const BaselineJob job{shape, in, y};
    shape.ema ? baseline_kernel<true><<<grid, baseline_threads>>>(job) : baseline_kernel<false><<<grid, baseline_threads>>>(job);
    check_launch("scanning");
}

} // namespace serpent::kernels
