// SPDX-License-Identifier: GPL-3.0-or-later
// Lane-batched linear maps, norm and convolution against their plain twins in double, on every ISA.
#include "equations/conv1d.h"
#include "equations/film.h"
#include "equations/linear.h"
#include "equations/rms_norm.h"
#include "kernels/lane_case.h"

using namespace serpent::kernels;
using namespace serpent::test;
namespace equations = serpent::equations;

namespace {

constexpr double ulp = 0x1p-23;

struct LinearCase {
    std::size_t steps, in, out;
    bool transposed;
    Slice x, y;
    std::vector<double> w, bias; // w in PyTorch's (out, in)

    LaneLinearShape shape() const {
        const auto i = [](std::size_t n) { return static_cast<int>(n); };
        return {i(steps), i(in), i(out), transposed ? 1 : i(in), transposed ? i(out) : 1, i(x.stride), i(y.stride)};
    }
    /// The weights as the operator is to find them.
    std::vector<float> stored() const {
        std::vector<float> stored(w.size());
        for (std::size_t o = 0; o < out; ++o)
            for (std::size_t i = 0; i < in; ++i)
                stored[transposed ? i * out + o : o * in + i] = static_cast<float>(w[o * in + i]);
        return stored;
    }
};

/// The bound of lanes.h for a sum of `terms` products: (terms + 1) ulp of the sum of their magnitudes.
bool within_sum_bound(double expected, double got, double magnitudes, std::size_t terms) {
    return close(expected, got, static_cast<double>(terms + 1) * ulp * magnitudes);
}

std::vector<double> magnitudes(std::vector<double> v) {
    for (double& value : v)
        value = std::abs(value);
    return v;
}

void check_linear(const LaneOps& ops, const LinearCase& c, const Sequences& x, const Sequences& before) {
    const LaneFloats x_in = pack(x, c.x);
    const std::vector<float> w = c.stored(), bias = floats(c.bias);
    for (bool with_bias : {false, true})
        for (bool add : {false, true}) {
            LaneFloats y = pack(before, c.y);
            ops.linear(c.shape(), w.data(), with_bias ? bias.data() : nullptr, at(x_in, c.x), at(y, c.y), add);
            CHECK(surroundings_untouched(y, c.y));
            const Sequences got = unpack(y, c.y);
            for (std::size_t l = 0; l < lanes; ++l) {
                const equations::LinearShape shape{c.steps, c.in, c.out};
                std::vector<double> expected(before[l].size()), size(before[l].size());
                const std::vector<double> x_size = magnitudes(x[l]), w_size = magnitudes(c.w);
                const std::vector<double> b_size = magnitudes(c.bias);
                equations::linear(shape, x[l].data(), c.w.data(), with_bias ? c.bias.data() : nullptr, expected.data());
                equations::linear(shape, x_size.data(), w_size.data(), with_bias ? b_size.data() : nullptr,
                                  size.data());
                for (std::size_t i = 0; i < expected.size(); ++i) {
                    expected[i] += add ? before[l][i] : 0;
                    size[i] += add ? std::abs(before[l][i]) : 0;
                    if (!within_sum_bound(expected[i], got[l][i], size[i], c.in + 2))
                        FAIL("element " << i << " of lane " << l << ": " << got[l][i] << " for " << expected[i]);
                }
            }
        }
}

void check_linear_gradient(const LaneOps& ops, const LinearCase& c, const Sequences& x, const Sequences& dy,
                           const Sequences& dw, const Sequences& dbias) {
    const LaneFloats x_in = pack(x, c.x), dy_in = pack(dy, c.y);
    const Slice weights(c.in * c.out), biases(c.out);
    LaneFloats dw_out = pack(dw, weights), dbias_out = pack(dbias, biases);
    ops.linear_gradient(c.shape(), at(dy_in, c.y), at(x_in, c.x), dw_out.data(), dbias_out.data());
    LaneFloats dw_only = pack(dw, weights);
    ops.linear_gradient(c.shape(), at(dy_in, c.y), at(x_in, c.x), dw_only.data(), nullptr);
    CHECK(dw_only == dw_out);
    const Sequences got_w = unpack(dw_out, weights), got_bias = unpack(dbias_out, biases);
    for (std::size_t l = 0; l < lanes; ++l)
        for (std::size_t o = 0; o < c.out; ++o) {
            double bias = dbias[l][o], bias_size = std::abs(bias);
            for (std::size_t t = 0; t < c.steps; ++t) {
                bias += dy[l][t * c.out + o];
                bias_size += std::abs(dy[l][t * c.out + o]);
            }
            if (!within_sum_bound(bias, got_bias[l][o], bias_size, c.steps))
                FAIL("bias " << o << " of lane " << l << ": " << got_bias[l][o] << " for " << bias);
            for (std::size_t i = 0; i < c.in; ++i) {
                const std::size_t index = c.transposed ? i * c.out + o : o * c.in + i;
                double sum = dw[l][index], size = std::abs(sum);
                for (std::size_t t = 0; t < c.steps; ++t) {
                    sum += dy[l][t * c.out + o] * x[l][t * c.in + i];
                    size += std::abs(dy[l][t * c.out + o] * x[l][t * c.in + i]);
                }
                if (!within_sum_bound(sum, got_w[l][index], size, c.steps))
                    FAIL("weight (" << o << ", " << i << ") of lane " << l << ": " << got_w[l][index] << " for "
                                    << sum);
            }
        }
}

} // namespace

TEST_CASE("lane linear: every remainder of the tiles, slices, transposed weights; and its gradient", "[lanes]") {
    Random random(71);
    for (std::size_t steps : {0u, 1u, 2u, 3u, 4u, 5u, 15u, 16u, 17u})
        for (std::size_t in : {1u, 2u, 3u, 5u, 8u, 17u})
            for (std::size_t out : {1u, 2u, 3u, 4u, 5u, 7u, 16u, 33u}) {
                const bool transposed = random.uniform(0, 1) < 0.5, wide = random.uniform(0, 1) < 0.5;
                CAPTURE(steps, in, out, transposed, wide);
                const LinearCase c{steps, in, out, transposed, wide ? Slice(in, in + 3, 2) : Slice(in),
                                   wide ? Slice(out, out + 5, 1) : Slice(out), random.vector(in * out),
                                   random.vector(out)};
                LinearCase rounded = c;
                for (auto* values : {&rounded.w, &rounded.bias})
                    for (double& v : *values)
                        v = static_cast<double>(static_cast<float>(v));
                const Sequences x = random_sequences(random, steps * in), y = random_sequences(random, steps * out);
                const Sequences dw = random_sequences(random, in * out), dbias = random_sequences(random, out);
                for_each_isa([&](const LaneOps& ops) {
                    check_linear(ops, rounded, x, y);
                    check_linear_gradient(ops, rounded, x, y, dw, dbias);
                });
            }
}

TEST_CASE("lane linear gradient: a long segment", "[lanes]") {
    Random random(72);
    const LinearCase c{4001, 3, 2, false, Slice(3), Slice(2), random.vector(6), random.vector(2)};
    const Sequences x = random_sequences(random, 4001 * 3), dy = random_sequences(random, 4001 * 2);
    const Sequences dw = random_sequences(random, 6), dbias = random_sequences(random, 2);
    for_each_isa([&](const LaneOps& ops) { check_linear_gradient(ops, c, x, dy, dw, dbias); });
}

namespace {

struct NormCase {
    std::size_t steps, channels;
    bool film;
    std::vector<double> w;
    Sequences e, scale, shift, du, de, dw, dscale, dshift; // the last four: what is there before
};

NormCase make_norm_case(std::size_t steps, std::size_t channels, bool film, double level, Random& random) {
    NormCase c{steps, channels, film, {}, {}, {}, {}, {}, {}, {}, {}, {}};
    for (float w : random.vector<float>(channels, 0.5, 1.5))
        c.w.push_back(w);
    c.e = random_sequences(random, steps * channels, -level, level);
    c.du = random_sequences(random, steps * channels);
    c.de = random_sequences(random, steps * channels);
    for (Sequences* s : {&c.scale, &c.shift, &c.dw, &c.dscale, &c.dshift})
        *s = random_sequences(random, channels);
    return c;
}

/// Forward and backward of one lane in double; the gradients in c are added to.
std::vector<double> reference_norm(NormCase& c, std::size_t l) {
    const std::size_t n = c.steps * c.channels;
    std::vector<double> normed(n), u(n), dnormed(n);
    equations::rms_norm(c.steps, c.channels, c.e[l].data(), c.w.data(), normed.data());
    u = normed, dnormed = c.du[l];
    if (c.film) {
        equations::film(c.steps, c.channels, normed.data(), c.scale[l].data(), c.shift[l].data(), u.data());
        dnormed.assign(n, 0);
        equations::film_backward(c.steps, c.channels, normed.data(), c.scale[l].data(), c.du[l].data(), dnormed.data(),
                                 c.dscale[l].data(), c.dshift[l].data());
    }
    equations::rms_norm_backward(c.steps, c.channels, c.e[l].data(), c.w.data(), dnormed.data(), c.de[l].data(),
                                 c.dw[l].data());
    return u;
}

void check_norm(const LaneOps& ops, const NormCase& c) {
    const Slice row(c.channels);
    const int steps = static_cast<int>(c.steps), channels = static_cast<int>(c.channels);
    const std::vector<float> w = floats(c.w);
    const LaneFloats scale = pack(c.scale, row), shift = pack(c.shift, row), e = pack(c.e, row), du = pack(c.du, row);
    const float *scale_in = c.film ? scale.data() : nullptr, *shift_in = c.film ? shift.data() : nullptr;
    LaneFloats u(e.size()), in_place = e, inverse(c.steps * lanes), de = pack(c.de, row), dw = pack(c.dw, row);
    LaneFloats dscale = pack(c.dscale, row), dshift = pack(c.dshift, row);
    ops.rms_norm(steps, channels, w.data(), scale_in, shift_in, e.data(), u.data(), inverse.data());
    ops.rms_norm(steps, channels, w.data(), scale_in, shift_in, in_place.data(), in_place.data(), nullptr);
    CHECK(in_place == u);
    ops.rms_norm_backward(steps, channels, w.data(), scale_in, e.data(), inverse.data(), du.data(), de.data(),
                          dw.data(), c.film ? dscale.data() : nullptr, c.film ? dshift.data() : nullptr);

    NormCase expected = c;
    Sequences u_expected;
    for (std::size_t l = 0; l < lanes; ++l)
        u_expected[l] = reference_norm(expected, l);
    // A dozen operations per value, and sums over `channels` or `steps` values: a few ulp of the rms, more for the
    // largest value. With one channel the gradient is what cancellation leaves of terms up to 1/level.
    check_together("norm", u_expected, unpack(u, row), 1e-6, 1e-5);
    const double factor = c.channels == 1 ? 1000 : 1;
    check_together("norm de", expected.de, unpack(de, row), factor * 1e-6, factor * 1e-5);
    check_together("norm dw", expected.dw, unpack(dw, row), 2e-6, 1e-5);
    check_together("film dscale", expected.dscale, unpack(dscale, row), 2e-6, 1e-5);
    check_together("film dshift", expected.dshift, unpack(dshift, row), 2e-6, 1e-5);
}

} // namespace

TEST_CASE("lane rms norm and FiLM, forward and backward", "[lanes]") {
    Random random(73);
    for (std::size_t steps : {0u, 1u, 7u, 16u, 17u, 257u})
        for (std::size_t channels : {1u, 2u, 5u, 8u, 17u})
            for (bool film : {false, true})
                for (double level : {1.0, 0.01}) { // 0.01: mean square near eps
                    CAPTURE(steps, channels, film, level);
                    const NormCase c = make_norm_case(steps, channels, film, level, random);
                    for_each_isa([&](const LaneOps& ops) { check_norm(ops, c); });
                }
}

TEST_CASE("lane rms norm: silence stays finite", "[lanes]") {
    for_each_isa([](const LaneOps& ops) {
        const float w[] = {1, 1};
        LaneFloats e(2 * lanes, 0.0f), inverse(lanes), de(2 * lanes), dw(2 * lanes), du(2 * lanes, 1.0f);
        LaneFloats u(2 * lanes, untouched);
        ops.rms_norm(1, 2, w, nullptr, nullptr, e.data(), u.data(), inverse.data());
        ops.rms_norm_backward(1, 2, w, nullptr, e.data(), inverse.data(), du.data(), de.data(), dw.data(), nullptr,
                              nullptr);
        for (std::size_t i = 0; i < u.size(); ++i) {
            CHECK(u[i] == 0);
            CHECK(close(1 / std::sqrt(1e-5), de[i], 1e-4)); // 1 ulp of 316 is 3e-5
        }
    });
}

TEST_CASE("lane convolution, forward and backward, with history", "[lanes]") {
    Random random(74);
    for (std::size_t steps : {0u, 1u, 2u, 3u, 15u, 17u, 257u})
        for (std::size_t channels : {1u, 3u, 8u})
            for (std::size_t taps : {1u, 2u, 3u, 4u, 7u}) {
                CAPTURE(steps, channels, taps);
                const std::size_t history = (taps - 1) * channels, n = steps * channels;
                const Sequences x = random_sequences(random, history + n), dy = random_sequences(random, n);
                const Sequences dx = random_sequences(random, history + n);
                const Sequences dw = random_sequences(random, channels * taps);
                const Sequences dbias = random_sequences(random, channels);
                const auto w = random.vector<float>(channels * taps), bias = random.vector<float>(channels);
                Sequences y_expected, dx_expected = dx, dw_expected = dw, dbias_expected = dbias;
                const std::vector<double> w64(w.begin(), w.end()), bias64(bias.begin(), bias.end());
                for (std::size_t l = 0; l < lanes; ++l) {
                    y_expected[l].resize(n);
                    const equations::ConvShape shape{steps, channels, taps};
                    const double *start = x[l].data(), *now = start + history;
                    double* dstart = dx_expected[l].data();
                    equations::conv1d(shape, now, w64.data(), bias64.data(), start, y_expected[l].data(),
                                      static_cast<double*>(nullptr));
                    equations::conv1d_backward<double>(
                        shape, now, w64.data(), start, dy[l].data(), nullptr,
                        {dstart + history, dw_expected[l].data(), dbias_expected[l].data(), dstart});
                }
                const Slice row(channels), weights(channels * taps);
                const LaneFloats x_in = pack(x, row), dy_in = pack(dy, row);
                for_each_isa([&](const LaneOps& ops) {
                    const int s = static_cast<int>(steps), c = static_cast<int>(channels), k = static_cast<int>(taps);
                    LaneFloats y(n * lanes), dx_out = pack(dx, row), dw_out = pack(dw, weights);
                    LaneFloats dbias_out = pack(dbias, row);
                    ops.conv(s, c, k, 1, w.data(), bias.data(), x_in.data(), y.data());
                    ops.conv_backward(s, c, k, 1, w.data(), x_in.data(), dy_in.data(), dx_out.data(), dw_out.data(),
                                      dbias_out.data());
                    // Sums of `taps` products of numbers below 1, and of `steps` for the weights: a few ulp.
                    check_together("conv", y_expected, unpack(y, row), 5e-7, 2e-6);
                    check_together("conv dx", dx_expected, unpack(dx_out, row), 5e-7, 2e-6);
                    check_together("conv dw", dw_expected, unpack(dw_out, weights), 1e-6, 5e-6);
                    check_together("conv dbias", dbias_expected, unpack(dbias_out, row), 1e-6, 5e-6);
                });
            }
}
