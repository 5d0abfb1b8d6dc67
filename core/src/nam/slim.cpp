// SPDX-License-Identifier: MIT
#include "nam/slim.h"

#include "serpent/errors.h"

#include <algorithm>
#include <cmath>

namespace serpent::nam {

namespace {

std::size_t size(int value) { return static_cast<std::size_t>(value); }

const WaveNet* slimmable(const Network& network) {
    const auto* net = std::get_if<WaveNet>(&network.what);
    const auto can = [](const LayerArray& array) { return !array.allowed.empty(); };
    return net && std::any_of(net->arrays.begin(), net->arrays.end(), can) ? net : nullptr;
}

constexpr const char* too_small = "this network cannot be made that small; play it at size 1";

/// The first `in` and `out` channels; Error where it has not so many.
Conv cut(const Conv& conv, int in, int out) {
    if (in > conv.in || out > conv.out) throw Error(too_small);
    if (conv.groups != 1) throw Error("a network with groups cannot be made smaller; play it at size 1");
    Conv less = conv;
    less.in = in, less.out = out, less.weight.clear();
    for (std::size_t o = 0; o < size(out); ++o) {
        const auto row = conv.weight.begin() + static_cast<std::ptrdiff_t>(o * size(conv.in) * size(conv.kernel));
        less.weight.insert(less.weight.end(), row, row + static_cast<std::ptrdiff_t>(size(in) * size(conv.kernel)));
    }
    if (!less.bias.empty()) less.bias.resize(size(out));
    return less;
}

Layer cut(const Layer& layer, int channels, int bottleneck) {
    const bool modulated = std::any_of(layer.films.begin(), layer.films.end(), [](const auto& film) { return film.has_value(); });
    if (layer.gating != Gating::none || modulated || !layer.f.slopes.empty())
        throw Error("a network with gates, FiLM or slopes for each channel cannot be made smaller; play it at size 1");
    Layer less = layer;
    less.conv = cut(layer.conv, channels, bottleneck);
    less.mixin = cut(layer.mixin, layer.mixin.in, bottleneck);
    if (layer.layer1x1) less.layer1x1 = cut(*layer.layer1x1, bottleneck, channels);
    if (layer.head1x1) less.head1x1 = cut(*layer.head1x1, bottleneck, layer.head1x1->out);
    return less;
}

/// What array i of `net` has at that size.
int channels_at(const LayerArray& array, double wanted) {
    if (array.allowed.empty()) return array.channels;
    const double n = static_cast<double>(array.allowed.size());
    return array.allowed[static_cast<std::size_t>(std::min(std::floor(wanted * n), n - 1.0))];
}

/// What array i has when it is cut to `channels`.
struct Cut {
    int channels, bottleneck, head_in;
};

Cut cut_of(const LayerArray& array, int channels) {
    const Layer& first = array.layers.front();
    const int bottleneck = first.layer1x1 ? std::max(1, array.bottleneck * channels / array.channels) : channels;
    return {channels, bottleneck, first.head1x1 ? array.head.in : bottleneck};
}

std::shared_ptr<const Network> cut(const std::shared_ptr<const Network>& whole, double wanted) {
    const WaveNet* net = slimmable(*whole);
    if (!net) return whole;
    std::vector<Cut> cuts;
    bool full = true;
    for (const LayerArray& array : net->arrays) {
        cuts.push_back(cut_of(array, channels_at(array, wanted)));
        full = full && cuts.back().channels == array.channels;
    }
    if (full) return whole;
    if (!net->head.empty()) throw Error("a network with a head behind its layers cannot be made smaller; play it at size 1");
    for (std::size_t i = 1; i < cuts.size(); ++i)  // the head before is cut to as many
        if (cuts[i].head_in != cuts[i].channels) throw Error(too_small);
    auto less = std::make_shared<Network>(*whole);
    WaveNet& small = std::get<WaveNet>(less->what);
    for (std::size_t i = 0; i < cuts.size(); ++i) {
        LayerArray& array = small.arrays[i];
        const auto [now, bottleneck, head_in] = cuts[i];
        array.rechannel = cut(array.rechannel, i == 0 ? array.rechannel.in : cuts[i - 1].channels, now);
        for (Layer& layer : array.layers) layer = cut(layer, now, bottleneck);
        array.head = cut(array.head, head_in, i + 1 < cuts.size() ? cuts[i + 1].channels : array.head.out);
        array.channels = now, array.bottleneck = bottleneck;
    }
    return less;
}

} // namespace

std::vector<double> sizes_of(const File& file) {
    std::vector<double> sizes{0.0};
    if (file.choices.size() > 1) {
        for (std::size_t i = 0; i + 1 < file.choices.size(); ++i) sizes.push_back(file.choices[i].below);
    } else if (const WaveNet* net = slimmable(*file.choices.front().network)) {
        for (const LayerArray& array : net->arrays)
            for (std::size_t i = 1; i < array.allowed.size(); ++i)
                sizes.push_back(static_cast<double>(i) / static_cast<double>(array.allowed.size()));
    }
    std::sort(sizes.begin(), sizes.end());
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    return sizes;
}

std::shared_ptr<const Network> at_size(const File& file, double wanted) {
    if (file.choices.size() == 1) return cut(file.choices.front().network, wanted);
    for (const File::Choice& choice : file.choices)
        if (wanted < choice.below) return choice.network;
    return file.choices.back().network;
}

} // namespace serpent::nam
