// SPDX-License-Identifier: GPL-3.0-or-later
// The selective scan on a GPU, forward and backward, time-parallel in three phases; one phase where batch and channels fill the
// device by themselves.
//
//   q = expm1(dt A);  h += q h + dt x B (euler)  or  h += q (h - x B) (ema);  y = C h + D x
//
// Shapes    x, dt, y (batch, length, d_inner); B, C (batch, length, d_state); D (d_inner); h (batch, d_inner, d_state); A (d_inner,
//           d_state), or (d_inner) when tied. Lengths are 64-bit. d_state at most 128.
// Units     dt is positive (after softplus), A negative.
// Aliasing  h_end may be h_start; otherwise none. Addresses are multiples of 16 bytes, as DeviceBuffer's are.
// Memory    three phases: the states of one sample in 32 to 2048; backward besides those of every 16th, twice.
// Error     1e-5 rms, 1e-4 max relative to the rms of a float64 evaluation, time constants up to 96,000 samples. Sums have a fixed
//           order: two calls give the same bits.
// Source    Gu and Dao, "Mamba" (2023), algorithm 2; kernels/equations/selective_scan_chunked.h is the plain form.
#pragma once

#include "serpent/kernels/device.h"

namespace serpent::kernels {

struct DeviceScanShape {
    std::int64_t batch, length;
    int d_inner, d_state;
    bool tied = false, ema = false;
};

/// Memory of the GPU.
struct DeviceScanInputs {
    const float *A, *x, *dt, *B, *C;
    const float* D = nullptr;        ///< null: none
    const float* h_start = nullptr;  ///< null: zeros
};

/// Written, not added to; all wanted but h_start, which may be null.
struct DeviceScanGradients {
    float *A, *x, *dt, *B, *C, *D;
    float* h_start = nullptr;
};

struct DeviceScanOptions {
    int chunk = 0;   ///< samples of a chunk, a multiple of 4; 0: chosen by the shape
    int phases = 0;  ///< 1 or 3; 0: chosen by the shape
};

/// Holds the memory between the phases. Calls are queued on the device's default stream. Throws DeviceError; std::invalid_argument
/// for a shape it cannot do.
class DeviceScan {
public:
    explicit DeviceScan(const DeviceScanShape& shape, const DeviceScanOptions& options = {});
    ~DeviceScan();
    DeviceScan(DeviceScan&&) noexcept;
    DeviceScan& operator=(DeviceScan&&) noexcept;

    /// h_end may be null.
    void forward(const DeviceScanInputs& in, float* y, float* h_end);
    /// dh_end: gradient with respect to the end state; null: zeros. Needs no forward() before it.
    void backward(const DeviceScanInputs& in, const float* dy, const float* dh_end, const DeviceScanGradients& out);

    int phases() const noexcept;
    int chunk() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// What DeviceScan is measured against: one block for each sequence and channel, which walks time in tiles of 2048 samples with a
/// block-wide scan in each, as the public Mamba kernel is organised. Euler or ema, full A, no start state. Time is innermost, as
/// there: x, dt, y (batch, d_inner, length); B, C (batch, d_state, length).
void baseline_device_scan(const DeviceScanShape& shape, const DeviceScanInputs& in, float* y);

} // namespace serpent::kernels
