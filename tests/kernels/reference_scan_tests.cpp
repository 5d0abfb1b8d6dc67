// SPDX-License-Identifier: GPL-3.0-or-later
// The selective scan, sequential and time-parallel: values, start and end states, splitting, long memories, gradients.
#include "kernels/gradient_check.h"
#include "kernels/scan_case.h"

using namespace serpent::equations;
using namespace serpent::test;

namespace {

const std::vector<std::size_t> ugly_lengths{0, 1, 2, 3, 7, 15, 16, 17, 31, 97, 255, 256, 257};

std::vector<ScanShape> all_kinds(std::size_t length, std::size_t channels, std::size_t states) {
    std::vector<ScanShape> shapes;
    for (bool tied : {false, true})
        for (InputRule rule : {InputRule::euler, InputRule::ema})
            shapes.push_back({length, channels, states, tied, rule});
    return shapes;
}

template <class T>
void check_same(const ScanOutputs<double>& expected, const ScanOutputs<T>& got, double rms, double max) {
    const Distance y = distance(expected.y, got.y), h = distance(expected.h_end, got.h_end);
    INFO("y " << y.rms << " rms, " << y.max << " max; h_end " << h.rms << " rms, " << h.max << " max");
    CHECK(y.within(rms, max));
    CHECK(h.within(rms, max));
}

template <class T>
void check_same(const ScanGradientVectors<double>& expected, const ScanGradientVectors<T>& got, double rms,
                double max) {
    const auto check = [&](const char* name, const std::vector<double>& e, const std::vector<T>& g) {
        const Distance d = distance(e, g);
        INFO("gradient of " << name << ": " << d.rms << " rms, " << d.max << " max");
        CHECK(d.within(rms, max));
    };
    check("x", expected.x, got.x);
    check("dt", expected.dt, got.dt);
    check("A", expected.A, got.A);
    check("B", expected.B, got.B);
    check("C", expected.C, got.C);
    check("D", expected.D, got.D);
    check("h_start", expected.h_start, got.h_start);
}

} // namespace

TEST_CASE("scan: two samples by hand, euler and ema", "[reference]") {
    const double x[] = {2, -1}, dt[] = {std::log(2.0), std::log(4.0)}, A = -1, B[] = {3, 5}, C[] = {7, 11}, D = 0.5;
    const double h_start = 10;
    double y[2], h_end = 0;
    const ScanInputs<double> in{x, dt, &A, B, C, &D, &h_start};
    // exp(dt A) is 1/2, then 1/4.
    const double h1 = 10 / 2.0 + std::log(2.0) * 3 * 2, h2 = h1 / 4 + std::log(4.0) * 5 * -1;
    selective_scan<double>({2, 1, 1, false, InputRule::euler}, in, y, &h_end);
    CHECK(close(7 * h1 + 1, y[0], 1e-13)); // roundings of numbers near 64
    CHECK(close(11 * h2 - 0.5, y[1], 1e-13));
    CHECK(close(h2, h_end, 1e-14));
    const double m1 = 10 / 2.0 + 6 / 2.0, m2 = m1 / 4 + 0.75 * -5;
    selective_scan<double>({2, 1, 1, true, InputRule::ema}, in, y, &h_end);
    CHECK(close(7 * m1 + 1, y[0], 1e-13));
    CHECK(close(11 * m2 - 0.5, y[1], 1e-13));
    CHECK(close(m2, h_end, 1e-14));
}

TEST_CASE("scan: closed form of a constant input, time constant 48,000 samples", "[reference]") {
    // h_t = h_inf (1 - exp(-t dt)) with dt = 1 / 48000, h_inf = B x for both rules because A = -1 and, for euler,
    // dt B x / (1 - exp(-dt)). 1e-11: 96,000 roundings of double.
    const std::size_t length = 96000;
    const double dt_value = 1.0 / 48000, A = -1, h_inf_ema = 0.75;
    const std::vector<double> x(length, 1.5), dt(length, dt_value), B(length, 0.5), C(length, 1);
    for (InputRule rule : {InputRule::euler, InputRule::ema}) {
        std::vector<double> y(length);
        double h_end = 0;
        const ScanInputs<double> in{x.data(), dt.data(), &A, B.data(), C.data()};
        selective_scan<double>({length, 1, 1, false, rule}, in, y.data(), &h_end);
        const double h_inf = rule == InputRule::ema ? h_inf_ema : h_inf_ema * dt_value / -std::expm1(-dt_value);
        for (std::size_t t : {std::size_t{0}, std::size_t{1}, std::size_t{47999}, length - 1})
            CHECK(close(1.0, y[t] / (-h_inf * std::expm1(-static_cast<double>(t + 1) * dt_value)), 1e-11));
        CHECK(h_end == y.back());
    }
}

TEST_CASE("scan: null D and null start state mean zeros", "[reference]") {
    ScanCase<double> c = make_scan_case({17, 3, 2}, 1, 100, 31);
    c.D.assign(c.D.size(), 0);
    c.h_start.assign(c.h_start.size(), 0);
    ScanInputs<double> in = c.inputs();
    in.D = in.h_start = nullptr;
    for (std::size_t chunk : {0u, 5u}) {
        std::vector<double> y(c.x.size());
        chunk ? selective_scan_chunked(c.shape, in, y.data(), static_cast<double*>(nullptr), chunk)
              : selective_scan(c.shape, in, y.data(), static_cast<double*>(nullptr));
        CHECK(y == run_scan(c, chunk).y);
    }
}

TEST_CASE("scan: a split call is one call, bit for bit", "[reference]") {
    for (std::size_t length : ugly_lengths)
        for (const ScanShape& shape : all_kinds(length, 3, 2)) {
            const ScanCase<double> c = make_scan_case(shape, 1, 1000, 32);
            const ScanOutputs<double> whole = run_scan(c);
            std::vector<double> y(whole.y.size()), h = c.h_start;
            for (std::size_t t = 0, piece = 0; t < length; t += piece) {
                piece = std::min<std::size_t>(1 + t % 13, length - t);
                ScanShape part = shape;
                part.length = piece;
                const ScanInputs<double> in{&c.x[t * 3], &c.dt[t * 3], c.A.data(), &c.B[t * 2],
                                            &c.C[t * 2], c.D.data(),   h.data()};
                selective_scan(part, in, &y[t * 3], h.data());
            }
            CHECK(y == whole.y);
            CHECK(h == whole.h_end);
        }
}

TEST_CASE("scan: gradients of every input and of the start state", "[reference]") {
    for (std::size_t length : {0u, 1u, 2u, 5u, 17u})
        for (const ScanShape& shape : all_kinds(length, 3, 2)) {
            CAPTURE(length, shape.tied, shape.rule == InputRule::ema);
            ScanCase<double> c = make_scan_case(shape, 1, 100, 33);
            const auto loss = [&] {
                const ScanOutputs<double> out = run_scan(c);
                return dot(out.y, c.dy) + dot(out.h_end, c.dh_end);
            };
            const ScanGradientVectors<double> g = run_scan_backward(c);
            check_gradient("x", c.x, g.x, loss);
            check_gradient("dt", c.dt, g.dt, loss);
            check_gradient("A", c.A, g.A, loss);
            check_gradient("B", c.B, g.B, loss);
            check_gradient("C", c.C, g.C, loss);
            check_gradient("D", c.D, g.D, loss);
            check_gradient("h_start", c.h_start, g.h_start, loss);
        }
}

TEST_CASE("scan: gradients of a split call, chained through the state, are those of one call", "[reference]") {
    for (const ScanShape& shape : all_kinds(41, 2, 3)) {
        const ScanCase<double> c = make_scan_case(shape, 1, 1000, 34);
        const std::size_t cut = 24;
        std::vector<double> y(41 * 2), h_middle(6), dh_middle(6);
        ScanShape first = shape, second = shape;
        first.length = cut, second.length = 41 - cut;
        selective_scan(first, c.inputs(), y.data(), h_middle.data());
        const ScanInputs<double> rest{&c.x[cut * 2], &c.dt[cut * 2], c.A.data(),     &c.B[cut * 3],
                                      &c.C[cut * 3], c.D.data(),     h_middle.data()};
        ScanGradientVectors<double> g(shape);
        selective_scan_backward<double>(second, rest, &c.dy[cut * 2], c.dh_end.data(),
                                        {&g.x[cut * 2], &g.dt[cut * 2], g.A.data(), &g.B[cut * 3], &g.C[cut * 3],
                                         g.D.data(), dh_middle.data()});
        selective_scan_backward(first, c.inputs(), c.dy.data(), dh_middle.data(), g.pointers());
        check_same(run_scan_backward(c), g, 1e-14, 1e-13); // another order of adding the gradients of A and D
    }
}

TEST_CASE("chunked scan: any length and any chunk, in double", "[reference]") {
    // The two forms round differently: a few hundred ulp of double at most.
    for (std::size_t length : ugly_lengths)
        for (std::size_t chunk : {1u, 2u, 3u, 15u, 16u, 17u, 64u, 255u, 256u, 257u, 1024u})
            for (const ScanShape& shape : all_kinds(length, 3, 2)) {
                CAPTURE(length, chunk, shape.tied, shape.rule == InputRule::ema);
                const ScanCase<double> c = make_scan_case(shape, 1, 1000, 35);
                check_same(run_scan(c), run_scan(c, chunk), 1e-13, 1e-12);
                check_same(run_scan_backward(c), run_scan_backward(c, chunk), 1e-13, 1e-12);
            }
}

TEST_CASE("chunked scan: chunk +-1 samples", "[reference]") {
    for (std::size_t chunk : {16u, 64u, 256u})
        for (std::size_t length : {chunk - 1, chunk, chunk + 1, 2 * chunk - 1, 2 * chunk, 2 * chunk + 1, 5 * chunk + 1})
            for (const ScanShape& shape : all_kinds(length, 2, 3)) {
                CAPTURE(length, chunk);
                const ScanCase<double> c = make_scan_case(shape, 1, 5000, 36);
                check_same(run_scan(c), run_scan(c, chunk), 1e-13, 1e-12);
                check_same(run_scan_backward(c), run_scan_backward(c, chunk), 1e-13, 1e-12);
            }
}

TEST_CASE("chunked scan: two runs give the same bits", "[reference]") {
    const auto c = to<float>(make_scan_case({1000, 3, 4}, 1, 10000, 37));
    CHECK(run_scan(c, 64).y == run_scan(c, 64).y);
    CHECK(run_scan_backward(c, 64).A == run_scan_backward(c, 64).A);
}

TEST_CASE("scan in float: long memories, sequential and chunked", "[reference]") {
    // The bound that every implementation is held to: 1e-5 rms and 1e-4 max, relative to the rms of the double result.
    // The channels' time constants lie between tau / 2 and tau; the signal is longer than two of them.
    for (double tau : {100.0, 48000.0, 96000.0})
        for (InputRule rule : {InputRule::euler, InputRule::ema}) {
            const ScanShape shape{200000, 2, 2, tau == 48000.0, rule};
            const ScanCase<double> c = make_scan_case(shape, tau / 2, tau, 38);
            const ScanCase<float> f = to<float>(c);
            const ScanOutputs<double> expected = run_scan(c);
            for (std::size_t chunk : {0u, 1u, 17u, 256u, 1024u}) {
                CAPTURE(tau, rule == InputRule::ema, chunk);
                check_same(expected, run_scan(f, chunk), 1e-5, 1e-4);
            }
        }
}

TEST_CASE("scan in float: constant dt, the worst case for rounding", "[reference]") {
    const ScanShape shape{200000, 2, 2};
    ScanCase<double> c = make_scan_case(shape, 24000, 48000, 39);
    for (std::size_t t = 1; t < shape.length; ++t)
        for (std::size_t i = 0; i < shape.channels; ++i)
            c.dt[t * shape.channels + i] = c.dt[i];
    const ScanCase<float> f = to<float>(c);
    for (std::size_t chunk : {0u, 256u}) {
        CAPTURE(chunk);
        check_same(run_scan(c), run_scan(f, chunk), 1e-5, 1e-4);
    }
}

TEST_CASE("scan in float: gradients with long memories", "[reference]") {
    // 48,000 products are summed into each gradient of A and D; chunked, they are summed in two levels.
    for (InputRule rule : {InputRule::euler, InputRule::ema}) {
        const ScanShape shape{50000, 2, 2, false, rule};
        const ScanCase<double> c = make_scan_case(shape, 48000, 96000, 40);
        const ScanCase<float> f = to<float>(c);
        const ScanGradientVectors<double> expected = run_scan_backward(c);
        for (std::size_t chunk : {0u, 16u, 256u}) {
            CAPTURE(rule == InputRule::ema, chunk);
            check_same(expected, run_scan_backward(f, chunk), chunk ? 1e-5 : 1e-4, chunk ? 1e-4 : 1e-3);
        }
    }
}
