// SPDX-License-Identifier: MIT
// What a network of a .nam file answers, in the plainest form: whole signals, one operator after another, in any float type. Tests
// hold the engine to it in float64.
#pragma once

#include "nam/network.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace serpent::nam {

/// [channel][time]
template <class T>
using Signal = std::vector<std::vector<T>>;

template <class T>
T plain_function(const Function& f, T x, std::size_t channel) {
    using K = kernels::NetFunctionKind;
    const auto softsign = [](T v) { return v / (T(1) + std::abs(v)); };
    const auto sigmoid = [](T v) { return T(1) / (T(1) + std::exp(-v)); };
    switch (f.kind) {
    case K::identity: return x;
    case K::tanh: return std::tanh(x);
    case K::hard_tanh: return std::clamp(x, T(f.low), T(f.high));
    case K::fast_tanh: {
        const T ax = std::abs(x), x2 = x * x;
        return x * (T(2.45550750702956) + T(2.45550750702956) * ax + (T(0.893229853513558) + T(0.821226666969744) * ax) * x2) /
               (T(2.44506634652299) + (T(2.44506634652299) + x2) * std::abs(x + T(0.814642734961073) * x * ax));
    }
    case K::relu: return std::max(x, T(0));
    case K::leaky_relu: return x > 0 ? x : T(f.slopes.empty() ? f.slope : f.slopes[channel]) * x;
    case K::sigmoid: return sigmoid(x);
    case K::silu: return x * sigmoid(x);
    case K::hard_swish: return x * std::clamp(x + T(3), T(0), T(6)) / T(6);
    case K::leaky_hard_tanh:
        if (x < T(f.low)) return (x - T(f.low)) * T(f.low_slope) + T(f.low);
        return x > T(f.high) ? (x - T(f.high)) * T(f.high_slope) + T(f.high) : x;
    case K::softsign: return softsign(x);
    case K::softsigmoid: return (T(1) + softsign(x)) / T(2);
    }
    return x;
}

/// What came before the signal counts as 0.
template <class T>
Signal<T> plain_conv(const Conv& conv, const Signal<T>& in) {
    const auto size = [](int value) { return static_cast<std::size_t>(value); };
    const std::size_t length = in.front().size(), ins = size(conv.in / conv.groups), outs = size(conv.out / conv.groups);
    Signal<T> out(size(conv.out), std::vector<T>(length));
    for (std::size_t o = 0; o < out.size(); ++o)
        for (std::size_t t = 0; t < length; ++t) {
            T sum = conv.bias.empty() ? T(0) : T(conv.bias[o]);
            for (std::size_t i = 0; i < ins; ++i)
                for (std::size_t k = 0; k < size(conv.kernel); ++k) {
                    const std::size_t back = (size(conv.kernel) - 1 - k) * size(conv.dilation);
                    if (back <= t) sum += T(conv.weight[(o * ins + i) * size(conv.kernel) + k]) * in[o / outs * ins + i][t - back];
                }
            out[o][t] = sum;
        }
    return out;
}

/// f(value, channel) for every value.
template <class T, class F>
Signal<T> plain_each(Signal<T> signal, const F& f) {
    for (std::size_t c = 0; c < signal.size(); ++c)
        for (T& value : signal[c]) value = f(value, c);
    return signal;
}

template <class T>
Signal<T> plain_sum(Signal<T> a, const Signal<T>& b) {
    for (std::size_t c = 0; c < a.size(); ++c)
        for (std::size_t t = 0; t < a[c].size(); ++t) a[c][t] += b[c][t];
    return a;
}

template <class T>
Signal<T> plain_film(const std::optional<Film>& film, Signal<T> x, const Signal<T>& condition) {
    if (!film) return x;
    const Signal<T> y = plain_conv(film->conv, condition);
    for (std::size_t c = 0; c < x.size(); ++c)
        for (std::size_t t = 0; t < x[c].size(); ++t) x[c][t] = y[c][t] * x[c][t] + (film->shift ? y[x.size() + c][t] : T(0));
    return x;
}

/// The activation, gate or blend of a layer.
template <class T>
Signal<T> plain_activation(const Layer& layer, Signal<T> z) {
    if (layer.gating == Gating::none) return plain_each(std::move(z), [&](T v, std::size_t c) { return plain_function(layer.f, v, c); });
    const std::size_t half = z.size() / 2;
    for (std::size_t c = 0; c < half; ++c)
        for (std::size_t t = 0; t < z[c].size(); ++t) {
            const T x = z[c][t], share = plain_function(layer.g, z[half + c][t], c), y = plain_function(layer.f, x, c);
            z[c][t] = layer.gating == Gating::gated ? y * share : share * y + (T(1) - share) * x;
        }
    z.resize(half);
    return z;
}

/// x becomes what goes to the next layer; returns what goes to the head.
template <class T>
Signal<T> plain_layer(const Layer& layer, Signal<T>& x, const Signal<T>& condition) {
    const auto film = [&](FilmPlace place, Signal<T> s) { return plain_film(layer.films[place], std::move(s), condition); };
    const Signal<T> convolved = film(conv_post_film, plain_conv(layer.conv, film(conv_pre_film, x)));
    const Signal<T> mixed = film(input_mixin_post_film, plain_conv(layer.mixin, film(input_mixin_pre_film, condition)));
    const Signal<T> y = film(activation_post_film, plain_activation(layer, film(activation_pre_film, plain_sum(convolved, mixed))));
    if (layer.layer1x1) {
        Signal<T> step = plain_conv(*layer.layer1x1, y);
        if (layer.gating == Gating::blended) step = film(layer1x1_post_film, std::move(step));  // as the public player has it
        x = plain_sum(x, step);
    }
    return layer.head1x1 ? film(head1x1_post_film, plain_conv(*layer.head1x1, y)) : y;
}

template <class T>
Signal<T> plain_network(const Network& network, const Signal<T>& in);

template <class T>
Signal<T> plain(const WaveNet& net, const Signal<T>& in) {
    const Signal<T> condition = net.condition ? plain_network(*net.condition, in) : in;
    Signal<T> x = in, head;
    for (const LayerArray& array : net.arrays) {
        x = plain_conv(array.rechannel, x);
        for (const Layer& layer : array.layers) {
            Signal<T> y = plain_layer(layer, x, condition);
            head = head.empty() ? y : plain_sum(y, head);
        }
        head = plain_conv(array.head, head);
    }
    head = plain_each(std::move(head), [&](T v, std::size_t) { return T(net.head_scale) * v; });
    for (const auto& stage : net.head)
        head = plain_conv(stage.second, plain_each(std::move(head), [&](T v, std::size_t c) { return plain_function(stage.first, v, c); }));
    return head;
}

template <class T>
Signal<T> plain(const Lstm& net, const Signal<T>& in) {
    const auto sigmoid = [](T v) { return T(1) / (T(1) + std::exp(-v)); };
    Signal<T> x = in;
    for (const LstmCell& cell : net.cells) {
        const auto ins = static_cast<std::size_t>(cell.in), hidden = static_cast<std::size_t>(cell.hidden);
        std::vector<T> h(cell.h.begin(), cell.h.end()), c(cell.c.begin(), cell.c.end()), gates(4 * hidden);
        Signal<T> y(hidden, std::vector<T>(x.front().size()));
        for (std::size_t t = 0; t < x.front().size(); ++t) {
            for (std::size_t row = 0; row < gates.size(); ++row) {
                const float* weight = cell.weight.data() + row * (ins + hidden);
                gates[row] = T(cell.bias[row]);
                for (std::size_t i = 0; i < ins; ++i) gates[row] += T(weight[i]) * x[i][t];
                for (std::size_t i = 0; i < hidden; ++i) gates[row] += T(weight[ins + i]) * h[i];
            }
            for (std::size_t i = 0; i < hidden; ++i) {
                c[i] = sigmoid(gates[hidden + i]) * c[i] + sigmoid(gates[i]) * std::tanh(gates[2 * hidden + i]);
                y[i][t] = h[i] = sigmoid(gates[3 * hidden + i]) * std::tanh(c[i]);
            }
        }
        x = std::move(y);
    }
    return plain_conv(net.head, x);
}

template <class T>
Signal<T> plain(const ConvNet& net, const Signal<T>& in) {
    Signal<T> x = in;
    for (const ConvNetBlock& block : net.blocks)
        x = plain_each(plain_conv(block.conv, x), [&](T v, std::size_t c) {
            return plain_function(block.f, block.scale.empty() ? v : T(block.scale[c]) * v + T(block.offset[c]), c);
        });
    return plain_conv(net.head, x);
}

template <class T>
Signal<T> plain(const Linear& net, const Signal<T>& in) {
    Signal<T> out(1, std::vector<T>(in.front().size()));
    for (std::size_t t = 0; t < out[0].size(); ++t) {
        out[0][t] = T(net.bias);
        for (std::size_t k = 0; k < net.taps.size() && k <= t; ++k) out[0][t] += T(net.taps[k]) * in[0][t - k];
    }
    return out;
}

/// From the state in which all that came before is 0, in every layer; to play from silence put as many zeros in front as the network
/// reaches back.
template <class T>
Signal<T> plain_network(const Network& network, const Signal<T>& in) {
    return std::visit([&](const auto& net) { return plain(net, in); }, network.what);
}

} // namespace serpent::nam
