// SPDX-License-Identifier: MIT
#include "nam/build.h"

#include <algorithm>
#include <cmath>

namespace serpent::nam {

using kernels::NetOp;
using kernels::NetOpKind;
using kernels::NetSignal;

namespace {

std::size_t size(int value) { return static_cast<std::size_t>(value); }

/// (out, in, kernel), zeros between the groups, all times `factor`.
std::vector<float> dense(const Conv& conv, float factor = 1.0f) {
    const std::size_t ins = size(conv.in / conv.groups), outs = size(conv.out / conv.groups), kernel = size(conv.kernel);
    std::vector<float> weight(size(conv.out) * size(conv.in) * kernel);
    for (std::size_t o = 0; o < size(conv.out); ++o)
        for (std::size_t i = 0; i < ins * kernel; ++i)
            weight[(o * size(conv.in) + o / outs * ins) * kernel + i] = factor * conv.weight[o * ins * kernel + i];
    return weight;
}

std::vector<float> times(std::vector<float> values, float factor) {
    for (float& value : values) value *= factor;
    return values;
}

/// Writes one network's signals and operators, and those of the networks it is conditioned on.
class Builder {
public:
    kernels::Network built;

    int signal(int channels, bool halves = false) {
        built.signals.push_back({channels, halves});
        return static_cast<int>(built.signals.size()) - 1;
    }

    int add(const Network& network, int input) {
        return std::visit([&](const auto& net) { return add_net(net, input); }, network.what);
    }

private:
    int put(NetOp op) {
        const int out = op.out;
        built.ops.push_back(std::move(op));
        return out;
    }

    int convolve(const Conv& conv, int in, int out, const Function& f = {}, float factor = 1.0f) {
        return put({.kind = NetOpKind::convolve, .in = in, .out = out, .kernel = conv.kernel, .dilation = conv.dilation,
                    .weight = dense(conv, factor), .bias = times(conv.bias, factor), .f = f});
    }

    /// In place unless `out` is given.
    int film(const std::optional<Film>& film, int in, int condition, int out = -1) {
        if (!film) return in;
        const NetSignal like = built.signals[size(in)];
        const std::vector<float> weight = dense(film->conv);
        const std::size_t rows = size(like.channels), width = size(film->conv.in);
        const auto part = [&](std::size_t first) {
            const int to = signal(like.channels, like.halves);
            const auto begin = weight.begin() + static_cast<std::ptrdiff_t>(first * width);
            const auto bias = film->conv.bias.begin() + static_cast<std::ptrdiff_t>(first);
            return put({.kind = NetOpKind::convolve, .in = condition, .out = to,
                        .weight = {begin, begin + static_cast<std::ptrdiff_t>(rows * width)},
                        .bias = {bias, bias + static_cast<std::ptrdiff_t>(rows)}});
        };
        const int scale = part(0), shift = film->shift ? part(rows) : -1;
        return put({.kind = NetOpKind::modulate, .in = in, .out = out < 0 ? in : out, .scale = scale, .shift = shift});
    }

    /// What a layer array's layers share: none of it has a past.
    struct Shared {
        int condition, z, y, sum;
        int sum_from;  // of the first layer: the head of the array before
    };

    /// conv and mixin, films and activation; returns where y is, and adds it to the sum where it is what the head hears.
    int activation(const LayerArray& array, const Layer& layer, int x, const Shared& s) {
        const auto& films = layer.films;
        const bool gated = layer.gating != Gating::none, sums = !layer.head1x1 && !films[activation_post_film];
        const int z = gated ? s.z : s.y;
        const int in = films[conv_pre_film] ? film(films[conv_pre_film], x, s.condition, signal(array.channels)) : x;
        const bool apart = films[conv_post_film] || films[input_mixin_pre_film] || films[input_mixin_post_film];
        const bool plain = !gated && !apart && !films[activation_pre_film];
        NetOp conv{.kind = NetOpKind::convolve, .in = in, .out = z, .kernel = layer.conv.kernel, .dilation = layer.conv.dilation,
                   .weight = dense(layer.conv), .bias = layer.conv.bias};
        if (!apart) conv.side = s.condition, conv.side_weight = dense(layer.mixin);
        if (plain) conv.f = layer.f;
        if (plain && sums) conv.sum = s.sum, conv.sum_from = s.sum_from;
        put(std::move(conv));
        film(films[conv_post_film], z, s.condition);
        if (apart) {
            const int mixin = films[input_mixin_pre_film]
                                  ? film(films[input_mixin_pre_film], s.condition, s.condition, signal(layer.mixin.in))
                                  : s.condition;
            const NetSignal like = built.signals[size(z)];
            const int mixed = convolve(layer.mixin, mixin, signal(like.channels, like.halves));
            film(films[input_mixin_post_film], mixed, s.condition);
            put({.kind = NetOpKind::activate, .in = mixed, .out = mixed, .sum = z, .sum_from = z});
        }
        film(films[activation_pre_film], z, s.condition);
        if (!plain) {
            NetOp op{.kind = NetOpKind::activate, .in = z, .out = s.y, .f = layer.f, .g = layer.g};
            if (gated) op.kind = layer.gating == Gating::gated ? NetOpKind::gate : NetOpKind::blend;
            if (sums) op.sum = s.sum, op.sum_from = s.sum_from;
            put(std::move(op));
        }
        film(films[activation_post_film], s.y, s.condition);
        if (!layer.head1x1 && !sums) put({.kind = NetOpKind::activate, .in = s.y, .out = s.y, .sum = s.sum, .sum_from = s.sum_from});
        return s.y;
    }

    /// Returns what goes to the next layer, where there is one.
    int layer(const LayerArray& array, const Layer& layer, int x, const Shared& s, bool last) {
        const int y = activation(array, layer, x, s);
        if (layer.head1x1) {
            const int head = convolve(*layer.head1x1, y, signal(layer.head1x1->out));
            film(layer.films[head1x1_post_film], head, s.condition);
            put({.kind = NetOpKind::activate, .in = head, .out = head, .sum = s.sum, .sum_from = s.sum_from});
        }
        if (last || !layer.layer1x1) return x;
        const int next = signal(array.channels);
        const bool modulated = layer.films[layer1x1_post_film] && layer.gating == Gating::blended;
        NetOp step{.kind = NetOpKind::convolve, .in = y, .out = next, .plus = modulated ? -1 : x, .weight = dense(*layer.layer1x1),
                   .bias = layer.layer1x1->bias};
        put(std::move(step));
        if (!modulated) return next;
        film(layer.films[layer1x1_post_film], next, s.condition);
        const int sum = signal(array.channels);
        put({.kind = NetOpKind::activate, .in = next, .out = next, .sum = sum, .sum_from = x});
        return sum;
    }

    int add_net(const WaveNet& net, int input) {
        const int condition = net.condition ? add(*net.condition, input) : input;
        int x = input, head = -1;
        for (const LayerArray& array : net.arrays) {
            const bool last_array = &array == &net.arrays.back();
            x = convolve(array.rechannel, x, signal(array.channels));
            Shared s{condition, signal(2 * array.bottleneck, true), signal(array.bottleneck), signal(array.head.in), head};
            for (const Layer& each : array.layers) {
                x = layer(array, each, x, s, last_array && &each == &array.layers.back());
                s.sum_from = s.sum;
            }
            const Function f = last_array && !net.head.empty() ? net.head.front().first : Function{};
            head = convolve(array.head, s.sum, signal(array.head.out), f, last_array ? net.head_scale : 1.0f);
        }
        for (std::size_t i = 0; i < net.head.size(); ++i)
            head = convolve(net.head[i].second, head, signal(net.head[i].second.out),
                            i + 1 < net.head.size() ? net.head[i + 1].first : Function{});
        return head;
    }

    int add_net(const Lstm& net, int x) {
        for (const LstmCell& cell : net.cells)
            x = put({.kind = NetOpKind::lstm, .in = x, .out = signal(cell.hidden), .weight = cell.weight, .bias = cell.bias, .h = cell.h,
                     .c = cell.c});
        return convolve(net.head, x, signal(net.head.out));
    }

    int add_net(const ConvNet& net, int x) {
        for (const ConvNetBlock& block : net.blocks) {
            Conv conv = block.conv;
            if (!block.scale.empty()) {
                const std::size_t row = conv.weight.size() / size(conv.out);
                for (std::size_t i = 0; i < conv.weight.size(); ++i) conv.weight[i] *= block.scale[i / row];
                conv.bias = block.offset;
            }
            x = convolve(conv, x, signal(conv.out), block.f);
        }
        return convolve(net.head, x, signal(net.head.out));
    }

    int add_net(const Linear& net, int x) {
        return put({.kind = NetOpKind::fir, .in = x, .out = signal(1), .weight = net.taps, .bias = {net.bias}});
    }
};

/// Samples beyond the present one; negative: any number.
int past_of(const Network& network);

int past_of_net(const WaveNet& net) {
    int past = net.condition ? past_of(*net.condition) : 0;
    if (past < 0) return past;
    std::int64_t sum = past;
    for (const LayerArray& array : net.arrays) {
        for (const Layer& layer : array.layers) sum += layer.conv.past();
        sum += array.head.past();
    }
    for (const auto& [f, conv] : net.head) sum += conv.past();
    return static_cast<int>(std::min<std::int64_t>(sum, 1 << 30));
}
int past_of_net(const Lstm&) { return -1; }
int past_of_net(const ConvNet& net) {
    std::int64_t sum = 0;
    for (const ConvNetBlock& block : net.blocks) sum += block.conv.past();
    return static_cast<int>(std::min<std::int64_t>(sum, 1 << 30));
}
int past_of_net(const Linear& net) { return static_cast<int>(net.taps.size()) - 1; }

int past_of(const Network& network) {
    return std::visit([](const auto& net) { return past_of_net(net); }, network.what);
}

/// That of the LSTMs in it counts half a second; what is convolved behind them adds its reach.
int settling_of_conditions(const Network& network) {
    if (const auto* net = std::get_if<WaveNet>(&network.what)) {
        int own = past_of_net(WaveNet{.condition = nullptr, .arrays = net->arrays, .head_scale = 1, .head = net->head});
        return own + (net->condition ? settling_of_conditions(*net->condition) : 1);
    }
    if (std::holds_alternative<Lstm>(network.what)) return static_cast<int>(network.sample_rate_hz.value_or(48000.0) / 2);
    return past_of(network) + 1;
}

} // namespace

int reach_of(const Network& network) { return std::max(0, past_of(network) + 1); }

std::size_t macs_of(const Network& network) {
    std::size_t macs = 0;
    for (const NetOp& op : engine_network(network).ops) macs += op.weight.size() + op.side_weight.size();
    return macs;
}

int settling_of(const Network& network) {
    constexpr std::size_t most_macs = std::size_t{1} << 33;  // seconds of work, which only absurd sizes need
    const std::size_t most = most_macs / std::max<std::size_t>(1, macs_of(network));
    return static_cast<int>(std::min(most, size(settling_of_conditions(network))));
}

kernels::Network engine_network(const Network& network) {
    Builder builder;
    builder.built.input = builder.signal(network.in_channels);
    builder.built.output = builder.add(network, builder.built.input);
    return std::move(builder.built);
}

} // namespace serpent::nam
