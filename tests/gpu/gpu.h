// SPDX-License-Identifier: GPL-3.0-or-later
// Tests of this folder run on a GPU. Where there is none they say so, and ctest counts them as skipped (tests/gpu/CMakeLists.txt).
#pragma once

#include "serpent/kernels/device.h"

#include <iostream>

namespace serpent::test {

inline bool gpu() {
    const kernels::DeviceStatus& status = kernels::device_status();
    if (!status.available) std::cout << "skipped: " << status.description << std::endl;
    return status.available;
}

} // namespace serpent::test
