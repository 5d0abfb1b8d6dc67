// SPDX-License-Identifier: GPL-3.0-or-later
// The lane-batched operators of training and rendering, 16 sequences of 256 steps, at the widths of a preset.
#include "random.h"
#include "serpent/kernels/lanes.h"
#include "serpent/kernels/peak.h"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <memory>
#include <new>
#include <string>

namespace {

using namespace serpent::kernels;

constexpr int steps = 256, d_model = 8, d_inner = 16, d_state = 4, taps = 4;

/// 64-byte aligned random numbers, as the operators want them.
class Lanes {
public:
    Lanes(int rows, double low, double high) : data_(static_cast<float*>(::operator new(size(rows) * sizeof(float), align))) {
        serpent::test::Random random(1);
        for (std::size_t i = 0; i < size(rows); ++i) data_.get()[i] = static_cast<float>(random.uniform(low, high));
    }
    operator float*() { return data_.get(); }

private:
    static constexpr std::align_val_t align{64};
    static std::size_t size(int rows) { return static_cast<std::size_t>(rows) * lane_count; }
    struct Free {
        void operator()(float* p) const { ::operator delete(p, align); }
    };
    std::unique_ptr<float, Free> data_;
};

void count_samples(benchmark::State& state) { state.SetItemsProcessed(state.iterations() * steps * lane_count); }

void linear(benchmark::State& state, Isa isa) {
    Lanes x(steps * d_model, -1, 1), y(steps * 2 * d_inner, 0, 0), w(2 * d_inner * d_model / lane_count, -1, 1);
    const LaneLinearShape shape{steps, d_model, 2 * d_inner, d_model, 1, d_model, 2 * d_inner};
    for (auto _ : state) lane_ops(isa).linear(shape, w, nullptr, x, y, false);
    count_samples(state);
}

void rms_norm(benchmark::State& state, Isa isa) {
    Lanes e(steps * d_model, -1, 1), u(steps * d_model, 0, 0), w(1, 0.5, 1.5);
    for (auto _ : state) lane_ops(isa).rms_norm(steps, d_model, w, nullptr, nullptr, e, u, nullptr);
    count_samples(state);
}

void conv(benchmark::State& state, Isa isa) {
    Lanes x((steps + taps - 1) * d_inner, -1, 1), y(steps * d_inner, 0, 0), w(taps * d_inner / lane_count, -1, 1), b(1, -1, 1);
    for (auto _ : state) lane_ops(isa).conv(steps, d_inner, taps, 1, w, b, x, y);
    count_samples(state);
}

void silu(benchmark::State& state, Isa isa) {
    Lanes x(steps * d_inner, -4, 4), y(steps * d_inner, 0, 0);
    for (auto _ : state) lane_ops(isa).silu(steps * d_inner, x, y);
    count_samples(state);
}

void softplus(benchmark::State& state, Isa isa) {
    Lanes x(steps * d_inner, -10, 2), y(steps * d_inner, 0, 0);
    for (auto _ : state) lane_ops(isa).softplus(steps * d_inner, x, y);
    count_samples(state);
}

void scan(benchmark::State& state, Isa isa, bool tied) {
    Lanes a(d_inner * d_state / lane_count, -8, -1), skip(1, -1, 1), dt(steps * d_inner, 1e-4, 0.1), x(steps * d_inner, -1, 1);
    Lanes b(steps * d_state, -1, 1), c(steps * d_state, -1, 1), y(steps * d_inner, 0, 0);
    Lanes h(d_inner * d_state, 0, 0), h_low(d_inner * d_state, 0, 0);
    const LaneScanShape shape{steps, d_inner, d_state, tied, true, d_state};
    const LaneScanInputs in{a, skip, dt, x, b, c};
    for (auto _ : state) lane_ops(isa).scan(shape, in, h, h_low, y, nullptr, nullptr);
    count_samples(state);
}

void peak(benchmark::State& state, Isa isa) {
    double macs_per_ns = 0;
    for (auto _ : state) macs_per_ns = measure_peak_macs_per_ns(isa, 0.05);
    state.counters["GFLOP/s"] = 2 * macs_per_ns;
}

const bool registered = [] {
    for (const Isa isa : available_isas()) {
        const std::string on = '/' + std::string(isa_name(isa));
        benchmark::RegisterBenchmark(("linear_8x32" + on).c_str(), linear, isa);
        benchmark::RegisterBenchmark(("rms_norm_8" + on).c_str(), rms_norm, isa);
        benchmark::RegisterBenchmark(("conv_16x4" + on).c_str(), conv, isa);
        benchmark::RegisterBenchmark(("silu_16" + on).c_str(), silu, isa);
        benchmark::RegisterBenchmark(("softplus_16" + on).c_str(), softplus, isa);
        benchmark::RegisterBenchmark(("scan_16x4_full" + on).c_str(), scan, isa, false);
        benchmark::RegisterBenchmark(("scan_16x4_tied" + on).c_str(), scan, isa, true);
        benchmark::RegisterBenchmark(("multiply_add_peak" + on).c_str(), peak, isa)->Iterations(1);
    }
    return true;
}();

} // namespace
