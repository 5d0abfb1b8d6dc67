// SPDX-License-Identifier: GPL-3.0-or-later
// Tiles of the euler scan against the plain steps in float64, also for a state whose memory is a second long.
#include "close.h"
#include "gpu/tile_scan.h"
#include "random.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::kernels::gpu;
using namespace serpent::test;

namespace {

/// Answers and states after every tile, and what they should be.
template <int kSteps>
void check(double A, double dt_mean, int tiles, double tolerance) {
    Random random(11);
    std::vector<double> expected;
    std::vector<float> got;
    float h = 0.0f;
    double exact = 0.0;
    const float rate = static_cast<float>(A * 1.4426950408889634);
    for (int t = 0; t < tiles; ++t) {
        float dt[kSteps], dt_x[kSteps], B[kSteps], C[kSteps], y[kSteps], total = 0.0f;
        for (int i = 0; i < kSteps; ++i) {
            dt[i] = t == 3 && i > 0 ? 0.0f : static_cast<float>(dt_mean * random.uniform(0.5, 1.5));  // a ragged end somewhere
            const float x = static_cast<float>(random.uniform(0.0, 1.0));
            B[i] = static_cast<float>(random.uniform(0.5, 1.0)), C[i] = static_cast<float>(random.uniform(0.5, 1.0));
            y[i] = x;
            dt_x[i] = dt[i] * x;
            total += dt[i];
            const double q = std::expm1(dt[i] * (rate / 1.4426950408889634));
            exact = equations::scan_step<double>(equations::InputRule::euler, exact, q, dt[i], B[i], x);
            expected.push_back(x + C[i] * exact);
        }
        h = scan_tile(h, rate, dt, dt_x, total, B, C, y);
        got.insert(got.end(), y, y + kSteps);
        expected.push_back(exact);
        got.push_back(h);
    }
    const Distance d = distance(expected, got);
    INFO("A " << A << ", dt " << dt_mean << ", tiles of " << kSteps << ": " << d.rms << " rms, " << d.max << " max");
    CHECK(d.within(tolerance, 4 * tolerance));
}

} // namespace

TEST_CASE("tiles of the euler scan answer as its steps do") {
    // One rounding of the state a tile, 6e-8, and the hardware's exp, 1.2e-7 a sample; decay() allows itself 4e-7 of A.
    for (const double dt : {1e-5, 1e-3, 0.1, 2.0, 60.0}) {
        check<1>(-1.0, dt, 4000, 1e-6);
        check<4>(-1.0, dt, 4000, 1e-6);
        check<8>(-1.0, dt, 4000, 1e-6);
    }
    // A time constant of a second: carrying on the state inside the tile drifts by 1.5e-6, and more with the hardware's exp.
    check<4>(-1.0, 1.0 / 48000, 48000, 1e-6);
}
