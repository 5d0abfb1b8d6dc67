// SPDX-License-Identifier: GPL-3.0-or-later
// The bound of the GPU's scan operator (tests/benchmark/scan/device_scan.h), for its tests on the CPU and on a device.
#pragma once

#include "close.h"
#include "kernels/scan_case.h"

#include <catch2/catch.hpp>

#include <vector>

namespace serpent::test {

inline void check_one(const char* what, const std::vector<double>& expected, const std::vector<float>& got) {
    const Distance d = distance(expected, got);
    INFO(what << ": " << d.rms << " rms, " << d.max << " max");
    CHECK(d.within(1e-5, 1e-4));
}
inline void check_answer(const ScanOutputs<double>& expected, const std::vector<float>& y, const std::vector<float>& h_end) {
    check_one("y", expected.y, y);
    check_one("h_end", expected.h_end, h_end);
}
inline void check_gradients(const ScanGradientVectors<double>& expected, const ScanGradientVectors<float>& got) {
    check_one("dx", expected.x, got.x);
    check_one("ddt", expected.dt, got.dt);
    check_one("dA", expected.A, got.A);
    check_one("dB", expected.B, got.B);
    check_one("dC", expected.C, got.C);
    check_one("dD", expected.D, got.D);
    check_one("dh_start", expected.h_start, got.h_start);
}

} // namespace serpent::test
