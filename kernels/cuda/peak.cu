// SPDX-License-Identifier: MIT
#include "cuda/support.cuh"
#include "gpu/math.h"
#include "serpent/kernels/device_peak.h"

#include <algorithm>

namespace serpent::kernels {
namespace {

constexpr int chains = 8, rounds = 4096, peak_threads = 256;

__global__ void __launch_bounds__(peak_threads) fma_kernel(float* out, float a, float b) {
    float x[chains];
#pragma unroll
    for (int i = 0; i < chains; ++i) x[i] = static_cast<float>(threadIdx.x + i);
    for (int r = 0; r < rounds; ++r)
#pragma unroll
        for (int i = 0; i < chains; ++i) x[i] = fmaf(x[i], a, b);
    float sum = 0;
#pragma unroll
    for (int i = 0; i < chains; ++i) sum += x[i];
    if (sum == 12345.0f) out[threadIdx.x] = sum;
}

__global__ void __launch_bounds__(peak_threads) exp2_kernel(float* out, float a) {
    float x[chains];
#pragma unroll
    for (int i = 0; i < chains; ++i) x[i] = a * static_cast<float>(threadIdx.x + i);
    for (int r = 0; r < rounds; ++r)
#pragma unroll
        for (int i = 0; i < chains; ++i) x[i] = gpu::exp2_fast(x[i]);
    float sum = 0;
#pragma unroll
    for (int i = 0; i < chains; ++i) sum += x[i];
    if (sum == 12345.0f) out[threadIdx.x] = sum;
}

/// Seconds of one call, median of nine after a warm-up.
template <class Function>
double median_s(const Function& function) {
    DeviceTimer timer;
    function();
    std::vector<double> ms;
    for (int i = 0; i < 9; ++i) {
        timer.start();
        function();
        ms.push_back(timer.stop_ms());
    }
    std::nth_element(ms.begin(), ms.begin() + 4, ms.end());
    return ms[4] * 1e-3;
}

} // namespace

DevicePeaks measure_device_peaks() {
    require_device();
    constexpr std::size_t floats = std::size_t{1} << 28;
    DeviceBuffer a(floats), b(floats);
    cuda::check(cudaMemset(a.data(), 1, floats * sizeof(float)), "filling");
    const double copy_s = median_s([&] {
        cuda::check(cudaMemcpyAsync(b.data(), a.data(), floats * sizeof(float), cudaMemcpyDeviceToDevice, nullptr), "copying");
    });
    const unsigned blocks = static_cast<unsigned>(device_status().multiprocessors * 8 * 4);
    const double work = double(blocks) * peak_threads * chains * rounds;
    const double fma_s = median_s([&] { fma_kernel<<<blocks, peak_threads>>>(a.data(), 0.999f, 0.5f); });
    const double exp2_s = median_s([&] { exp2_kernel<<<blocks, peak_threads>>>(a.data(), 1e-3f); });
    cuda::check_launch("measuring");
    return {2.0 * floats * sizeof(float) / copy_s, work / fma_s, work / exp2_s};
}

} // namespace serpent::kernels
