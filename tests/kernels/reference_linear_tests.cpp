// SPDX-License-Identifier: GPL-3.0-or-later
// Linear, RMS norm and convolution: values, splitting, gradients.
#include "equations/conv1d.h"
#include "equations/linear.h"
#include "equations/rms_norm.h"
#include "kernels/gradient_check.h"
#include "random.h"

using namespace serpent::equations;
using namespace serpent::test;

namespace {
const std::vector<std::size_t> short_lengths{0, 1, 2, 3, 5, 17};
const std::vector<std::size_t> ugly_lengths{0, 1, 2, 3, 7, 13, 15, 16, 17, 31, 97, 255, 256, 257};
} // namespace

TEST_CASE("linear: a case by hand", "[reference]") {
    const std::vector<double> x{1, 2, 3, -1, 0, 4}, weight{1, 10, 100, 0.5, 0, -1}, bias{1000, -1};
    std::vector<double> y(4);
    linear<double>({2, 3, 2}, x.data(), weight.data(), bias.data(), y.data());
    CHECK(y == std::vector<double>{1321, -3.5, 1399, -5.5});
    linear<double>({2, 3, 2}, x.data(), weight.data(), nullptr, y.data());
    CHECK(y == std::vector<double>{321, -2.5, 399, -4.5});
}

TEST_CASE("linear: gradients", "[reference]") {
    Random random(11);
    for (std::size_t length : short_lengths)
        for (std::size_t in : {1u, 3u, 8u}) {
            const LinearShape shape{length, in, 5};
            auto x = random.vector(length * in), weight = random.vector(5 * in), bias = random.vector(5);
            const auto dy = random.vector(length * 5);
            std::vector<double> y(length * 5), dx(x.size()), dweight(weight.size()), dbias(5);
            linear_backward(shape, x.data(), weight.data(), dy.data(), dx.data(), dweight.data(), dbias.data());
            const auto loss = [&] {
                linear(shape, x.data(), weight.data(), bias.data(), y.data());
                return dot(y, dy);
            };
            check_gradient("linear x", x, dx, loss);
            check_gradient("linear weight", weight, dweight, loss);
            check_gradient("linear bias", bias, dbias, loss);
        }
}

TEST_CASE("backward functions add to what they are given and skip null", "[reference]") {
    const std::vector<double> x{1, 2}, weight{3, 4}, dy{10};
    std::vector<double> dx{100, 200};
    linear_backward<double>({1, 2, 1}, x.data(), weight.data(), dy.data(), dx.data(), nullptr, nullptr);
    CHECK(dx == std::vector<double>{130, 240});
}

TEST_CASE("rms norm: a case by hand", "[reference]") {
    const std::vector<double> x{3, 4}, weight{2, -1};
    std::vector<double> y(2);
    rms_norm(1, 2, x.data(), weight.data(), y.data());
    CHECK(close(6 / std::sqrt(12.5 + 1e-5), y[0], 1e-15));
    CHECK(close(-4 / std::sqrt(12.5 + 1e-5), y[1], 1e-15));
    // eps decides what happens near zero: no division by it.
    const std::vector<double> zeros(2);
    rms_norm(1, 2, zeros.data(), weight.data(), y.data());
    CHECK(y == zeros);
}

TEST_CASE("rms norm: gradients", "[reference]") {
    Random random(12);
    for (std::size_t length : short_lengths)
        for (std::size_t channels : {1u, 3u, 8u})
            for (double size : {1.0, 0.01}) { // 0.01: mean square near eps
                auto x = random.vector(length * channels, -size, size), weight = random.vector(channels);
                const auto dy = random.vector(x.size(), -size, size);
                std::vector<double> y(x.size()), dx(x.size()), dweight(channels);
                rms_norm_backward(length, channels, x.data(), weight.data(), dy.data(), dx.data(), dweight.data());
                const auto loss = [&] {
                    rms_norm(length, channels, x.data(), weight.data(), y.data());
                    return dot(y, dy);
                };
                // Around a value near sqrt(eps) = 0.003 the third derivative is near 1e7: a step of 1e-7 leaves 1e-8.
                check_gradient("rms norm x", x, dx, loss, 1e-7);
                check_gradient("rms norm weight", weight, dweight, loss);
            }
}

TEST_CASE("conv1d: a case by hand", "[reference]") {
    // Taps are oldest first: the last one multiplies the present sample.
    const std::vector<double> x{1, 2, 3}, weight{100, 10, 1}, bias{0.5}, history{7, 8};
    std::vector<double> y(3), end(2);
    conv1d<double>({3, 1, 3}, x.data(), weight.data(), bias.data(), nullptr, y.data(), end.data());
    CHECK(y == std::vector<double>{1.5, 12.5, 123.5});
    CHECK(end == std::vector<double>{2, 3});
    conv1d<double>({1, 1, 3}, x.data(), weight.data(), nullptr, history.data(), y.data(), end.data());
    CHECK(y[0] == 781);
    CHECK(end == std::vector<double>{8, 1});
}

TEST_CASE("conv1d: a split call is one call, bit for bit", "[reference]") {
    Random random(13);
    const std::size_t channels = 3;
    for (std::size_t taps : {1u, 2u, 3u, 4u})
        for (std::size_t length : ugly_lengths) {
            const std::size_t history_size = (taps - 1) * channels;
            const auto x = random.vector(length * channels), start = random.vector(history_size);
            const auto weight = random.vector(channels * taps), bias = random.vector(channels);
            std::vector<double> whole(x.size()), split(x.size()), end(history_size), history = start;
            conv1d<double>({length, channels, taps}, x.data(), weight.data(), bias.data(), start.data(), whole.data(),
                           end.data());
            for (std::size_t t = 0, piece = 0; t < length; t += piece) {
                piece = std::min<std::size_t>(1 + t % 6, length - t);
                conv1d<double>({piece, channels, taps}, &x[t * channels], weight.data(), bias.data(), history.data(),
                               &split[t * channels], history.data());
            }
            CHECK(split == whole);
            CHECK(history == end);
        }
}

TEST_CASE("conv1d: gradients, through both histories", "[reference]") {
    Random random(14);
    const std::size_t channels = 2;
    for (std::size_t taps : {1u, 3u, 4u})
        for (std::size_t length : short_lengths) {
            const ConvShape shape{length, channels, taps};
            auto x = random.vector(length * channels), history = random.vector(shape.history_size());
            auto weight = random.vector(channels * taps), bias = random.vector(channels);
            const auto dy = random.vector(x.size()), dend = random.vector(shape.history_size());
            std::vector<double> y(x.size()), end(dend.size());
            std::vector<double> dx(x.size()), dweight(weight.size()), dbias(channels), dhistory(dend.size());
            conv1d_backward<double>(shape, x.data(), weight.data(), history.data(), dy.data(), dend.data(),
                                    {dx.data(), dweight.data(), dbias.data(), dhistory.data()});
            const auto loss = [&] {
                conv1d(shape, x.data(), weight.data(), bias.data(), history.data(), y.data(), end.data());
                return dot(y, dy) + dot(end, dend);
            };
            check_gradient("conv x", x, dx, loss);
            check_gradient("conv weight", weight, dweight, loss);
            check_gradient("conv bias", bias, dbias, loss);
            check_gradient("conv history", history, dhistory, loss);
        }
}
