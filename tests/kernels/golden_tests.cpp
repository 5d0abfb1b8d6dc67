// SPDX-License-Identifier: GPL-3.0-or-later
// The reference against vectors that the public PyTorch implementation computed in float64 (tests/data/golden).
#include "close.h"
#include "equations/block.h"
#include "equations/selective_scan_chunked.h"
#include "golden_file.h"

#include <catch2/catch.hpp>

using namespace serpent::equations;
using namespace serpent::test;

namespace {

/// Sequence b of (batch, rows, length), as (length, rows).
template <class T>
std::vector<T> sequence(const GoldenTensor& tensor, std::size_t b) {
    const std::size_t rows = tensor.shape.at(1), length = tensor.shape.at(2);
    std::vector<T> out(rows * length);
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t t = 0; t < length; ++t)
            out[t * rows + r] = static_cast<T>(tensor.values[(b * rows + r) * length + t]);
    return out;
}

template <class T>
std::vector<T> as(const std::vector<double>& values) {
    return {values.begin(), values.end()};
}

template <class T>
std::vector<T> batch_row(const GoldenTensor& tensor, std::size_t b) {
    const std::size_t size = tensor.values.size() / tensor.shape.at(0);
    return {tensor.values.begin() + static_cast<std::ptrdiff_t>(b * size),
            tensor.values.begin() + static_cast<std::ptrdiff_t>((b + 1) * size)};
}

/// Bounds for each precision. double: the files hold float32 numbers, rounded to 6e-8 of each value, so 6e-8 rms, and
/// 4e-6 of the rms for values up to 64 times it (the largest gradients are 30 times theirs). float: "Error" in the
/// operators' headers.
template <class T>
constexpr double rms_bound = sizeof(T) == 8 ? 6e-8 : 1e-5;
template <class T>
constexpr double max_bound = sizeof(T) == 8 ? 4e-6 : 1e-4;

template <class T>
void check(const std::string& name, const std::vector<double>& expected, const std::vector<T>& got) {
    const Distance d = distance(expected, got);
    INFO(name << ": " << d.rms << " rms, " << d.max << " max");
    CHECK(d.within(rms_bound<T>, max_bound<T>));
}

struct ScanSizes {
    std::size_t batch, channels, states, length;
    explicit ScanSizes(const GoldenFile& g)
        : batch(g["u"].shape.at(0)), channels(g["A"].shape.at(0)), states(g["A"].shape.at(1)),
          length(g["u"].shape.at(2)) {}
};

/// One golden scan through bias, softplus, scan and gate, forward and backward. chunk 0: sequential.
template <class T>
void check_scan(const GoldenFile& g, std::size_t chunk) {
    const ScanSizes s(g);
    const ScanShape shape{s.length, s.channels, s.states};
    const std::size_t n = s.length * s.channels;
    const auto A = as<T>(g["A"].values), D = as<T>(g["D"].values), bias = as<T>(g["delta_bias"].values);
    std::vector<T> dA(A.size()), dD(D.size()), dbias(bias.size());
    for (std::size_t b = 0; b < s.batch; ++b) {
        const auto u = sequence<T>(g["u"], b), B = sequence<T>(g["B"], b), C = sequence<T>(g["C"], b);
        auto raw = sequence<T>(g["delta"], b);
        for (std::size_t i = 0; i < n; ++i)
            raw[i] += bias[i % s.channels];
        std::vector<T> dt(n), y(n), h(shape.state_size());
        softplus(n, raw.data(), dt.data());
        const ScanInputs<T> in{u.data(), dt.data(), A.data(), B.data(), C.data(), D.data()};
        chunk ? selective_scan_chunked(shape, in, y.data(), h.data(), chunk)
              : selective_scan(shape, in, y.data(), h.data());
        check("last_state", batch_row<double>(g["last_state"], b), h);
        std::vector<T> dy = sequence<T>(g["dout"], b);
        if (g.has("z")) {
            const auto z = sequence<T>(g["z"], b), dout = dy;
            std::vector<T> out(n), dz(n);
            gate(n, y.data(), z.data(), out.data());
            check("out", sequence<double>(g["out"], b), out);
            dy.assign(n, 0);
            gate_backward(n, y.data(), z.data(), dout.data(), dy.data(), dz.data());
            check("grad.z", sequence<double>(g["grad.z"], b), dz);
        } else {
            check("out", sequence<double>(g["out"], b), y);
        }
        std::vector<T> du(n), ddt(n), ddelta(n), dB(B.size()), dC(C.size());
        const ScanGradients<T> out{du.data(), ddt.data(), dA.data(), dB.data(), dC.data(), dD.data()};
        chunk ? selective_scan_chunked_backward<T>(shape, in, dy.data(), nullptr, out, chunk)
              : selective_scan_backward<T>(shape, in, dy.data(), nullptr, out);
        softplus_backward(n, raw.data(), ddt.data(), ddelta.data());
        for (std::size_t i = 0; i < n; ++i)
            dbias[i % s.channels] += ddelta[i];
        check("grad.u", sequence<double>(g["grad.u"], b), du);
        check("grad.delta", sequence<double>(g["grad.delta"], b), ddelta);
        check("grad.B", sequence<double>(g["grad.B"], b), dB);
        check("grad.C", sequence<double>(g["grad.C"], b), dC);
    }
    check("grad.A", g["grad.A"].values, dA);
    check("grad.D", g["grad.D"].values, dD);
    check("grad.delta_bias", g["grad.delta_bias"].values, dbias);
}

template <class T>
void check_block(const GoldenFile& g) {
    const auto config = nlohmann::json::parse(g.metadata().at("config").get<std::string>());
    const std::size_t d_model = config.at("d_model"), d_inner = config.at("expand").get<std::size_t>() * d_model;
    const GoldenTensor& input = g["hidden_states"];
    const BlockShape shape{input.shape.at(1), d_model, d_inner, config.at("d_state"), config.at("d_conv"),
                           config.at("dt_rank")};
    std::map<std::string, std::vector<T>> weights, gradients;
    for (const char* name : {"in_proj.weight", "conv1d.weight", "conv1d.bias", "x_proj.weight", "dt_proj.weight",
                             "dt_proj.bias", "A_log", "D", "out_proj.weight"}) {
        weights[name] = as<T>(g[name].values);
        gradients[name].resize(weights[name].size());
    }
    const auto pointers = [](auto& of) {
        BlockParameters<T> p;
        p.in_proj = of["in_proj.weight"].data(), p.out_proj = of["out_proj.weight"].data();
        p.conv_weight = of["conv1d.weight"].data(), p.conv_bias = of["conv1d.bias"].data();
        p.x_proj = of["x_proj.weight"].data();
        p.dt_proj = of["dt_proj.weight"].data(), p.dt_proj_bias = of["dt_proj.bias"].data();
        p.A_log = of["A_log"].data(), p.D = of["D"].data();
        return p;
    };
    const auto w = pointers(weights);
    BlockParameters<const T> p;
    for (std::size_t i = 0; i < std::size(BlockParameters<T>::members); ++i)
        p.*BlockParameters<const T>::members[i] = w.*BlockParameters<T>::members[i];
    for (std::size_t b = 0; b < input.shape.at(0); ++b) {
        const auto u = batch_row<T>(input, b), dout = batch_row<T>(g["dout"], b);
        std::vector<T> out(u.size()), du(u.size());
        const auto tape = block<T>(shape, u.data(), p, {}, out.data(), {});
        block_backward<T>(shape, u.data(), p, tape, {}, dout.data(), {}, du.data(), {}, pointers(gradients));
        check("out", batch_row<double>(g["out"], b), out);
        check("grad.hidden_states", batch_row<double>(g["grad.hidden_states"], b), du);
    }
    for (const auto& [name, gradient] : gradients)
        check("grad." + name, g["grad." + name].values, gradient);
}

} // namespace

TEST_CASE("golden: selective scan, forward and gradients", "[golden]") {
    for (const char* name : {"scan_small", "scan_no_gate", "scan_batch", "scan_audio"}) {
        const GoldenFile g(name + std::string(".safetensors"));
        for (std::size_t chunk : {0u, 1u, 17u, 64u, 1024u}) {
            CAPTURE(name, chunk);
            check_scan<double>(g, chunk);
            check_scan<float>(g, chunk);
        }
    }
}

TEST_CASE("golden: Mamba block, forward and gradients", "[golden]") {
    for (const char* name : {"block_d8_n4", "block_d16_n16", "block_d24_n8_b2"}) {
        CAPTURE(name);
        const GoldenFile g(name + std::string(".safetensors"));
        check_block<double>(g);
        check_block<float>(g);
    }
}
