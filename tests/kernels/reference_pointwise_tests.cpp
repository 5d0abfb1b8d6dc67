// SPDX-License-Identifier: GPL-3.0-or-later
// Activations, gate, FiLM: values and gradients.
#include "equations/activations.h"
#include "equations/film.h"
#include "equations/gate.h"
#include "kernels/gradient_check.h"
#include "random.h"

using namespace serpent::equations;
using namespace serpent::test;

namespace {
const std::vector<std::size_t> lengths{0, 1, 2, 7, 15, 16, 17};
}

TEST_CASE("activations: known values", "[reference]") {
    // From 20-digit evaluations of the definitions; 4 ulp of double for exp, log1p and one division.
    const double ulp4 = 4 * 0x1p-52;
    CHECK(close(0.5, sigmoid(0.0), ulp4));
    CHECK(close(0.73105857863000487925, sigmoid(1.0), ulp4));
    CHECK(close(0.26894142136999512075, sigmoid(-1.0), ulp4));
    CHECK(close(0.69314718055994530942, softplus(0.0), ulp4));
    CHECK(close(1.3132616875182228340, softplus(1.0), 2 * ulp4));
    CHECK(close(1.0, softplus(-30.0) / 9.3576229688397368e-14, ulp4));
    CHECK(close(-0.26894142136999512075, silu(-1.0), ulp4));
}

TEST_CASE("activations: nothing overflows and tails keep their accuracy", "[reference]") {
    for (float x : {0.0f, 1e-30f, 20.0f, 88.0f, 89.0f, 1000.0f, 3e38f}) {
        CAPTURE(x);
        CHECK(close(1.0, sigmoid(x) + sigmoid(-x), 1e-7)); // two roundings of float
        CHECK(std::isfinite(softplus(x)));
        CHECK(std::isfinite(softplus(-x)));
        CHECK(softplus(-x) >= 0.0f);
        CHECK(std::isfinite(silu(-x)));
        CHECK(std::isfinite(silu_derivative(x)));
        CHECK(std::isfinite(silu_derivative(-x)));
    }
    CHECK(softplus(100.0f) == 100.0f);
    // dt of a time constant of 96,000 samples: softplus(-11.47), float against double, a few ulp of float.
    CHECK(close(1.0, softplus(-11.47f) / softplus(static_cast<double>(-11.47f)), 3e-7));
}

TEST_CASE("activations: gradients", "[reference]") {
    Random random(1);
    for (std::size_t n : lengths) {
        auto x = random.vector(n, -6, 6);
        const auto dy = random.vector(n);
        std::vector<double> y(n), dx(n);
        sigmoid_backward(n, x.data(), dy.data(), dx.data());
        check_gradient("sigmoid", x, dx, [&] { return sigmoid(n, x.data(), y.data()), dot(y, dy); });
        dx.assign(n, 0);
        silu_backward(n, x.data(), dy.data(), dx.data());
        check_gradient("silu", x, dx, [&] { return silu(n, x.data(), y.data()), dot(y, dy); });
        dx.assign(n, 0);
        softplus_backward(n, x.data(), dy.data(), dx.data());
        check_gradient("softplus", x, dx, [&] { return softplus(n, x.data(), y.data()), dot(y, dy); });
    }
}

TEST_CASE("gate: value, aliasing and gradients", "[reference]") {
    Random random(2);
    for (std::size_t n : lengths) {
        auto x = random.vector(n), z = random.vector(n, -4, 4);
        const auto dy = random.vector(n);
        std::vector<double> y(n), dx(n), dz(n), in_place = x;
        gate(n, x.data(), z.data(), y.data());
        for (std::size_t i = 0; i < n; ++i)
            CHECK(close(x[i] * z[i] / (1 + std::exp(-z[i])), y[i], 1e-14)); // roundings of double
        gate(n, in_place.data(), z.data(), in_place.data());
        CHECK(in_place == y);
        gate_backward(n, x.data(), z.data(), dy.data(), dx.data(), dz.data());
        const auto loss = [&] { return gate(n, x.data(), z.data(), y.data()), dot(y, dy); };
        check_gradient("gate x", x, dx, loss);
        check_gradient("gate z", z, dz, loss);
    }
}

TEST_CASE("film: value and gradients", "[reference]") {
    Random random(3);
    for (std::size_t channels : {1u, 3u, 8u})
        for (std::size_t length : lengths) {
            auto x = random.vector(length * channels);
            auto scale = random.vector(channels), shift = random.vector(channels);
            const auto dy = random.vector(length * channels);
            std::vector<double> y(x.size()), dx(x.size()), dscale(channels), dshift(channels);
            const auto loss = [&] {
                film(length, channels, x.data(), scale.data(), shift.data(), y.data());
                return dot(y, dy);
            };
            loss();
            for (std::size_t i = 0; i < y.size(); ++i)
                CHECK(y[i] == x[i] * scale[i % channels] + shift[i % channels]);
            film_backward(length, channels, x.data(), scale.data(), dy.data(), dx.data(), dscale.data(), dshift.data());
            check_gradient("film x", x, dx, loss);
            check_gradient("film scale", scale, dscale, loss);
            check_gradient("film shift", shift, dshift, loss);
        }
}

TEST_CASE("film coefficients: zero weights leave the signal alone", "[reference]") {
    const std::vector<double> zeros(100);
    const FilmShape shape{2, 16, 3};
    const FilmParameters<const double> p{zeros.data(), zeros.data(), zeros.data(), zeros.data()};
    const std::vector<double> v{0.3, -1};
    std::vector<double> scale(3), shift(3);
    film_coefficients(shape, v.data(), p, scale.data(), shift.data());
    CHECK(scale == std::vector<double>(3, 1.0));
    CHECK(shift == std::vector<double>(3, 0.0));
}

TEST_CASE("film coefficients: one hidden unit by hand", "[reference]") {
    const FilmShape shape{1, 1, 1};
    const double hidden_weight = 2, hidden_bias = -0.5, weight[] = {0.25, 4}, bias[] = {0.125, -1}, v = 0.5;
    const FilmParameters<const double> p{&hidden_weight, &hidden_bias, weight, bias};
    double scale = 0, shift = 0;
    film_coefficients(shape, &v, p, &scale, &shift);
    CHECK(close(1.125 + 0.25 * std::tanh(0.5), scale, 1e-15));
    CHECK(close(4 * std::tanh(0.5) - 1, shift, 1e-15));
}

TEST_CASE("film coefficients: gradients", "[reference]") {
    Random random(4);
    const FilmShape shape{2, 5, 3};
    auto v = random.vector(2), hidden_weight = random.vector(10), hidden_bias = random.vector(5);
    auto weight = random.vector(30), bias = random.vector(6);
    const auto dscale = random.vector(3), dshift = random.vector(3);
    std::vector<double> scale(3), shift(3);
    const FilmParameters<const double> p{hidden_weight.data(), hidden_bias.data(), weight.data(), bias.data()};
    const auto loss = [&] {
        film_coefficients(shape, v.data(), p, scale.data(), shift.data());
        return dot(scale, dscale) + dot(shift, dshift);
    };
    std::vector<double> dv(2), dhidden_weight(10), dhidden_bias(5), dweight(30), dbias(6);
    film_coefficients_backward<double>(shape, v.data(), p, dscale.data(), dshift.data(), dv.data(),
                                       {dhidden_weight.data(), dhidden_bias.data(), dweight.data(), dbias.data()});
    check_gradient("v", v, dv, loss);
    check_gradient("hidden weight", hidden_weight, dhidden_weight, loss);
    check_gradient("hidden bias", hidden_bias, dhidden_bias, loss);
    check_gradient("weight", weight, dweight, loss);
    check_gradient("bias", bias, dbias, loss);
}
