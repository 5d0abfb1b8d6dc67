// SPDX-License-Identifier: GPL-3.0-or-later
// In place of the GPU code where there was no CUDA compiler.
#include "benchmark/scan/device_scan.h"

namespace serpent::kernels {

struct DeviceScan::Impl {};
DeviceScan::DeviceScan(const DeviceScanShape&, const DeviceScanOptions&) { require_device(); }
DeviceScan::~DeviceScan() = default;
DeviceScan::DeviceScan(DeviceScan&&) noexcept = default;
DeviceScan& DeviceScan::operator=(DeviceScan&&) noexcept = default;
void DeviceScan::forward(const DeviceScanInputs&, float*, float*) {}
void DeviceScan::backward(const DeviceScanInputs&, const float*, const float*, const DeviceScanGradients&) {}
int DeviceScan::phases() const noexcept { return 0; }
int DeviceScan::chunk() const noexcept { return 0; }
void baseline_device_scan(const DeviceScanShape&, const DeviceScanInputs&, float*) { require_device(); }

} // namespace serpent::kernels
