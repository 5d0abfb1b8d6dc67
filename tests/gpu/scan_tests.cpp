// SPDX-License-Identifier: GPL-3.0-or-later
// The scan operator on the GPU against the float64 reference, forward and backward; very long; and twice the same.
#include "benchmark/scan/device_scan.h"
#include "gpu.h"
#include "kernels/scan_checks.h"

#include <catch2/catch.hpp>

using namespace serpent::kernels;
using namespace serpent::test;
namespace equations = serpent::equations;

namespace {

template <class T>
DeviceBuffer upload(const std::vector<T>& values) {
    const std::vector<float> floats(values.begin(), values.end());
    DeviceBuffer buffer(floats.size());
    buffer.upload(floats.data(), floats.size());
    return buffer;
}
std::vector<float> download(const DeviceBuffer& buffer) {
    std::vector<float> values(buffer.size());
    buffer.download(values.data(), values.size());
    return values;
}

struct GpuAnswer {
    std::vector<float> y, h_end;
    ScanGradientVectors<float> gradients;
    bool operator==(const GpuAnswer&) const = default;
};

GpuAnswer on_gpu(const ScanCase<double>& c, const DeviceScanOptions& options) {
    const auto& s = c.shape;
    DeviceScan scan({1, static_cast<std::int64_t>(s.length), static_cast<int>(s.channels), static_cast<int>(s.states), s.tied,
                     s.rule == equations::InputRule::ema}, options);
    const DeviceBuffer A = upload(c.A), x = upload(c.x), dt = upload(c.dt), B = upload(c.B), C = upload(c.C), D = upload(c.D),
                       h = upload(c.h_start), dy = upload(c.dy), dh = upload(c.dh_end);
    const DeviceScanInputs in{A.data(), x.data(), dt.data(), B.data(), C.data(), D.data(), h.data()};
    DeviceBuffer y(c.x.size()), end(c.h_start.size());
    DeviceBuffer gA(c.A.size()), gx(c.x.size()), gdt(c.x.size()), gB(c.B.size()), gC(c.C.size()), gD(c.D.size()), gh(c.h_start.size());
    scan.forward(in, y.data(), end.data());
    scan.backward(in, dy.data(), dh.data(), {gA.data(), gx.data(), gdt.data(), gB.data(), gC.data(), gD.data(), gh.data()});
    ScanGradientVectors<float> gradients(s);
    gradients.x = download(gx), gradients.dt = download(gdt), gradients.A = download(gA), gradients.B = download(gB);
    gradients.C = download(gC), gradients.D = download(gD), gradients.h_start = download(gh);
    return {download(y), download(end), gradients};
}

void check_scan(const equations::ScanShape& shape, double tau_max, const DeviceScanOptions& options = {}) {
    CAPTURE(shape.length, shape.channels, shape.states, shape.tied, static_cast<int>(shape.rule), options.chunk, options.phases);
    const ScanCase<double> c = make_scan_case(shape, 2, tau_max, shape.length);
    const GpuAnswer got = on_gpu(c, options);
    check_answer(run_scan(c), got.y, got.h_end);
    check_gradients(run_scan_backward(c), got.gradients);
}

} // namespace

TEST_CASE("the GPU's scan equals the float64 reference") {
    if (!gpu()) return;
    for (const auto rule : {equations::InputRule::euler, equations::InputRule::ema})
        for (const bool tied : {false, true}) {
            for (const std::size_t length : {1u, 31u, 32u, 33u, 2047u, 2049u}) check_scan({length, 32, 16, tied, rule}, 1000);
            for (const std::size_t states : {1u, 3u, 4u, 8u, 20u, 128u}) check_scan({300, 19, states, tied, rule}, 300);
            check_scan({257, 300, 16, tied, rule}, 300);
            for (const int phases : {1, 3})
                for (const int chunk : {4, 32, 256, 1024}) check_scan({1500, 8, 4, tied, rule}, 1000, {chunk, phases});
        }
}

TEST_CASE("the GPU's scan keeps a memory of seconds over a million samples") {
    if (!gpu()) return;
    check_scan({1'000'003, 2, 4, false, equations::InputRule::euler}, 48000);
    check_scan({1'000'003, 2, 4, false, equations::InputRule::ema}, 48000);
    check_scan({200'003, 2, 4, true, equations::InputRule::ema}, 96000);
}

TEST_CASE("the GPU's scan gives the same bits twice") {
    if (!gpu()) return;
    const ScanCase<double> c = make_scan_case({20011, 70, 16, false, equations::InputRule::ema}, 2, 5000, 1);
    CHECK(on_gpu(c, {}) == on_gpu(c, {}));
}

TEST_CASE("the baseline scan is right too") {
    if (!gpu()) return;
    ScanCase<double> c = make_scan_case({5003, 7, 5, false, equations::InputRule::euler}, 2, 500, 2);
    std::fill(c.h_start.begin(), c.h_start.end(), 0.0);
    const auto turned = [](const auto& rows, std::size_t columns) {  // time innermost
        std::vector<double> out;
        for (std::size_t i = 0; i < columns; ++i)
            for (std::size_t t = i; t < rows.size(); t += columns) out.push_back(double(rows[t]));
        return out;
    };
    const DeviceBuffer A = upload(c.A), x = upload(turned(c.x, 7)), dt = upload(turned(c.dt, 7)), B = upload(turned(c.B, 5)),
                       C = upload(turned(c.C, 5)), D = upload(c.D);
    DeviceBuffer y(c.x.size());
    baseline_device_scan({1, 5003, 7, 5}, {A.data(), x.data(), dt.data(), B.data(), C.data(), D.data()}, y.data());
    check_one("y", turned(run_scan(c).y, 7), download(y));
}

TEST_CASE("the GPU's scan counts beyond 2^31 elements") {
    if (!gpu() || device_status().memory_bytes < (std::size_t{40} << 30)) return;
    // x alone has 2^31 + 2^16 elements; its last rows are compared with a short scan, since the states forget in 1000 samples.
    constexpr std::int64_t channels = 8, length = (std::int64_t{1} << 28) + (1 << 13), tail = 16384;
    constexpr std::size_t n = channels * length;
    const ScanCase<double> c = make_scan_case({static_cast<std::size_t>(tail), channels, 4, false, equations::InputRule::ema}, 2, 500, 5);
    const std::vector<float> xs(c.x.begin(), c.x.end()), dts(c.dt.begin(), c.dt.end()), Bs(c.B.begin(), c.B.end()), Cs(c.C.begin(), c.C.end());
    const DeviceBuffer A = upload(c.A), D = upload(c.D);
    DeviceBuffer x(n), dt(n), y(n), B(n / 2), C(n / 2);
    const auto fill = [](DeviceBuffer& buffer, const std::vector<float>& values) {  // so that it ends with them
        for (std::size_t at = buffer.size(); at > 0;) {
            const std::size_t count = std::min(at, values.size());
            at -= count;
            buffer.upload(values.data() + values.size() - count, count, at);
        }
    };
    fill(x, xs), fill(dt, dts), fill(B, Bs), fill(C, Cs);
    DeviceScan({1, length, channels, 4, false, true}).forward({A.data(), x.data(), dt.data(), B.data(), C.data(), D.data()}, y.data(), nullptr);
    // The same signal twice before it: what the second time says has forgotten how the first began.
    ScanCase<double> twice = c;
    for (auto* v : {&twice.x, &twice.dt, &twice.B, &twice.C}) v->insert(v->end(), v->begin(), v->end());
    twice.shape.length *= 2;
    std::vector<double> expected = run_scan(twice).y;
    expected.erase(expected.begin(), expected.begin() + tail * channels);
    std::vector<float> got(expected.size());
    y.download(got.data(), got.size(), n - got.size());
    check_one("y", expected, got);
}

// Small, for compute-sanitizer, under which everything takes a hundred times as long.
TEST_CASE("one small scan, forward and backward", "[sanitizer]") {
    if (!gpu()) return;
    check_scan({161, 19, 6, false, equations::InputRule::ema}, 100, {32, 3});
    check_scan({161, 9, 8, true, equations::InputRule::euler}, 100, {32, 3});
}
