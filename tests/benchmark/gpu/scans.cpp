// SPDX-License-Identifier: GPL-3.0-or-later
#include "benchmark/scan/device_scan.h"
#include "gpu_benchmark.h"

#include <algorithm>
#include <cstdio>

namespace serpent::bench {
namespace {

std::size_t as_size(std::int64_t n) { return static_cast<std::size_t>(n); }

struct ScanMemory {
    std::size_t channels, states, columns, d_inner;
    kernels::DeviceBuffer A, x, dt, B, C, D, y;

    explicit ScanMemory(const kernels::DeviceScanShape& s)
        : channels(as_size(s.batch * s.length * s.d_inner)), states(as_size(s.batch * s.length * s.d_state)),
          columns(as_size(std::int64_t{s.d_inner} * s.d_state)), d_inner(as_size(s.d_inner)), A(random_buffer(columns, -2, -1, 1)),
          x(random_buffer(channels, -1, 1, 2)), dt(random_buffer(channels, 1e-4, 0.5, 3)), B(random_buffer(states, -1, 1, 4)),
          C(random_buffer(states, -1, 1, 5)), D(random_buffer(d_inner, -1, 1, 6)), y(channels) {}

    kernels::DeviceScanInputs in() const { return {A.data(), x.data(), dt.data(), B.data(), C.data(), D.data()}; }
};

/// Samples a second at which issue, the exp unit or memory is full. To a state one phase takes a decay (8 instructions, decay() of
/// gpu/math.h), an Euler step (3) and the read-out (1); three phases the factor (2), the input (1), two walks (2), the read-out (1),
/// what four samples together take (10 / 4), and what the start state adds (4).
double floor_rate(const kernels::DeviceScanShape& s, const Machine& m, int phases) {
    const bool three = phases == 3;
    const double states = double(s.d_inner) * s.d_state;
    const double issue = m.peaks.fma_per_s / (states * (three ? 12.5 : 12)), exps = m.peaks.exp2_per_s / (states * (three ? 2.25 : 1));
    const double bytes = 4.0 * (3 * s.d_inner + 2 * s.d_state + (three ? 3 * s.d_inner + s.d_state : 0));
    return std::min({issue, exps, m.peaks.copy_bytes_per_s / bytes});
}
/// The same for three phases as they are described: the states walked twice, by all that a decay takes.
double two_walks_rate(const kernels::DeviceScanShape& s, const Machine& m) {
    return std::min(m.peaks.fma_per_s / 23, m.peaks.exp2_per_s / 2) / (double(s.d_inner) * s.d_state);
}

double backward_ms(kernels::DeviceScan& scan, const ScanMemory& m) {
    const kernels::DeviceBuffer dy = random_buffer(m.channels, -1, 1, 7);
    kernels::DeviceBuffer dx(m.channels), ddt(m.channels), dA(m.columns), dB(m.states), dC(m.states), dD(m.d_inner);
    return median_ms([&] { scan.backward(m.in(), dy.data(), nullptr, {dA.data(), dx.data(), ddt.data(), dB.data(), dC.data(), dD.data()}); }, 5);
}

void print_scan(const Machine& machine, const kernels::DeviceScanShape& shape) {
    const ScanMemory m(shape);
    kernels::DeviceScan scan(shape);
    const double samples = double(shape.batch) * double(shape.length);
    const double forward = median_ms([&] { scan.forward(m.in(), m.y.data(), nullptr); });
    const double baseline = median_ms([&] { kernels::baseline_device_scan(shape, m.in(), m.y.data()); }, 3);
    const double rate = samples / forward * 1e3;
    std::printf("%3lld %5d %3d %9lld %7d %6d %11.3f %8.0f%% %8.0f%% %10.1fx", static_cast<long long>(shape.batch), shape.d_inner, shape.d_state,
                static_cast<long long>(shape.length), scan.phases(), scan.chunk(), rate * 1e-9, 100 * rate / floor_rate(shape, machine, scan.phases()),
                100 * rate / two_walks_rate(shape, machine), baseline / forward);
    if (shape.batch == 1) {
        const double backward = backward_ms(scan, m);
        std::printf(" %12.3f %9.2fx", backward, backward / forward);
    }
    std::printf("\n");
}

} // namespace

void print_scans(const Machine& machine, int only_power) {
    std::printf("scan, full A, euler\n  B     D   N    length  phases  chunk  G sample/s  of floor  of two walks  x baseline  backward ms  x forward\n");
    for (int power = 14; power <= 22; power += 2)
        if (only_power == 0 || power == only_power) print_scan(machine, {1, std::int64_t{1} << power, 32, 16});
    if (only_power != 0) return;
    print_scan(machine, {1, std::int64_t{1} << 22, 8, 4});
    for (const std::int64_t length : {2048, 8192, 65536}) print_scan(machine, {8, length, 2048, 16});
    std::printf("\n");
}

} // namespace serpent::bench
