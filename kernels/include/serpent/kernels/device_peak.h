// SPDX-License-Identifier: MIT
// The yardsticks of the GPU benchmarks: what the device can do at all.
#pragma once

#include "serpent/kernels/device.h"

namespace serpent::kernels {

struct DevicePeaks {
    double copy_bytes_per_s;  ///< bytes read plus bytes written by a large copy inside the device
    double fma_per_s;         ///< float multiply-adds, all threads counted
    double exp2_per_s;        ///< hardware 2^x, all threads counted
};

/// The median of several runs. Takes some tenths of a second. Throws DeviceError.
DevicePeaks measure_device_peaks();

} // namespace serpent::kernels
