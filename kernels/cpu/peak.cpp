// SPDX-License-Identifier: MIT
#include "cpu/targets.h"

#include "serpent/kernels/peak.h"

#include <algorithm>
#include <chrono>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/peak.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef SERPENT_PEAK_SHARED
#define SERPENT_PEAK_SHARED
namespace serpent::kernels {
struct MacBurst {
    double macs;
    float sum;  // keeps the compiler from dropping the work
};
} // namespace serpent::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Latency 4 or 5 times 2 per cycle asks for 10 chains; 12 and two operands still fit 16 registers.
MacBurst mac_burst(int rounds) {
    constexpr int chains = 12;
    const hn::ScalableTag<float> d;
    const auto factor = hn::Set(d, 0.999f), offset = hn::Set(d, 0.001f);
    hn::Vec<decltype(d)> x[chains];
    for (int i = 0; i < chains; ++i) x[i] = hn::Set(d, static_cast<float>(i));
    for (int round = 0; round < rounds; ++round)
        for (int i = 0; i < chains; ++i) x[i] = hn::MulAdd(x[i], factor, offset);
    for (int i = 1; i < chains; ++i) x[0] = hn::Add(x[0], x[i]);
    return {static_cast<double>(rounds) * chains * static_cast<double>(hn::Lanes(d)), hn::GetLane(x[0])};
}

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {

double measure_peak_macs_per_ns(Isa isa, double seconds) {
    using Clock = std::chrono::steady_clock;
    using Nanoseconds = std::chrono::duration<double, std::nano>;
    const auto burst = SERPENT_SELECT(isa, mac_burst);
    constexpr int rounds = 20000;  // some 30 us: short enough to fall between interruptions
    double best = 0.0;
    volatile float sink = 0.0f;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    do {
        const auto start = Clock::now();
        const MacBurst result = burst(rounds);
        const double ns = Nanoseconds(Clock::now() - start).count();
        sink = result.sum;
        best = std::max(best, result.macs / ns);
    } while (Clock::now() < end);
    static_cast<void>(sink);
    return best;
}

} // namespace serpent::kernels
#endif
