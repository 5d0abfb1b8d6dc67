// SPDX-License-Identifier: GPL-3.0-or-later
// A selective scan with random inputs and everything that comes out of it, for comparing its forms with each other.
#pragma once

#include "equations/selective_scan.h"
#include "equations/selective_scan_chunked.h"
#include "random.h"

#include <cstddef>
#include <vector>

namespace serpent::test {

template <class T>
struct ScanCase {
    equations::ScanShape shape;
    std::vector<T> x, dt, A, B, C, D, h_start, dy, dh_end;

    equations::ScanInputs<T> inputs() const {
        return {x.data(), dt.data(), A.data(), B.data(), C.data(), D.data(), h_start.data()};
    }
};

/// 1/dt log-uniform between the two time constants (samples), A = -1 .. -2: slow channels beside fast ones. dt varies
/// by a factor of two over time, as a selective model's does. The numbers are float values in both precisions.
inline ScanCase<double> make_scan_case(const equations::ScanShape& shape, double tau_min, double tau_max,
                                       std::uint64_t seed) {
    Random random(seed);
    const std::size_t L = shape.length, d = shape.channels, N = shape.states;
    ScanCase<double> c{shape, random.vector(L * d), {}, random.vector(shape.decays(), -2, -1), random.vector(L * N),
                       random.vector(L * N), random.vector(d), random.vector(d * N), random.vector(L * d),
                       random.vector(d * N)};
    std::vector<double> slowest(d);
    for (double& dt : slowest)
        dt = 1 / random.log_uniform(tau_min, tau_max);
    for (std::size_t t = 0; t < L; ++t)
        for (std::size_t i = 0; i < d; ++i)
            c.dt.push_back(slowest[i] * random.uniform(1, 2));
    // A reference level that is not zero mean, as a detector's is: without it a slow state holds only noise.
    for (double& x : c.x)
        x += 0.5;
    for (auto* values : {&c.x, &c.dt, &c.A, &c.B, &c.C, &c.D, &c.h_start, &c.dy, &c.dh_end})
        for (double& value : *values)
            value = static_cast<double>(static_cast<float>(value));
    return c;
}

template <class T>
ScanCase<T> to(const ScanCase<double>& c) {
    const auto as = [](const std::vector<double>& v) { return std::vector<T>(v.begin(), v.end()); };
    return {c.shape, as(c.x), as(c.dt), as(c.A), as(c.B), as(c.C), as(c.D), as(c.h_start), as(c.dy), as(c.dh_end)};
}

template <class T>
struct ScanOutputs {
    std::vector<T> y, h_end;
};

template <class T>
struct ScanGradientVectors {
    std::vector<T> x, dt, A, B, C, D, h_start;

    explicit ScanGradientVectors(const equations::ScanShape& s)
        : x(s.length * s.channels), dt(x.size()), A(s.decays()), B(s.length * s.states), C(B.size()), D(s.channels),
          h_start(s.state_size()) {}

    bool operator==(const ScanGradientVectors&) const = default;

    equations::ScanGradients<T> pointers() {
        return {x.data(), dt.data(), A.data(), B.data(), C.data(), D.data(), h_start.data()};
    }
};

/// chunk 0: the sequential form.
template <class T>
ScanOutputs<T> run_scan(const ScanCase<T>& c, std::size_t chunk = 0) {
    ScanOutputs<T> out{std::vector<T>(c.x.size()), std::vector<T>(c.shape.state_size())};
    if (chunk == 0)
        equations::selective_scan(c.shape, c.inputs(), out.y.data(), out.h_end.data());
    else
        equations::selective_scan_chunked(c.shape, c.inputs(), out.y.data(), out.h_end.data(), chunk);
    return out;
}

template <class T>
ScanGradientVectors<T> run_scan_backward(const ScanCase<T>& c, std::size_t chunk = 0) {
    ScanGradientVectors<T> g(c.shape);
    if (chunk == 0)
        equations::selective_scan_backward(c.shape, c.inputs(), c.dy.data(), c.dh_end.data(), g.pointers());
    else
        equations::selective_scan_chunked_backward(c.shape, c.inputs(), c.dy.data(), c.dh_end.data(), g.pointers(),
                                                   chunk);
    return g;
}

} // namespace serpent::test
